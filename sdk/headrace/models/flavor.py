"""What the flavours have in common: a model becomes a folder, and comes back from one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models import folder as folders
from headrace.models.folder import Description


@dataclass(frozen=True)
class Flavor:
    """How one library's models are written and read.

    ``write`` is given the model and its folder, and returns what ``MLmodel`` says of it and the
    file of the model; ``read`` is given the folder and what ``MLmodel`` said.
    """

    name: str
    libraries: tuple[str, ...]
    write: Callable[..., tuple[dict[str, Any], str]]
    read: Callable[[Path, dict[str, Any]], Any]

    @property
    def loader(self) -> str:
        """The module that loads it, by MLflow's name."""
        return f"mlflow.{self.name}"

    def save(self, model: Any, path: str | Path, description: Description, **options: Any) -> None:
        """Writes a model's folder, which must not exist or be empty."""
        target = Path(path)
        target.mkdir(parents=True, exist_ok=True)
        if any(target.iterdir()):
            raise InvalidArgumentError("path", f"{str(path)!r} is not empty")
        told, file = self.write(model, target, **options)
        function = folders.python_function(self.loader, file)
        folders.write(target, {self.name: told, "python_function": function}, self.libraries, description)

    def load(self, path: str | Path) -> Any:
        """The model of a folder, as its library has it."""
        told = folders.read(Path(path))["flavors"]
        if self.name not in told:
            raise InvalidArgumentError(
                "model", f"{str(path)!r} has the flavors {', '.join(told)}, not {self.name}"
            )
        return self.read(Path(path), told[self.name])
