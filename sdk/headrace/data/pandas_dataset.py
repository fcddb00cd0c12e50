"""Datasets of pandas data frames."""

from os import PathLike
from typing import Any

from headrace.data.dataset_source import DatasetSource
from headrace.data.digest_utils import compute_pandas_digest
from headrace.data.resolving import resolved
from headrace.data.tables import TableDataset
from headrace.types.infer import infer_schema
from headrace.types.schema import Schema


class PandasDataset(TableDataset):
    """A data frame of pandas."""

    def _compute_digest(self) -> str:
        return compute_pandas_digest(self.df)

    def _infer_schema(self) -> Schema:
        return infer_schema(self.df)

    @property
    def profile(self) -> dict[str, int]:
        """How many rows and values there are."""
        return {"num_rows": len(self.df), "num_elements": int(self.df.size)}


def from_pandas(  # noqa: PLR0917 - MLflow's order
    df: Any,
    source: str | PathLike[str] | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PandasDataset:
    """A dataset of a data frame.

    Args:
        df: the data frame.
        source: a path, a URI or a :class:`DatasetSource`; default: this program.
        targets: the column that is to be predicted.
        name: default: "dataset".
        digest: default: computed from the data.
        predictions: the column of predictions.
    """
    return PandasDataset(df, resolved(source), targets, name, digest, predictions)
