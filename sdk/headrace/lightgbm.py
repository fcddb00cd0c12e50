"""LightGBM models, as ``mlflow.lightgbm``: a ``Booster`` as LightGBM's text, which runs nothing when loaded.

A model of LightGBM's scikit-learn interface is an object of Python: skops where it is installed, else pickle.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.models import pickles
from headrace.models.flavor import Flavor, library
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature
from headrace.models.storing import ModelInfo, fetched, log

_BOOSTER = "lightgbm.basic.Booster"
_TRUSTED = (
    "collections.OrderedDict",
    "collections.defaultdict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMModel",
    "lightgbm.sklearn.LGBMRanker",
    "lightgbm.sklearn.LGBMRegressor",
)


def _write(model: Any, folder: Path, serialization_format: str | None) -> tuple[dict[str, Any], str]:
    how: str | None
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if kind == _BOOSTER:
        how, name, trusted = None, "model.lgb", None
        model.save_model(folder / name)
    else:
        how, name, trusted = pickles.write(model, folder, serialization_format, _TRUSTED, "sklearn")
    told = {
        "lgb_version": library("lightgbm").__version__,
        "data": name,
        "model_class": kind,
        "serialization_format": how,
        "skops_trusted_types": trusted,
        "code": None,
    }
    return told, name


def _read(folder: Path, told: dict[str, Any]) -> Any:
    path = inside(folder, told["data"])
    if told.get("model_class", _BOOSTER) == _BOOSTER:
        return library("lightgbm").Booster(model_file=path)
    how = told.get("serialization_format") or "cloudpickle"
    return pickles.load(path, how, told.get("skops_trusted_types"))


FLAVOR = Flavor(
    "lightgbm", ("lightgbm", "numpy", "scipy", "scikit-learn", "skops", "cloudpickle"), _write, _read
)


def save_model(
    lgb_model: Any,
    path: str | Path,
    *,
    serialization_format: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read too, as :func:`headrace.sklearn.save_model`.

    ``serialization_format`` is of models of scikit-learn's interface: a ``Booster`` has a format of its own.
    """
    description = Description(signature, input_example, metadata, pip_requirements, code_paths)
    FLAVOR.save(lgb_model, path, description, serialization_format=serialization_format)


def log_model(
    lgb_model: Any,
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
) -> ModelInfo:
    """Logs a model with its files, as one that the active run made, if there is one.

    Args:
        lgb_model: as of :func:`save_model`, which has the arguments that are not here as well.
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

    Returns:
        Its id, and ``model_uri`` for :func:`load_model`. The files are stored then.
    """
    return log(
        FLAVOR,
        lgb_model,
        Description(signature, input_example, metadata, pip_requirements, code_paths),
        name=name or artifact_path,
        registered_model_name=registered_model_name,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        serialization_format=serialization_format,
    )


def load_model(model_uri: str | Path, dst_path: str | Path | None = None) -> Any:
    """A logged or registered model, or that of a folder, written here or by MLflow.

    Args:
        model_uri: ``models:/<model_id>``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``,
            ``runs:/RUN_ID/PATH`` or a local folder.
        dst_path: where to download to; default: a new temporary folder.
    """
    return FLAVOR.load(fetched(model_uri, dst_path))
