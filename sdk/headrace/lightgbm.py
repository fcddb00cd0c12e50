"""LightGBM models, as ``mlflow.lightgbm``: a ``Booster`` as LightGBM's text, which runs nothing when loaded.

A model of LightGBM's scikit-learn interface is an object of Python: skops where it is installed, else pickle.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.models import pickles
from headrace.models.flavor import Flavor
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature

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
    kind = f"{type(model).__module__}.{type(model).__name__}"
    if kind == _BOOSTER:
        how, name = None, "model.lgb"
        model.save_model(folder / name)
    else:
        how = pickles.chosen(serialization_format)
        name = pickles.FORMATS[how]
        pickles.save(model, folder / name, how)
    told = {
        "lgb_version": import_module("lightgbm").__version__,
        "data": name,
        "model_class": kind,
        "serialization_format": how,
        "skops_trusted_types": list(_TRUSTED) if how == "skops" else None,
        "code": None,
    }
    return told, name


def _read(folder: Path, told: dict[str, Any]) -> Any:
    path = inside(folder, told["data"])
    if told.get("model_class", _BOOSTER) == _BOOSTER:
        return import_module("lightgbm").Booster(model_file=path)
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
) -> None:
    """Writes a model into a folder that MLflow's loaders read too, as :func:`headrace.sklearn.save_model`.

    ``serialization_format`` is of models of scikit-learn's interface: a ``Booster`` has a format of its own.
    """
    description = Description(signature, input_example, metadata, pip_requirements)
    FLAVOR.save(lgb_model, path, description, serialization_format=serialization_format)


def load_model(path: str | Path) -> Any:
    """The model of a folder that this or MLflow wrote."""
    return FLAVOR.load(path)
