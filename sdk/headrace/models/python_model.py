"""Models that are code of one's own: a function, or an object of a class with ``predict``.

They are saved as pickle, since code has no safe format; the folder is that of ``mlflow.pyfunc``.
"""

import inspect
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError
from headrace.models import pickles
from headrace.models.flavor import Flavor
from headrace.models.folder import inside, python_function
from headrace.models.storing import fetched

LOADER = "mlflow.pyfunc.model"

_FILE = "python_model.pkl"
_REMEDY = "code has no format that is safe to load"


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
    told = python_function(
        LOADER,
        _FILE,
        python_model=_FILE,
        streamable=hasattr(model, "predict_stream"),
        cloudpickle_version=version("cloudpickle") if how == "cloudpickle" else None,
        config=dict(model_config) if model_config else None,
        artifacts={name: _kept(folder, name, uri) for name, uri in (artifacts or {}).items()} or None,
    )
    return {key: value for key, value in told.items() if value is not None}, ""


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
    if told.get("loader_module") != LOADER or "python_model" not in told:
        what = f"loaded by {told.get('loader_module')!r}" + (
            ", from code" if "model_code_path" in told else ""
        )
        raise InvalidArgumentError("model", f"is {what}; Headrace loads pickled functions and PythonModels")
    if told.get("python_model_compression"):
        raise InvalidArgumentError("model", "is compressed, which Headrace does not read")
    model = pickles.load(inside(folder, told["python_model"]), "pickle")
    files = {name: str(inside(folder, one["path"])) for name, one in (told.get("artifacts") or {}).items()}
    context = PythonModelContext(files, {**(told.get("config") or {}), **(model_config or {})})
    if hasattr(model, "load_context"):
        model.load_context(context)
    return Loaded(model, context)


FLAVOR = Flavor("python_function", ("headrace", "cloudpickle"), _write, _read, Loaded.ask)
