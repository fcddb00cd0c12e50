"""XGBoost models, as ``mlflow.xgboost``: in XGBoost's own format, which runs nothing when it is loaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models.flavor import Flavor, library
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature
from headrace.models.storing import ModelInfo, fetched, log

_CLASSES = (
    "Booster",
    "XGBModel",
    "XGBClassifier",
    "XGBRegressor",
    "XGBRanker",
    "XGBRFClassifier",
    "XGBRFRegressor",
)


def _write(model: Any, folder: Path, model_format: str) -> tuple[dict[str, Any], str]:
    if type(model).__name__ not in _CLASSES:
        raise InvalidArgumentError(
            "xgb_model", f"is a {type(model).__name__}; expected one of {', '.join(_CLASSES)}"
        )
    name = f"model.{model_format}"
    model.save_model(folder / name)
    told = {
        "xgb_version": library("xgboost").__version__,
        "data": name,
        "model_class": f"{type(model).__module__}.{type(model).__name__}",
        "model_format": model_format,
        "code": None,
    }
    return told, name


def _read(folder: Path, told: dict[str, Any]) -> Any:
    name = str(told.get("model_class", "xgboost.core.Booster")).rpartition(".")[2]
    if name not in _CLASSES:
        raise InvalidArgumentError("model", f"is of the class {name!r}, which is none of XGBoost's")
    model = getattr(library("xgboost"), name)()
    model.load_model(inside(folder, told["data"]))
    return model


def _predict(model: Any, data: Any, params: Mapping[str, Any] | None) -> Any:
    if params:
        raise InvalidArgumentError("params", "is not for models of XGBoost")
    return model.predict(library("xgboost").DMatrix(data) if type(model).__name__ == "Booster" else data)


FLAVOR = Flavor("xgboost", ("xgboost", "numpy", "scipy"), _write, _read, _predict)


def save_model(
    xgb_model: Any,
    path: str | Path,
    *,
    model_format: str = "ubj",
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    code_paths: Sequence[str | Path] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read too, as :func:`headrace.sklearn.save_model`.

    ``xgb_model``: a ``Booster``, or a model of scikit-learn's interface; ``model_format``: "ubj" or "json".
    """
    description = Description(signature, input_example, metadata, pip_requirements, code_paths)
    FLAVOR.save(xgb_model, path, description, model_format=model_format)


def log_model(
    xgb_model: Any,
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
    model_format: str = "ubj",
) -> ModelInfo:
    """Logs a model with its files, as one that the active run made, if there is one.

    Args:
        xgb_model: as of :func:`save_model`, which has the arguments that are not here as well.
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
        model_format: see :func:`save_model`.

    Returns:
        Its id, and ``model_uri`` for :func:`load_model`. The files are stored then.
    """
    return log(
        FLAVOR,
        xgb_model,
        Description(signature, input_example, metadata, pip_requirements, code_paths),
        name=name or artifact_path,
        registered_model_name=registered_model_name,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        model_format=model_format,
    )


def load_model(model_uri: str | Path, dst_path: str | Path | None = None) -> Any:
    """A logged or registered model, or that of a folder, written here or by MLflow.

    Args:
        model_uri: ``models:/<model_id>``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``,
            ``runs:/RUN_ID/PATH`` or a local folder.
        dst_path: where to download to; default: a new temporary folder.
    """
    return FLAVOR.load(fetched(model_uri, dst_path))
