"""Datasets of Polars data frames."""

from importlib import import_module
from os import PathLike
from typing import Any

from headrace.data.dataset_source import DatasetSource
from headrace.data.resolving import resolved
from headrace.data.tables import TableDataset
from headrace.errors import InvalidArgumentError
from headrace.types.schema import Array, ColSpec, DataType, Object, Property, Schema, Type

_TYPES = {
    "Binary": DataType.binary,
    "Boolean": DataType.boolean,
    "Datetime": DataType.datetime,
    "Float32": DataType.float,
    "Float64": DataType.double,
    "Int8": DataType.integer,
    "Int16": DataType.integer,
    "Int32": DataType.integer,
    "Int64": DataType.long,
    "String": DataType.string,
    "Categorical": DataType.string,
    "Enum": DataType.string,
    "Date": DataType.datetime,
    "UInt8": DataType.integer,
    "UInt16": DataType.integer,
    "UInt32": DataType.long,
}
"""MLflow's; those from Categorical on are close, not exact."""


class PolarsDataset(TableDataset):
    """A data frame of Polars."""

    def _compute_digest(self) -> str:
        return str(self.df.hash_rows().sum())

    def _infer_schema(self) -> Schema:
        return Schema([
            ColSpec(_type(column.dtype), column.name, column.count() > 0) for column in self.df.get_columns()
        ])  # fmt: skip

    @property
    def profile(self) -> dict[str, int]:
        """How many rows and values there are."""
        return {"num_rows": self.df.height, "num_elements": self.df.height * self.df.width}


def from_polars(  # noqa: PLR0917 - MLflow's order
    df: Any,
    source: str | PathLike[str] | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PolarsDataset:
    """A dataset of a data frame. Arguments as of :func:`from_pandas`."""
    return PolarsDataset(df, resolved(source), targets, name, digest, predictions)


def _type(dtype: Any) -> Type:
    polars = import_module("polars")
    if found := _TYPES.get(type(dtype).__name__):
        return found
    if isinstance(dtype, polars.List | polars.Array):
        return Array(_type(dtype.inner))
    if isinstance(dtype, polars.Struct):
        return Object([Property(field.name, _type(field.dtype)) for field in dtype.fields])
    raise InvalidArgumentError("df", f"has a column of type {dtype}, which no schema has")
