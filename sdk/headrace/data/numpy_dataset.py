"""Datasets of NumPy arrays."""

import json
from os import PathLike
from typing import Any

from headrace.data.dataset import Dataset
from headrace.data.dataset_source import DatasetSource
from headrace.data.digest_utils import compute_numpy_digest
from headrace.data.resolving import resolved
from headrace.errors import InvalidArgumentError
from headrace.types.infer import infer_schema
from headrace.types.schema import Schema


class TensorDatasetSchema:
    """The schemas of features and targets."""

    def __init__(self, features: Schema, targets: Schema | None = None) -> None:
        self.features = features
        self.targets = targets

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        targets = None if self.targets is None else self.targets.to_json()
        return {"mlflow_tensorspec": {"features": self.features.to_json(), "targets": targets}}


class NumpyDataset(Dataset):
    """Features and maybe targets: arrays, or arrays by name."""

    def __init__(
        self,
        features: Any,
        source: DatasetSource,
        targets: Any = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        self.features = features
        self.targets = targets
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return compute_numpy_digest(self.features, self.targets)

    @property
    def profile(self) -> dict[str, Any]:
        """Shape, size and bytes of features and targets."""
        given = {"features": self.features, "targets": self.targets}
        return {
            f"{kind}_{attribute}": _attribute(data, attribute)
            for kind, data in given.items()
            if data is not None
            for attribute in ("shape", "size", "nbytes")
        }

    @property
    def schema(self) -> TensorDatasetSchema | None:
        """The tensors; ``None`` where they have no schema."""
        try:
            targets = None if self.targets is None else infer_schema(self.targets)
            return TensorDatasetSchema(infer_schema(self.features), targets)
        except InvalidArgumentError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """What is logged."""
        schema = self.schema
        described = None if schema is None else json.dumps(schema.to_dict())
        return {**super().to_dict(), "schema": described, "profile": json.dumps(self.profile)}


def from_numpy(
    features: Any,
    source: str | PathLike[str] | DatasetSource | None = None,
    targets: Any = None,
    name: str | None = None,
    digest: str | None = None,
) -> NumpyDataset:
    """A dataset of arrays.

    Args:
        features: an array, or arrays by name.
        source: a path, a URI or a :class:`DatasetSource`; default: this program.
        targets: an array, or arrays by name.
        name: default: "dataset".
        digest: default: computed from the data.
    """
    return NumpyDataset(features, resolved(source), targets, name, digest)


def _attribute(data: Any, name: str) -> Any:
    if isinstance(data, dict):
        return {key: getattr(array, name) for key, array in data.items()}
    return getattr(data, name)
