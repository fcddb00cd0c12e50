"""What the flavours have in common: a model becomes a folder, and comes back from one."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError
from headrace.models import folder as folders
from headrace.models.folder import Description


def library(module: str, package: str | None = None) -> Any:
    """A module of a library that only one flavour needs.

    Raises:
        HeadraceError: it is not installed.
    """
    package = package or module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise HeadraceError(f"this flavour needs {package}: pip install {package} ({error})") from error


def _ask(model: Any, data: Any, params: Mapping[str, Any] | None) -> Any:
    if params:
        raise InvalidArgumentError("params", "is for models of headrace.pyfunc and headrace.pytorch")
    return model.predict(data)


@dataclass(frozen=True)
class Flavor:
    """How one library's models are written and read.

    ``write`` is given the model and its folder, and returns what ``MLmodel`` says of it and the
    file of the model, "" if it cannot predict by itself; ``read`` is given the folder and what
    ``MLmodel`` said; ``predict`` is given the model, data and parameters. ``data`` is the folder
    that MLflow's own loader is given, if it is not that of the model.
    """

    name: str
    libraries: tuple[str, ...]
    write: Callable[..., tuple[dict[str, Any], str]]
    read: Callable[..., Any]
    predict: Callable[[Any, Any, Mapping[str, Any] | None], Any] = _ask
    data: str | None = None

    @property
    def loader(self) -> str:
        """The module that loads it, by MLflow's name."""
        return f"mlflow.{self.name}"

    def save(self, model: Any, path: str | Path, description: Description, **options: Any) -> None:
        """Writes a model's folder, which must not exist or be empty. After an error it is as it was."""
        target = Path(path)
        with _whole(target):
            told, file = self.write(model, target, **options)
            flavors = {self.name: told}
            if file:
                more = {"data": self.data} if self.data else {}
                flavors.setdefault("python_function", folders.python_function(self.loader, file, **more))
            folders.write(target, flavors, self.libraries, description)

    def load(self, path: str | Path, **options: Any) -> Any:
        """The model of a folder, as its library has it.

        Raises:
            HeadraceError: the folder is damaged, or of another flavour.
        """
        told = folders.read(Path(path))["flavors"]
        if self.name not in told:
            raise InvalidArgumentError(
                "model", f"{str(path)!r} has the flavors {', '.join(told)}, not {self.name}"
            )
        folders.find_code(Path(path), told[self.name])
        try:
            return self.read(Path(path), told[self.name], **options)
        except HeadraceError:
            raise
        except Exception as error:  # whatever a library says of a file that it cannot read
            problem = f"{type(error).__name__}: {error}"
            raise HeadraceError(
                f"the {self.name} model in {str(path)!r} cannot be read: {problem}"
            ) from error


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[None]:
    """A folder that is filled; what an error leaves goes, with the folders that were made for it."""
    missing = [folder for folder in (target, *target.parents) if not folder.exists()]
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise InvalidArgumentError("path", f"{str(target)!r} is not empty")
    try:
        yield
    except BaseException:
        for path in missing[-1:] or list(target.iterdir()):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        raise
