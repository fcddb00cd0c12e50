"""Models that are code of one's own: a function, or an object of a class with ``predict``.

They are saved as pickle, since objects of code have no safe format, or as the file of Python that makes them
(``from_code.py``); the folder is that of ``mlflow.pyfunc``.
"""

import inspect
import logging
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError
from headrace.models import from_code, pickles
from headrace.models.flavor import Flavor
from headrace.models.folder import inside, python_function
from headrace.models.storing import fetched

logger = logging.getLogger("headrace")

LOADER = "mlflow.pyfunc.model"

_FILE = "python_model.pkl"
_REMEDY = "a file of Python in place of an object (python_model='model.py') can be read first"


class PythonModelContext:
    """What a :class:`PythonModel` finds when it is loaded."""

    def __init__(self, artifacts: Mapping[str, str], model_config: Mapping[str, Any]) -> None:
        self.artifacts = artifacts
        """Absolute paths of the files and folders that were saved with it, by name."""
        self.model_config = model_config


class PythonModel:
    """A model of one's own: a class with ``predict(self, context, model_input, params=None)``.

    ``context`` and ``params`` may be left out, as in MLflow. ``predict_stream`` is called alike.
    """

    predict_type_hints = SimpleNamespace(input=None, output=None)
    """MLflow asks for them; nothing is converted to them."""

    def load_context(self, context: PythonModelContext) -> None:
        """Called once after loading, to open what was saved with the model."""

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """What the model answers."""
        raise NotImplementedError(f"{type(self).__name__} has no predict()")


class FunctionModel(PythonModel):
    """A function of one argument as a model."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def predict(self, model_input: Any) -> Any:
        """What the function answers."""
        return self.function(model_input)


class Loaded:
    """A model of this kind with its context."""

    def __init__(self, model: Any, context: PythonModelContext) -> None:
        self.model = model
        self.context = context

    def ask(self, data: Any, params: Mapping[str, Any] | None, method: str = "predict") -> Any:
        """Calls the model with those of context, data and parameters that it takes."""
        call = getattr(self.model, method)
        names = inspect.signature(call).parameters
        wanted = [name for name in names if name != "params"]
        takes_context = "context" in wanted or len(wanted) == 2
        if params and "params" not in names:
            raise InvalidArgumentError("params", f"is not taken by this model's {method}()")
        more = {"params": params} if "params" in names else {}
        return call(*((self.context, data) if takes_context else (data,)), **more)


def _write(
    model: Any, folder: Path, artifacts: Mapping[str, str] | None, model_config: Mapping[str, Any] | None
) -> tuple[dict[str, Any], str]:
    from_file = isinstance(model, str | Path)
    told = _coded(Path(model), folder, model_config) if from_file else _pickled(model, folder)
    told["config"] = dict(model_config) if model_config else None
    told["artifacts"] = {name: _kept(folder, name, uri) for name, uri in (artifacts or {}).items()} or None
    return {key: value for key, value in told.items() if value is not None}, ""


def _pickled(model: Any, folder: Path) -> dict[str, Any]:
    if isinstance(model, type) or not (hasattr(model, "predict") or callable(model)):
        problem = f"is of type {type(model).__name__}; expected a function, or an object with predict()"
        raise InvalidArgumentError("python_model", problem)
    if not hasattr(model, "predict"):
        model = FunctionModel(model)
    how = pickles.by_value()
    pickles.say(how, _REMEDY)
    try:
        pickles.save(model, folder / _FILE, how)
    except Exception as error:  # whatever the parts of the model say
        raise HeadraceError(f"the model cannot be pickled with {how}: {error}") from error
    return python_function(
        LOADER,
        _FILE,
        python_model=_FILE,
        streamable=hasattr(model, "predict_stream"),
        cloudpickle_version=version("cloudpickle") if how == "cloudpickle" else None,
    )


def _coded(source: Path, folder: Path, model_config: Mapping[str, Any] | None) -> dict[str, Any]:
    """A file of Python, which is run now, so that what fails does not fail only when it is loaded."""
    if source.suffix != ".py" or not source.is_file():
        problem = f"is {str(source)!r}; expected a function, an object with predict(), or a file of Python"
        raise InvalidArgumentError("python_model", problem)
    model = from_code.run(source, model_config)
    shutil.copy(source, folder / source.name)
    streams = hasattr(model, "predict_stream")
    return python_function(from_code.LOADER, source.name, model_code_path=source.name, streamable=streams)


def _kept(folder: Path, name: str, uri: str) -> dict[str, str]:
    if Path(name).name != name:
        raise InvalidArgumentError("artifacts", f"has the name {name!r}; expected one without '/'")
    source = fetched(uri)
    if not source.exists():
        raise InvalidArgumentError("artifacts", f"names {str(uri)!r}, which is not there")
    target = folder / "artifacts" / name / source.resolve().name
    target.parent.mkdir(parents=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return {"path": target.relative_to(folder).as_posix(), "uri": str(uri)}


def _read(folder: Path, told: dict[str, Any], model_config: Mapping[str, Any] | None = None) -> Loaded:
    config = {**(told.get("config") or {}), **(model_config or {})}
    if told.get("loader_module") == from_code.LOADER and told.get("model_code_path"):
        # MLflow writes the path that the file had; it lies in the folder.
        path = inside(folder, PureWindowsPath(told["model_code_path"]).name)
        logger.warning("%s is code: loading it runs it", path)
        model = from_code.run(path, config)
        model = model if hasattr(model, "predict") else FunctionModel(model)
    elif told.get("loader_module") == LOADER and "python_model" in told:
        if told.get("python_model_compression"):
            raise InvalidArgumentError("model", "is compressed, which Headrace does not read")
        model = pickles.load(inside(folder, told["python_model"]), "pickle")
    else:
        what = f"loaded by {told.get('loader_module')!r}"
        raise InvalidArgumentError("model", f"is {what}; Headrace loads functions and PythonModels")
    files = {name: str(inside(folder, one["path"])) for name, one in (told.get("artifacts") or {}).items()}
    context = PythonModelContext(files, config)
    if hasattr(model, "load_context"):
        model.load_context(context)
    return Loaded(model, context)


FLAVOR = Flavor("python_function", ("headrace", "cloudpickle"), _write, _read, Loaded.ask)
