"""A segment's Parquet file, opened, back to points. The checksum of every page that is read is checked.

Bytes that are no segment raise ValueError, ArrowException or an OSError without a number.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace_storage.model import Rows
from headrace_storage.segments.columns import empty, series_codes
from headrace_storage.segments.logged import Logged, logged_in
from headrace_storage.segments.merge import Chunk
from headrace_storage.segments.names import MANY, Names, Texts
from headrace_storage.segments.points import Points, points_of_series
from headrace_storage.segments.schema import FORMAT, FORMAT_KEY, SCHEMA, TEXTS

_LEAST_STEP: Final = -(1 << 63)
_MOST_STEP: Final = (1 << 63) - 1


def read_parquet(file: Any, run_id: str = "", key: str = "") -> Rows:
    """The points in the file; with ``run_id`` and ``key``, only that series."""
    with opened(file) as parquet:
        return read_groups(parquet, _groups_of(parquet, run_id, key), run_id, key)


def read_runs(file: Any, run_ids: Collection[str]) -> Iterator[Rows]:
    """The points of each row group that may hold some of the runs; others' among them."""
    with opened(file) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            if any(_may_hold_run(parquet.metadata.row_group(group), run_id) for run_id in run_ids):
                yield read_groups(parquet, [group])


def read_series_points(file: Any, run_id: str, key: str) -> Points:
    """Steps and values of a series."""
    with opened(file) as parquet:
        return points_of_series(parquet, _groups_of(parquet, run_id, key), run_id, key)


def read_series_as_logged(file: Any, run_id: str, key: str) -> list[Logged]:
    """The points of a series, in parts."""
    with opened(file) as parquet:
        return list(logged_in(parquet, _groups_of(parquet, run_id, key), run_id, key))


def read_chunk(file: Any, group: int) -> Chunk:
    """One row group, and where the rest begins."""
    with opened(file) as parquet:
        rows = read_groups(parquet, [group])
        rest = [parquet.metadata.row_group(n) for n in range(group + 1, parquet.metadata.num_row_groups)]
        if not rest:
            return Chunk(rows, None)
        last = rows.series_table[rows.series[-1]]
        steps = [_least_step(later) for later in rest if _may_hold(later, last.run_id, last.key)]
        return Chunk(rows, (last, min(steps, default=_MOST_STEP)))


@contextmanager
def opened(file: Any) -> Iterator[pq.ParquetFile]:
    """A segment's file, its names as dictionaries."""
    with pq.ParquetFile(file, read_dictionary=TEXTS, page_checksum_verification=True) as parquet:
        version = (parquet.metadata.metadata or {}).get(FORMAT_KEY.encode())
        if version != str(FORMAT).encode():
            raise ValueError(f"its format is {version!r}, this Headrace reads {FORMAT}")
        yield parquet


def _groups_of(parquet: pq.ParquetFile, run_id: str, key: str) -> list[int]:
    """The row groups that may hold a series; all without a ``key``."""
    return [
        group
        for group in range(parquet.metadata.num_row_groups)
        if not key or _may_hold(parquet.metadata.row_group(group), run_id, key)
    ]


def read_groups(parquet: pq.ParquetFile, groups: Sequence[int], run_id: str = "", key: str = "") -> Rows:
    """The points of some row groups; with ``run_id`` and ``key``, only that series."""
    table = parquet.read_row_groups(groups).unify_dictionaries().combine_chunks()
    return _to_rows(table, run_id, key) if len(table) else empty()


def _least_step(group: Any) -> int:
    """What the statistics of a row group say that no step of it is below."""
    statistics = group.column(SCHEMA.get_field_index("step")).statistics
    return int(statistics.min) if statistics and statistics.has_min_max else _LEAST_STEP


def _may_hold(group: Any, run_id: str, key: str) -> bool:
    """Whether a row group's statistics allow that it holds the series."""
    return _may_hold_text(group, 0, run_id) and _may_hold_text(group, 1, key)


def _may_hold_run(group: Any, run_id: str) -> bool:
    """Whether a row group's statistics allow that it holds points of the run."""
    return _may_hold_text(group, 0, run_id)


def _may_hold_text(group: Any, column: int, text: str) -> bool:
    statistics = group.column(column).statistics
    return statistics is None or not statistics.has_min_max or bool(statistics.min <= text <= statistics.max)


def _to_rows(table: pa.Table, run_id: str, key: str) -> Rows:
    run, runs = _codes(table["run_id"])
    key_codes, keys = _codes(table["key"])
    attempt, attempts = _codes(table["attempt"])
    writer, writers = _codes(table["writer"])
    chosen: Any = slice(None)
    if key:
        chosen = np.flatnonzero((run == _code(runs, run_id)) & (key_codes == _code(keys, key)))
        if len(chosen) and chosen[-1] - chosen[0] == len(chosen) - 1:
            chosen = slice(chosen[0], chosen[-1] + 1)  # as it is in a sorted file: nothing is copied
    series, samples = series_codes(run[chosen], key_codes[chosen], attempt[chosen])
    names = Names(
        *(
            Texts(codes[chosen][samples].view(np.int32), texts)
            for texts, codes in ((runs, run), (keys, key_codes), (attempts, attempt))
        )
    )
    return Rows(
        series=series,
        step=_numbers(table["step"])[chosen],
        timestamp=_numbers(table["timestamp"])[chosen],
        value=_numbers(table["value"])[chosen],
        writer=writer[chosen],
        sequence=_numbers(table["sequence"])[chosen],
        order_time=_numbers(table["order_time"])[chosen],
        series_table=names if len(names) >= MANY else list(names),
        writer_table=[UUID(hex=text) for text in writers.to_pylist()],
    )


def _codes(column: pa.ChunkedArray) -> tuple[NDArray[np.uint32], pa.StringArray]:
    array = column.chunk(0)
    return array.indices.to_numpy().view(np.uint32), array.dictionary


def _code(texts: pa.StringArray, text: str) -> int:
    """Where ``text`` stands; -1, which is no code, when it is missing."""
    return int(pc.index(texts, text).as_py())


def _numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    array = column.chunk(0)
    numbers: NDArray[Any] = (array if pa.types.is_floating(array.type) else array.view(pa.int64())).to_numpy()
    return numbers
