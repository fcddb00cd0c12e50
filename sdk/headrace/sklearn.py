"""scikit-learn models, as ``mlflow.sklearn``: skops where it is installed, else pickle, which is said."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.models import pickles
from headrace.models.flavor import Flavor, library
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature
from headrace.models.storing import ModelInfo, fetched, log


def _write(
    model: Any, folder: Path, serialization_format: str | None, skops_trusted_types: Sequence[str] | None
) -> tuple[dict[str, Any], str]:
    how, name, trusted = pickles.write(
        model, folder, serialization_format, skops_trusted_types or (), "sklearn"
    )
    told = {
        "pickled_model": name,
        "sklearn_version": library("sklearn", "scikit-learn").__version__,
        "serialization_format": how,
        "skops_trusted_types": trusted,
        "code": None,
    }
    return told, name


def _read(folder: Path, told: dict[str, Any]) -> Any:
    path = inside(folder, told["pickled_model"])
    return pickles.load(path, told.get("serialization_format", "pickle"), told.get("skops_trusted_types"))


FLAVOR = Flavor("sklearn", ("scikit-learn", "numpy", "scipy", "skops", "cloudpickle"), _write, _read)


def save_model(
    sk_model: Any,
    path: str | Path,
    *,
    serialization_format: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
    skops_trusted_types: Sequence[str] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read as well.

    Args:
        sk_model: an estimator or a pipeline.
        path: the folder, new or empty.
        serialization_format: "skops" (the default where it is installed and takes the model), "cloudpickle"
            or "pickle".
        signature: what it takes and gives (:func:`headrace.models.infer_signature`).
        input_example: a data frame, an array, or what JSON knows.
        pip_requirements: lines of ``requirements.txt``; default: the libraries it needs, as installed.
        metadata: anything that JSON knows.
        code_paths: files and folders of Python that the model needs, to be stored with it; loading it has
            ``import`` find them.
        skops_trusted_types: types besides scikit-learn's that loading may trust.
    """
    description = Description(signature, input_example, metadata, pip_requirements, code_paths)
    FLAVOR.save(
        sk_model,
        path,
        description,
        serialization_format=serialization_format,
        skops_trusted_types=skops_trusted_types,
    )


def log_model(
    sk_model: Any,
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
    serialization_format: str | None = None,
    skops_trusted_types: Sequence[str] | None = None,
) -> ModelInfo:
    """Logs a model with its files, as one that the active run made, if there is one.

    Args:
        sk_model: as of :func:`save_model`, which has the arguments that are not here as well.
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
        serialization_format: see :func:`save_model`.
        skops_trusted_types: see there.

    Returns:
        Its id, and ``model_uri`` for :func:`load_model`. The files are stored then.
    """
    return log(
        FLAVOR,
        sk_model,
        Description(signature, input_example, metadata, pip_requirements, code_paths),
        name=name or artifact_path,
        registered_model_name=registered_model_name,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        serialization_format=serialization_format,
        skops_trusted_types=skops_trusted_types,
    )


def load_model(model_uri: str | Path, dst_path: str | Path | None = None) -> Any:
    """A logged or registered model, or that of a folder, written here or by MLflow.

    Args:
        model_uri: ``models:/<model_id>``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``,
            ``runs:/RUN_ID/PATH`` or a local folder.
        dst_path: where to download to; default: a new temporary folder.
    """
    return FLAVOR.load(fetched(model_uri, dst_path))
