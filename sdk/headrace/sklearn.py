"""scikit-learn models, as ``mlflow.sklearn``: skops where it is installed, else pickle, which is said."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.models import pickles
from headrace.models.flavor import Flavor
from headrace.models.folder import Description, inside
from headrace.models.signature import ModelSignature


def _write(
    model: Any, folder: Path, serialization_format: str | None, skops_trusted_types: Sequence[str] | None
) -> tuple[dict[str, Any], str]:
    how = pickles.chosen(serialization_format)
    name = pickles.FORMATS[how]
    pickles.save(model, folder / name, how)
    told = {
        "pickled_model": name,
        "sklearn_version": import_module("sklearn").__version__,
        "serialization_format": how,
        "skops_trusted_types": list(skops_trusted_types) if skops_trusted_types else None,
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
    skops_trusted_types: Sequence[str] | None = None,
) -> None:
    """Writes a model into a folder that MLflow's loaders read as well.

    Args:
        sk_model: an estimator or a pipeline.
        path: the folder, new or empty.
        serialization_format: "skops" (the default where it is installed), "cloudpickle" or "pickle".
        signature: what it takes and gives (:func:`headrace.models.infer_signature`).
        input_example: a data frame, an array, or what JSON knows.
        pip_requirements: lines of ``requirements.txt``; default: the libraries it needs, as installed.
        metadata: anything that JSON knows.
        skops_trusted_types: types besides scikit-learn's that loading may trust.
    """
    description = Description(signature, input_example, metadata, pip_requirements)
    FLAVOR.save(
        sk_model,
        path,
        description,
        serialization_format=serialization_format,
        skops_trusted_types=skops_trusted_types,
    )


def load_model(path: str | Path) -> Any:
    """The model of a folder that this or MLflow wrote. A pickle is loaded with a warning: it runs code."""
    return FLAVOR.load(path)
