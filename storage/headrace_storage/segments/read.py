"""From a segment back to points, checked: size, checksum, and the checksum of every Parquet page.

A whole object is checked when this process first opens it; pages whenever they are read.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace_storage.errors import SegmentCorruptError, SegmentMissingError
from headrace_storage.model import Rows, SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.authors import writers_in, writers_of
from headrace_storage.segments.columns import concat, empty, select_series, series_codes
from headrace_storage.segments.inline import decode_inline
from headrace_storage.segments.merge import Chunk
from headrace_storage.segments.names import MANY, Names, Texts
from headrace_storage.segments.points import Points, points_of_rollups, points_of_series
from headrace_storage.segments.rollups import Rollups, read_rollups
from headrace_storage.segments.schema import FORMAT, FORMAT_KEY, SCHEMA, TEXTS
from headrace_storage.segments.summary import SummaryColumns, merge, summarise

Result = TypeVar("Result")

_CHUNK: Final = 1 << 20
_INLINE_BATCH: Final = 256
"""Inline segments that a merge takes as one source: they are small."""

_LEAST_STEP: Final = -(1 << 63)
_MOST_STEP: Final = (1 << 63) - 1

_REMEMBERED: Final = 100_000
"""Objects that are remembered as checked."""


class SegmentReader:
    """Reads segments that the catalog lists. Several reads may run at once."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._checked: set[int] = set()

    async def read(self, refs: Sequence[SegmentRef], run_id: str = "", key: str = "") -> Rows:
        """The points of the segments, one after the other; with ``run_id`` and ``key``, only that series.

        Raises:
            SegmentMissingError: an object is gone, by the compactor if the plan is old: plan again.
            SegmentCorruptError: bytes are not those that were written.
        """
        return await asyncio.to_thread(self._read_all, refs, run_id, key)

    async def count_writers(self, refs: Sequence[SegmentRef], run_id: str) -> Counter[UUID]:
        """How many points of a run each writer wrote. Raises as :meth:`read` does."""
        counts: Counter[UUID] = Counter()
        for ref in refs:
            counts += await asyncio.to_thread(self._count, ref, run_id)
        return counts

    def sources(self, refs: Sequence[SegmentRef]) -> list[Iterator[Chunk]]:
        """The segments for a merge. Drawing from them reads, at once, and raises as :meth:`read` does."""
        inline = [ref for ref in refs if ref.path is None]
        batches = [inline[start : start + _INLINE_BATCH] for start in range(0, len(inline), _INLINE_BATCH)]
        objects = [(ref, ref.path) for ref in refs if ref.path is not None]
        return [self._inline_chunk(batch) for batch in batches] + [
            self._chunks(ref, path) for ref, path in objects
        ]

    async def summarise(self, refs: Sequence[SegmentRef]) -> SummaryColumns:
        """The summaries of all the segments' points. Raises as :meth:`read` does."""

        def work() -> SummaryColumns:
            return merge([summarise(chunk.rows) for source in self.sources(refs) for chunk in source])

        return await asyncio.to_thread(work)

    def read_rollups(self, ref: SegmentRef, run_id: str, key: str) -> Rollups | None:
        """The rollups of a series; ``None`` when only its points can tell. Raises as :meth:`read` does.

        They have a checksum of their own: the object's other bytes are not looked at. Blocks, as all below.
        """
        if ref.path is None:
            return None
        return self._open_object(
            ref, ref.path, lambda file: read_rollups(file, ref.size, run_id, key), whole=False
        )

    def read_points(self, ref: SegmentRef, run_id: str, key: str) -> Points:
        """Steps and values of a series. Raises as :meth:`read` does."""
        if ref.path is None:
            rows = select_series(_read_inline(ref), run_id, key)
            return Points(rows.step, rows.value)
        return self._open_object(ref, ref.path, lambda file: _series_points(file, run_id, key))

    def read_points_of(self, ref: SegmentRef, rollups: Rollups) -> Points:
        """Steps and values that these of an object's rollups stand for. Raises as :meth:`read` does."""
        return self._open_object(ref, str(ref.path), lambda file: points_of_rollups(file, rollups))

    def _read_all(self, refs: Sequence[SegmentRef], run_id: str, key: str) -> Rows:
        return concat([rows for ref in refs if len(rows := self._read(ref, run_id, key))])

    def _read(self, ref: SegmentRef, run_id: str, key: str) -> Rows:
        if ref.path is None:
            rows = _read_inline(ref)
        else:
            rows = self._open_object(ref, ref.path, lambda file: read_parquet(file, run_id, key))
        return select_series(rows, run_id, key) if key else rows

    def _inline_chunk(self, refs: Sequence[SegmentRef]) -> Iterator[Chunk]:
        yield Chunk(self._read_all(refs, "", ""), None)

    def _chunks(self, ref: SegmentRef, path: str) -> Iterator[Chunk]:
        """The row groups. The file is opened for each, so that many can be read at the same time."""
        rows, group = 0, 0
        while True:
            chunk = self._open_object(ref, path, partial(_read_chunk, group=group))
            rows, group = rows + len(chunk.rows), group + 1
            if chunk.rest_from is None:
                break
            yield chunk
        if rows != ref.rows:
            raise SegmentCorruptError(path, f"it has {rows} rows, not {ref.rows}", ref.id)
        yield chunk

    def _count(self, ref: SegmentRef, run_id: str) -> Counter[UUID]:
        if ref.path is None:
            return writers_of(_read_inline(ref), run_id)
        return self._open_object(ref, ref.path, lambda file: writers_in(file, run_id))

    def _open_object(
        self, ref: SegmentRef, path: str, read: Callable[[Any], Result], *, whole: bool = True
    ) -> Result:
        try:
            with pa.OSFile(str(self._store.local_path(path))) as file:
                self._check(ref, file, whole=whole)
                return read(file)
        except FileNotFoundError as error:
            raise SegmentMissingError(path, ref.id) from error
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise SegmentCorruptError(path, str(error), ref.id) from error

    def _check(self, ref: SegmentRef, file: Any, *, whole: bool) -> None:
        """Compare size and, the first time and if ``whole``, the checksum of the whole object."""
        if file.size() != ref.size:
            raise ValueError(f"it has {file.size()} bytes, not {ref.size}")
        if not whole or ref.id in self._checked:
            return
        checksum = 0
        while chunk := file.read(_CHUNK):
            checksum = crc32(chunk, checksum)
        if checksum != ref.checksum:
            raise ValueError(f"its checksum is {checksum:08x}, not {ref.checksum:08x}")
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked.add(ref.id)


