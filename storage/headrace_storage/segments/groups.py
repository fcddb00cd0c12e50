"""Row groups of objects as their statistics tell them: what a reader skips, and in which order it reads."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import pyarrow.parquet as pq

from headrace_storage.model import Rows
from headrace_storage.segments.parquet import opened, read_groups
from headrace_storage.segments.schema import SCHEMA

_LEAST: Final = -(1 << 63)
_MOST: Final = (1 << 63) - 1
_LAST_TEXT: Final = "\U0010ffff" * 251
"""After every run id and every key, which have up to 250 characters."""


class Group(NamedTuple):
    """A row group of an object: its number, and bounds (both ends in them) of what its rows hold."""

    number: int
    rows: int
    runs: tuple[str, str]
    keys: tuple[str, str]
    steps: tuple[int, int]


def groups_in(file: Any) -> list[Group]:
    """The row groups of an opened object that have rows."""
    with opened(file) as parquet:
        groups = [parquet.metadata.row_group(number) for number in range(parquet.metadata.num_row_groups)]
        return [
            Group(
                number,
                group.num_rows,
                _bounds(group, "run_id", ("", _LAST_TEXT)),
                _bounds(group, "key", ("", _LAST_TEXT)),
                _bounds(group, "step", (_LEAST, _MOST)),
            )
            for number, group in enumerate(groups)
            if group.num_rows
        ]


def rows_of_group(file: Any, number: int) -> Rows:
    """The points of a row group."""
    with opened(file) as parquet:
        return read_groups(parquet, [number])


def first_order_times(file: Any, numbers: Sequence[int]) -> list[int]:
    """The smallest order time of each of these row groups, from that column alone."""
    with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
        return [
            int(parquet.read_row_group(number, columns=["order_time"]).column(0).to_numpy().view("i8").min())
            for number in numbers
        ]


def _bounds(group: Any, name: str, unknown: tuple[Any, Any]) -> tuple[Any, Any]:
    statistics = group.column(SCHEMA.get_field_index(name)).statistics
    if statistics is None or not statistics.has_min_max:
        return unknown
    return statistics.min, statistics.max
