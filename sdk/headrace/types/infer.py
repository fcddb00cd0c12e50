"""The schema of data, by MLflow's rules. NumPy and pandas are used when the data comes from them."""

import datetime as dt
import math
import sys
from collections.abc import Sequence
from functools import reduce
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Object,
    Property,
    Schema,
    TensorSpec,
    Type,
)

_SCALARS: dict[type, DataType] = {
    bool: DataType.boolean,
    int: DataType.long,
    float: DataType.double,
    str: DataType.string,
    bytes: DataType.binary,
    bytearray: DataType.binary,
    dt.date: DataType.datetime,
    dt.datetime: DataType.datetime,
}

_NUMPY_SCALARS = {
    "bool": DataType.boolean,
    "int64": DataType.long,
    "int32": DataType.integer,
    "float64": DataType.double,
    "float32": DataType.float,
    "str_": DataType.string,
    "bytes_": DataType.binary,
    "datetime64": DataType.datetime,
}


def infer_schema(data: Any) -> Schema:  # noqa: PLR0911 - a table
    """The schema of a data frame, a series, an array, arrays by name, or plain lists and dictionaries.

    Raises:
        InvalidArgumentError: there is none: a type is unknown, or a list has values of several types.
    """
    if _is_of("pandas", "DataFrame", data):
        return Schema([_column(data[name], name) for name in data.columns])
    if _is_of("pandas", "Series", data):
        return Schema([_column(data, data.name)])
    if _is_of("numpy", "ndarray", data):
        return Schema([_tensor(data)])
    if hasattr(data, "tocsr") and hasattr(data, "dtype"):  # a sparse matrix of SciPy
        return Schema([_tensor(data)])
    if isinstance(data, dict) and data and all(_is_of("numpy", "ndarray", one) for one in data.values()):
        return Schema([_tensor(one, name) for name, one in data.items()])
    if isinstance(data, dict):
        return Schema([ColSpec(_known(one), name, not _is_missing(one)) for name, one in data.items()])
    if isinstance(data, list):
        return _of_list(data)
    return Schema([ColSpec(_known(data))])


def infer_type(value: Any) -> Type | None:
    """The type of a value; ``None``: an array that says nothing."""
    if _is_missing(value) or (isinstance(value, list | dict) and not value):
        return AnyType()
    if isinstance(value, dict):
        kinds = {name: _known(one) for name, one in value.items()}
        return Object([Property(name, kind, not isinstance(kind, AnyType)) for name, kind in kinds.items()])
    if isinstance(value, list) or _is_of("numpy", "ndarray", value):
        found = [kind for kind in map(infer_type, value) if kind is not None]
        return Array(reduce(_merged, found)) if found else None
    kind = _SCALARS.get(type(value))
    if kind is None and type(value).__module__ == "numpy":
        kind = _NUMPY_SCALARS.get(type(value).__name__)
    if kind is None and isinstance(value, dt.date):  # a Timestamp of pandas
        kind = DataType.datetime
    if kind is None:
        raise InvalidArgumentError("data", f"holds a {type(value).__name__}, which has no type in a schema")
    return kind


def _of_list(data: list[Any]) -> Schema:
    if not data:
        return Schema([ColSpec(DataType.string)])
    if all(isinstance(row, dict) for row in data):
        columns: dict[str, list[Any]] = {}
        for row in data:
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        return Schema([
            ColSpec(_items(values), name, all(row.get(name) is not None for row in data))
            for name, values in columns.items()
        ])  # fmt: skip
    return Schema([ColSpec(_items(data))])


def _items(values: Sequence[Any]) -> Type:
    kind = _known(list(values))
    return kind.dtype if isinstance(kind, Array) else kind


def _known(value: Any) -> Type:
    kind = infer_type(value)
    if kind is None:
        raise InvalidArgumentError("data", "holds an array without values, which has no type")
    return kind


def _merged(one: Type, other: Type) -> Type:
    """The type of a list that holds both."""
    match one, other:
        case _ if one == other:
            return one
        case AnyType(), _:
            return _optional(other)
        case _, AnyType():
            return _optional(one)
        case Array(), Array():
            return Array(_merged(one.dtype, other.dtype))
        case Object(), Object():
            return _merged_objects(one, other)
    raise InvalidArgumentError("data", f"holds a list of values of several types: {one} and {other}")


def _merged_objects(one: Object, other: Object) -> Object:
    mine, theirs = ({each.name: each for each in both.properties} for both in (one, other))
    merged = []
    for name in mine | theirs:
        if name in mine and name in theirs:
            kind = _merged(mine[name].dtype, theirs[name].dtype)
            merged.append(Property(name, kind, mine[name].required and theirs[name].required))
        else:
            merged.append(Property(name, (mine.get(name) or theirs[name]).dtype, required=False))
    return Object(merged)


def _optional(kind: Type) -> Type:
    if isinstance(kind, Object):
        return Object([Property(each.name, each.dtype, required=False) for each in kind.properties])
    return kind


def _column(column: Any, name: Any) -> ColSpec:
    if column.dtype.kind == "O":
        column = column.infer_objects()
    required = not bool(column.isna().any())
    if column.dtype.kind != "O":
        return ColSpec(_of_dtype(column.dtype), name, required)
    try:
        return ColSpec(_items(column.to_list()), name, required)
    except InvalidArgumentError:
        pandas = sys.modules["pandas"]
        if pandas.api.types.is_string_dtype(column):
            return ColSpec(DataType.string, name, required)
        raise


def _of_dtype(dtype: Any) -> DataType:  # noqa: PLR0911 - a table
    """The type of a column of NumPy's or pandas' type."""
    kind, size = dtype.kind, getattr(dtype, "itemsize", 8)
    match kind:
        case "b":
            return DataType.boolean
        case "i" | "u" if size < 4 or (kind == "i" and size == 4):
            return DataType.integer
        case "i" | "u" if size < 8 or kind == "i":
            return DataType.long
        case "f" if size <= 8:
            return DataType.float if size <= 4 else DataType.double
        case "U":
            return DataType.string
        case "S":
            return DataType.binary
        case "M":
            return DataType.datetime
    raise InvalidArgumentError("data", f"has a column of type {dtype}, which no schema has")


def _tensor(array: Any, name: str | None = None) -> TensorSpec:
    if not array.shape:
        raise InvalidArgumentError("data", "is an array without dimensions; the first one is that of rows")
    kind = {"U": "str", "S": "bytes"}.get(array.dtype.char) or array.dtype.name
    return TensorSpec(kind, (-1, *map(int, array.shape[1:])), name)


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    pandas = sys.modules.get("pandas")
    return value is None or (pandas is not None and (value is pandas.NA or value is pandas.NaT))


def _is_of(module: str, name: str, value: Any) -> bool:
    """Whether a value is of a class of a module, which is loaded if it is."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))