async def replanning(read: Callable[[], Awaitable[Result]]) -> Result:
    """Run ``read``, which plans and reads, again while objects of its plan are gone.

    A plan that names an object which an earlier plan already missed is not old: the object is lost, and
    SegmentMissingError leaves. The result is never short.
    """
    missed = set()
    while True:
        try:
            return await read()
        except SegmentMissingError as error:
            if error.path in missed:
                raise
            missed.add(error.path)


def read_parquet(file: Any, run_id: str = "", key: str = "") -> Rows:
    """The points in an opened file; with ``run_id`` and ``key``, only that series.

    Raises ValueError, ArrowException or an OSError without a number when the bytes are not a segment's.
    """
    with _opened(file) as parquet:
        return _read_groups(parquet, _groups_of(parquet, run_id, key), run_id, key)


def _series_points(file: Any, run_id: str, key: str) -> Points:
    with _opened(file) as parquet:
        return points_of_series(parquet, _groups_of(parquet, run_id, key), run_id, key)


def _read_chunk(file: Any, group: int) -> Chunk:
    """One row group, and where the rest begins."""
    with _opened(file) as parquet:
        rows = _read_groups(parquet, [group])
        rest = [parquet.metadata.row_group(n) for n in range(group + 1, parquet.metadata.num_row_groups)]
        if not rest:
            return Chunk(rows, None)
        last = rows.series_table[rows.series[-1]]
        steps = [_least_step(later) for later in rest if _may_hold(later, last.run_id, last.key)]
        return Chunk(rows, (last, min(steps, default=_MOST_STEP)))


@contextmanager
def _opened(file: Any) -> Iterator[pq.ParquetFile]:
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


def _read_groups(parquet: pq.ParquetFile, groups: Sequence[int], run_id: str = "", key: str = "") -> Rows:
    table = parquet.read_row_groups(groups).unify_dictionaries().combine_chunks()
    return _to_rows(table, run_id, key) if len(table) else empty()


def _least_step(group: Any) -> int:
    """What the statistics of a row group say that no step of it is below."""
    statistics = group.column(SCHEMA.get_field_index("step")).statistics
    return int(statistics.min) if statistics and statistics.has_min_max else _LEAST_STEP


def _may_hold(group: Any, run_id: str, key: str) -> bool:
    """Whether a row group's statistics allow that it holds the series."""
    columns = {column.path_in_schema: column.statistics for column in map(group.column, range(2))}
    return all(
        (statistics := columns[name]) is None
        or not statistics.has_min_max
        or statistics.min <= text <= statistics.max
        for name, text in (("run_id", run_id), ("key", key))
    )


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


def _read_inline(ref: SegmentRef) -> Rows:
    name = f"{ref.id} (in the catalog)"
    if ref.inline is None:
        raise SegmentMissingError(name, ref.id)
    if crc32(ref.inline) != ref.checksum:
        raise SegmentCorruptError(name, "its checksum is wrong", ref.id)
    try:
        return decode_inline(ref.inline)
    except ValueError as error:
        raise SegmentCorruptError(name, str(error), ref.id) from error
