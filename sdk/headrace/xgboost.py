"""XGBoost models, as ``mlflow.xgboost``: in XGBoost's own format, which runs nothing when it is loaded."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.models.flavor import Flavor
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature

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
        "xgb_version": import_module("xgboost").__version__,
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
    model = getattr(import_module("xgboost"), name)()
    model.load_model(inside(folder, told["data"]))
    return model


FLAVOR = Flavor("xgboost", ("xgboost", "numpy", "scipy"), _write, _read)


def save_model(
    xgb_model: Any,
    path: str | Path,
    *,
    model_format: str = "ubj",
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Sequence[str] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read too, as :func:`headrace.sklearn.save_model`.

    ``xgb_model``: a ``Booster``, or a model of scikit-learn's interface; ``model_format``: "ubj" or "json".
    """
    description = Description(signature, input_example, metadata, pip_requirements)
    FLAVOR.save(xgb_model, path, description, model_format=model_format)


def load_model(path: str | Path) -> Any:
    """The model of a folder that this or MLflow wrote."""
    return FLAVOR.load(path)
