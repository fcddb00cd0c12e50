"""Functions and classes of one's own as models, and any model as one that predicts: as ``mlflow.pyfunc``."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models import folder as folders
from headrace.models.flavor import Flavor
from headrace.models.folder import Description
from headrace.models.predicting import PyFuncModel
from headrace.models.python_model import FLAVOR, PythonModel, PythonModelContext
from headrace.models.signature import ModelSignature
from headrace.models.storing import ModelInfo, fetched, log

__all__ = ["PyFuncModel", "PythonModel", "PythonModelContext", "load_model", "log_model", "save_model"]

_FLAVORS = ("sklearn", "xgboost", "lightgbm", "pytorch", "keras")


def save_model(
    path: str | Path,
    *,
    python_model: Callable[[Any], Any] | Any,
    artifacts: Mapping[str, str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
) -> None:
    """Writes a function or a :class:`PythonModel` into a folder that ``mlflow.pyfunc`` reads too.

    Args:
        path: the folder, new or empty.
        python_model: a function of one argument or an object with ``predict``, to be pickled, or a file of
            Python, to be kept as it is, which calls :func:`headrace.models.set_model` with one of these. It
            is run now and when it is loaded.
        artifacts: files and folders to keep with it, by name: local paths, ``runs:/`` and ``models:/``.
        model_config: anything that JSON knows, for ``context.model_config``.
        signature: see :func:`headrace.sklearn.save_model`, as the following.
        input_example: see there.
        pip_requirements: see there; default: Headrace and cloudpickle, not what the code imports.
        metadata: see there.
        code_paths: see there.
    """
    description = Description(signature, input_example, metadata, pip_requirements, code_paths)
    FLAVOR.save(python_model, path, description, artifacts=artifacts, model_config=model_config)


def log_model(
    artifact_path: str | None = None,
    *,
    python_model: Callable[[Any], Any] | Any,
    artifacts: Mapping[str, str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    name: str | None = None,
    registered_model_name: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    model_type: str | None = None,
    step: int = 0,
) -> ModelInfo:
    """Logs a model with its files, as one that the active run made, if there is one.

    Args:
        python_model: as of :func:`save_model`, which has the arguments that are not here as well.
        artifact_path: older name of ``name``.
        artifacts: see :func:`save_model`.
        model_config: see :func:`save_model`.
        name: of the logged model; default: a random one.
        registered_model_name: also make a version of this registered model.
        signature: see :func:`save_model`, as the following four.
        input_example: see there.
        pip_requirements: see there.
        metadata: see there.
        code_paths: see there.
        params: of the logged model; values become text.
        tags: of the logged model; values become text.
        model_type: of the logged model.
        step: of the run, at which it was made.

    Returns:
        Its id, and ``model_uri`` for :func:`load_model`. The files are stored then.
    """
    return log(
        FLAVOR,
        python_model,
        Description(signature, input_example, metadata, pip_requirements, code_paths),
        name=name or artifact_path,
        registered_model_name=registered_model_name,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        artifacts=artifacts,
        model_config=model_config,
    )


def load_model(
    model_uri: str | Path,
    dst_path: str | Path | None = None,
    *,
    model_config: Mapping[str, Any] | None = None,
) -> PyFuncModel:
    """A model of any flavour that Headrace has; arguments as of :func:`headrace.sklearn.load_model`.

    ``model_config``: values that replace those that a :class:`PythonModel` was saved with.
    """
    path = fetched(model_uri, dst_path)
    told = folders.read(path)
    found = next((name for name in _FLAVORS if name in told["flavors"]), None)
    if found is not None:
        flavor: Flavor = import_module(f"headrace.{found}").FLAVOR
        return PyFuncModel(flavor.load(path), flavor, told)
    if FLAVOR.name not in told["flavors"]:
        raise InvalidArgumentError(
            "model", f"has the flavors {', '.join(told['flavors'])}; Headrace has {', '.join(_FLAVORS)}"
        )
    return PyFuncModel(FLAVOR.load(path, model_config=model_config), FLAVOR, told)
