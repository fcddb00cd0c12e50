"""Datasets of Hugging Face's ``datasets``."""

import json
from os import PathLike
from typing import Any

from headrace.data.dataset import Dataset
from headrace.data.dataset_source import DatasetSource
from headrace.data.digest_utils import MAX_ROWS, compute_pandas_digest
from headrace.data.huggingface_dataset_source import HuggingFaceDatasetSource
from headrace.data.resolving import resolved
from headrace.errors import InvalidArgumentError
from headrace.types.infer import infer_schema
from headrace.types.schema import Schema


class HuggingFaceDataset(Dataset):
    """A ``datasets.Dataset`` (``ds``); ``targets`` names a column of it."""

    def __init__(
        self,
        ds: Any,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        if targets is not None and targets not in ds.column_names:
            raise InvalidArgumentError("targets", f"is {targets!r}, and the dataset has no such column")
        self.ds = ds
        self.targets = targets
        super().__init__(source, name, digest)

    def _head(self) -> Any:
        return next(self.ds.to_pandas(batch_size=MAX_ROWS, batched=True))

    def _compute_digest(self) -> str:
        return compute_pandas_digest(self._head())

    @property
    def schema(self) -> Schema | None:
        """The columns; ``None`` where they have no schema."""
        try:
            return infer_schema(self._head())
        except InvalidArgumentError:
            return None

    @property
    def profile(self) -> dict[str, Any]:
        """How many rows and bytes there are."""
        return {name: getattr(self.ds, name) for name in ("num_rows", "dataset_size", "size_in_bytes")}

    def to_dict(self) -> dict[str, Any]:
        """What is logged."""
        schema = self.schema
        described = None if schema is None else json.dumps({"mlflow_colspec": schema.to_dict()})
        return {**super().to_dict(), "schema": described, "profile": json.dumps(self.profile)}


def from_huggingface(  # noqa: PLR0917 - MLflow's order
    ds: Any,
    path: str | None = None,
    targets: str | None = None,
    data_dir: str | None = None,
    data_files: Any = None,
    revision: Any = None,
    name: str | None = None,
    digest: str | None = None,
    trust_remote_code: bool | None = None,
    source: str | PathLike[str] | DatasetSource | None = None,
) -> HuggingFaceDataset:
    """A dataset of a ``datasets.Dataset``.

    Args:
        ds: the dataset; of a ``DatasetDict``, one of its splits.
        path: its name on the hub, which with ``data_dir``, ``data_files`` and ``revision`` is the source.
        targets: the column that is to be predicted.
        data_dir: of the source.
        data_files: of the source.
        revision: of the source.
        name: default: "dataset".
        digest: default: computed from the data.
        trust_remote_code: for loading it again.
        source: a path, a URI or a :class:`DatasetSource`, instead of ``path``; default: this program.
    """
    if not hasattr(ds, "column_names") or isinstance(ds.column_names, dict):
        raise InvalidArgumentError("ds", f"is a {type(ds).__name__}; expected a datasets.Dataset")
    if source is None and path is not None:
        config, split = ds.config_name, ds.split
        of_hub = HuggingFaceDatasetSource(
            path, config, data_dir, data_files, split, revision, trust_remote_code
        )
        return HuggingFaceDataset(ds, of_hub, targets, name, digest)
    return HuggingFaceDataset(ds, resolved(source), targets, name, digest)
