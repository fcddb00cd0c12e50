"""Keras models, as ``mlflow.keras``: in Keras's own format, which runs nothing when it is loaded safely."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models.flavor import Flavor, library
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature
from headrace.models.storing import ModelInfo, fetched, log


def _write(model: Any, folder: Path) -> tuple[dict[str, Any], str]:
    keras = library("keras")
    if not isinstance(model, keras.Model):
        raise InvalidArgumentError("model", f"is a {type(model).__name__}; expected a keras.Model")
    name = "data/model.keras"
    (folder / "data").mkdir()
    model.save(folder / name)
    (folder / "data/keras_module.txt").write_text("keras")
    told = {
        "data": "data",
        "keras_version": keras.__version__,
        "keras_backend": keras.backend.backend(),
        "save_exported_model": False,
    }
    return told, name


def _read(folder: Path, told: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    if told.get("save_exported_model"):
        raise InvalidArgumentError("model", "was exported for TensorFlow; Headrace reads Keras's own format")
    path = inside(folder, f"{told['data']}/model.keras")
    return library("keras").saving.load_model(path, custom_objects=custom_objects, safe_mode=True)


def _predict(model: Any, data: Any, params: Mapping[str, Any] | None) -> Any:
    if params:
        raise InvalidArgumentError("params", "is not for models of Keras")
    if not hasattr(data, "columns"):
        return model.predict(data, verbose=0)
    return type(data)(model.predict(data.to_numpy(), verbose=0), index=data.index)


FLAVOR = Flavor("keras", ("keras", "numpy", "torch", "tensorflow", "jax"), _write, _read, _predict)


def save_model(
    model: Any,
    path: str | Path,
    *,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read too, as :func:`headrace.sklearn.save_model`."""
    FLAVOR.save(model, path, Description(signature, input_example, metadata, pip_requirements, code_paths))


def log_model(
    model: Any,
    artifact_path: str | None = None,
    *,
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
        model: as of :func:`save_model`, which has the arguments that are not here as well.
        artifact_path: older name of ``name``.
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
        model,
        Description(signature, input_example, metadata, pip_requirements, code_paths),
        name=name or artifact_path,
        registered_model_name=registered_model_name,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
    )


def load_model(
    model_uri: str | Path,
    dst_path: str | Path | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Any:
    """A model that was written here or by MLflow; arguments as of :func:`headrace.sklearn.load_model`.

    ``custom_objects``: classes and functions of one's own, by name. Keras's ``safe_mode`` is on: a model with
    code in it (``Lambda`` layers) is refused.
    """
    return FLAVOR.load(fetched(model_uri, dst_path), custom_objects=custom_objects)
