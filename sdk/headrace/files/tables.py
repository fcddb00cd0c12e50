"""Tables as files: JSON in pandas' orientation "split", as MLflow has it, and Parquet through pandas."""

import io
import json
import math
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.errors import InvalidArgumentError
from headrace.files import images

Columns = dict[str, list[Any]]


def columns_of(data: Any) -> Columns:
    """The columns of a dict of lists (or of single values: one row), a data frame, a list of dicts (rows), or
    an array (its columns have numbers).
    """
    if callable(getattr(data, "to_dict", None)) and hasattr(data, "columns"):
        return {str(name): list(data[name]) for name in data.columns}
    if isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        return joined([{str(name): [value] for name, value in row.items()} for row in data])
    if getattr(data, "ndim", 0) == 2:
        return {str(at): list(data[:, at]) for at in range(data.shape[1])}
    if not isinstance(data, Mapping):
        raise InvalidArgumentError("data", f"is a {type(data).__name__}; expected a dict or a data frame")
    columns = {str(name): _values(given) for name, given in data.items()}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise InvalidArgumentError("data", f"has columns of different lengths, {sorted(lengths)}")
    return columns


def _values(given: Any) -> list[Any]:
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
        return [given]
    return list(given)


def joined(parts: Sequence[Columns]) -> Columns:
    """The rows of all parts, one below the other; ``None`` where one lacks a column."""
    every = {name: None for part in parts for name in part}
    rows = [len(next(iter(part.values()), [])) for part in parts]
    return {
        name: [
            value for part, count in zip(parts, rows, strict=True) for value in part.get(name, [None] * count)
        ]
        for name in every
    }


def pictures(columns: Columns, path: str) -> tuple[Columns, dict[str, bytes]]:
    """The table with references in place of its images, and the files that these name, as MLflow has them.

    Raises:
        InvalidArgumentError: a column has images and other things, or an image cannot be written.
    """
    files: dict[str, bytes] = {}
    found = dict(columns)
    for name, column in columns.items():
        which = [images.is_image(value) for value in column]
        if not any(which):
            continue
        if not all(which):
            raise InvalidArgumentError("data", f"has images and other things in the column {name!r}")
        found[name] = [_pictured(images.pillow(value), path, files) for value in column]
    return found, files


def _pictured(image: Any, path: str, files: dict[str, bytes]) -> dict[str, str]:
    at = f"table_images/{path.rpartition('.')[0]}/{uuid.uuid4()}"
    full, small = f"{at}.png", f"{at}.webp"
    files[full], files[small] = images.encoded(image, full), images.encoded(images.small(image), small)
    return {"type": "image", "filepath": full, "compressed_filepath": small}


def to_json(columns: Columns) -> bytes:
    """A table as a JSON text."""
    rows = [list(row) for row in zip(*columns.values(), strict=True)]
    return json.dumps({"columns": list(columns), "data": rows}, default=_plain).encode()


def from_json(data: bytes) -> Columns:
    """The inverse of :func:`to_json`."""
    try:
        table = json.loads(data)
        return {name: [row[at] for row in table["data"]] for at, name in enumerate(table["columns"])}
    except (ValueError, KeyError, TypeError, IndexError):
        raise InvalidArgumentError("artifact_file", "is a file that holds no table") from None


def encoded(columns: Columns, path: str) -> bytes:
    """A table in the format of the name: ``.json`` or ``.parquet``."""
    if path.endswith(".json"):
        return to_json(columns)
    buffer = io.BytesIO()
    _pandas(path).DataFrame(columns).to_parquet(buffer)
    return buffer.getvalue()


def decoded(data: bytes, path: str) -> Columns:
    """The inverse of :func:`encoded`."""
    if path.endswith(".json"):
        return from_json(data)
    return columns_of(_pandas(path).read_parquet(io.BytesIO(data)))


def frame(columns: Columns) -> Any:
    """A pandas data frame."""
    return _pandas("").DataFrame(columns)


def _pandas(path: str) -> Any:
    if path and not path.endswith(".parquet"):
        raise InvalidArgumentError("artifact_file", f"is {path!r}; a table can be .json or .parquet")
    try:
        import pandas as pd  # noqa: PLC0415 - an extra of the user's
    except ImportError:
        raise InvalidArgumentError("artifact_file", "needs pandas: pip install pandas") from None
    return pd


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's, and everything else as text."""
    item = getattr(value, "item", None)
    if callable(item):
        plain = item()
        return None if isinstance(plain, float) and math.isnan(plain) else plain
    if callable(getattr(value, "tolist", None)):
        return value.tolist()
    return str(value)
