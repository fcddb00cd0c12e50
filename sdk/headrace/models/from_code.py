"""Models that are a file of Python: it says what the model is, and is run when the model is loaded.

Such a file is read by Headrace and by MLflow, with ``set_model`` and ``ModelConfig`` of either: what one is
told, the other is told too, where it is loaded.
"""

import importlib
import importlib.util
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from headrace.errors import HeadraceError, InvalidArgumentError

LOADER = "mlflow.pyfunc.loaders.code_model"

_MODEL = "__mlflow_model__"
_CONFIG = "__mlflow_model_config__"
"""Where MLflow keeps them: variables of its modules ``models.model`` and ``models.model_config``."""

_lock = threading.RLock()
_said: dict[str, Any] = {}
"""What is said of the file that is being run: ``model``, ``config``."""


def set_model(model: Any) -> None:
    """Says, in a file given as ``python_model``, what the model is: a function or a ``PythonModel``."""
    if isinstance(model, str | type) or not (hasattr(model, "predict") or callable(model)):
        problem = f"is of type {type(model).__name__}; expected a function, or an object with predict()"
        raise InvalidArgumentError("model", problem)
    _said["model"] = model
    if theirs := _of_mlflow("model"):  # its loader runs this file, too
        setattr(theirs, _MODEL, model)


class ModelConfig:
    """The ``model_config`` that a model was saved with, for the file that it is made by."""

    def __init__(self, *, development_config: Mapping[str, Any] | str | Path | None = None) -> None:
        """``development_config``: what counts while the file is run by hand; a YAML file needs PyYAML.

        InvalidArgumentError: the model was saved without one.
        """
        told = _said.get("config")
        if told is None and (theirs := _of_mlflow("model_config")):
            told = getattr(theirs, _CONFIG, None)
        self._values = _read(development_config if told is None else told)

    def to_dict(self) -> dict[str, Any]:
        """All of it."""
        return dict(self._values)

    def get(self, key: str) -> Any:
        """A value. ``KeyError``: there is none."""
        return self._values[key]


def run(path: Path, config: Mapping[str, Any] | None) -> Any:
    """Runs a file; the model that it sets.

    Raises:
        HeadraceError: it fails, or sets none.
    """
    name = f"headrace_model_{uuid.uuid4().hex}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidArgumentError("python_model", f"{str(path)!r} is no file of Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its classes say that they are of there
    with _lock, _telling(path, dict(config or {})):
        try:
            spec.loader.exec_module(module)
        except Exception as error:  # whatever code of others raises
            raise HeadraceError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
        model = _said.get("model")
        if model is None:
            model = getattr(_of_mlflow("model"), _MODEL, None)
    if model is None:
        raise HeadraceError(f"{path} sets no model: call headrace.models.set_model(model) in it")
    return model


@contextmanager
def _telling(path: Path, config: dict[str, Any]) -> Iterator[None]:
    """Both sides know the settings, and of no model yet."""
    if "mlflow" in path.read_text(errors="replace") and importlib.util.find_spec("mlflow"):
        importlib.import_module("mlflow.models.model_config")  # before the file asks it
    before = dict(_said)
    theirs = [(_of_mlflow("model"), _MODEL, None), (_of_mlflow("model_config"), _CONFIG, config or "")]
    kept = [(module, name, getattr(module, name, None)) for module, name, _ in theirs if module]
    _said.clear()
    _said["config"] = config
    try:
        for module, name, value in theirs:
            if module:
                setattr(module, name, value)
        yield
    finally:
        _said.clear()
        _said.update(before)
        for module, name, value in kept:
            setattr(module, name, value)


def _of_mlflow(name: str) -> ModuleType | None:
    return sys.modules.get(f"mlflow.models.{name}")


def _read(config: Any) -> dict[str, Any]:
    if isinstance(config, str | Path) and config:
        yaml = importlib.import_module("yaml")
        config = yaml.safe_load(Path(config).read_text())
    if not config or not isinstance(config, Mapping):
        raise InvalidArgumentError("model_config", "is missing: the model was saved without one")
    return dict(config)
