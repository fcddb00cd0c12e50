"""From a segment back to points, checked: size, checksum, and the checksum of every Parquet page.

A whole object is checked when this process first opens it; pages whenever they are read.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID
from zlib import crc32

import pyarrow as pa

from headrace_storage.errors import SegmentCorruptError, SegmentMissingError
from headrace_storage.model import Rows, SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.authors import writers_in, writers_of
from headrace_storage.segments.columns import concat
from headrace_storage.segments.groups import Group, first_order_times, groups_in, rows_of_group
from headrace_storage.segments.logged import Columns, Logged, in_logged_order, logged_of
from headrace_storage.segments.merge import Chunk
from headrace_storage.segments.parquet import (
    read_chunk,
    read_parquet,
    read_runs,
    read_series_as_logged,
    read_series_points,
)
from headrace_storage.segments.points import Points, join, points_of_rollups
from headrace_storage.segments.rollups import Rollups, read_rollups
from headrace_storage.segments.small import read_small, read_small_series
from headrace_storage.segments.summary import SummaryColumns, merge, summarise
from headrace_storage.segments.visible import visible
from headrace_storage.visibility import LAST, View

Result = TypeVar("Result")

_CHUNK: Final = 1 << 20
_INLINE_BATCH: Final = 256
"""Inline segments that a merge takes as one source: they are small."""

_REMEMBERED: Final = 100_000
"""Objects that are remembered as checked."""


class SegmentReader:
    """Reads segments that the catalog lists. Several reads may run at once."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._checked: set[int] = set()

    async def read(self, refs: Sequence[SegmentRef], run_id: str = "", key: str = "") -> Rows:
        """The points of the segments; with ``run_id`` and ``key``, only that series.

        Raises:
            SegmentMissingError: an object is gone, by the compactor if the plan is old: plan again.
            SegmentCorruptError: bytes are not those that were written.
        """
        return await asyncio.to_thread(self._read_all, refs, run_id, key)

    async def read_as_logged(self, refs: Sequence[SegmentRef], run_id: str, key: str) -> list[Columns]:
        """The points of a series in logged order, in parts that follow one another.

        Raises as :meth:`read` does.
        """
        return await asyncio.to_thread(lambda: in_logged_order(self._logged(refs, run_id, key)))

    async def count_writers(self, refs: Sequence[SegmentRef], run_id: str) -> Counter[UUID]:
        """How many points of a run each writer wrote. Raises as :meth:`read` does."""
        objects, inline = _apart(refs)
        counts = await asyncio.to_thread(lambda: writers_of(read_small(inline), run_id))
        for ref, path in objects:
            counts += await asyncio.to_thread(self._count, ref, path, run_id)
        return counts

    def sources(self, refs: Sequence[SegmentRef]) -> list[Iterator[Chunk]]:
        """The segments for a merge. Drawing from them reads, at once, and raises as :meth:`read` does."""
        objects, inline = _apart(refs)
        batches = [inline[start : start + _INLINE_BATCH] for start in range(0, len(inline), _INLINE_BATCH)]
        return [_inline_chunk(batch) for batch in batches] + [
            self._chunks(ref, path) for ref, path in objects
        ]

    async def summarise(self, refs: Sequence[SegmentRef]) -> SummaryColumns:
        """The summaries of all the segments' points. Raises as :meth:`read` does."""

        def work() -> SummaryColumns:
            return merge([summarise(chunk.rows) for source in self.sources(refs) for chunk in source])

        return await asyncio.to_thread(work)

    async def of_visible(
        self, refs: Sequence[SegmentRef], views: Sequence[View], work: Callable[[Rows], Result]
    ) -> list[Result]:
        """What ``work`` makes of the points that views show, part by part. Raises as :meth:`read` does."""
        return await asyncio.to_thread(self._of_visible, refs, views, work)

    def groups(self, ref: SegmentRef) -> list[Group]:
        """An object's row groups, by its footer alone. Raises as :meth:`read` does. Blocks, as all below."""
        try:
            return self._open_object(ref, str(ref.path), groups_in, whole=False)
        except SegmentCorruptError:
            self._open_object(ref, str(ref.path), lambda _: None)  # tells more of what is wrong
            raise

    def read_group(self, ref: SegmentRef, number: int) -> Rows:
        """The points of a row group. Raises as :meth:`read` does."""
        return self._open_object(ref, str(ref.path), lambda file: rows_of_group(file, number))

    def first_order_times(self, ref: SegmentRef, numbers: Sequence[int]) -> list[int]:
        """The smallest order time of each row group. Raises as :meth:`read` does."""
        return self._open_object(ref, str(ref.path), lambda file: first_order_times(file, numbers))

    def _of_visible(
        self, refs: Sequence[SegmentRef], views: Sequence[View], work: Callable[[Rows], Result]
    ) -> list[Result]:
        objects, inline = _apart(refs)
        sources = {view.source for view in views}
        found: list[Result] = []
        for ref, path in objects:
            found += self._open_object(
                ref, path, lambda file: [work(visible(rows, views)) for rows in read_runs(file, sources)]
            )
        return [*found, work(visible(read_small(inline), views))]

    def read_rollups(self, ref: SegmentRef, run_id: str, key: str) -> Rollups | None:
        """The rollups of a series; ``None`` when only its points can tell. Raises as :meth:`read` does.

        They have a checksum of their own: the object's other bytes are not looked at. Blocks, as all below.
        """
        if ref.path is None:
            return None
        return self._open_object(
            ref, ref.path, lambda file: read_rollups(file, ref.size, run_id, key), whole=False
        )

    def read_points_of(self, ref: SegmentRef, rollups: Rollups, view: View | None = None) -> Points:
        """Steps and values that these of an object's rollups stand for. Raises as :meth:`read` does.

        With a view of their run, only those that it shows.
        """
        last_step = None if view is None else view.last_step
        return self._open_object(ref, str(ref.path), lambda file: points_of_rollups(file, rollups, last_step))

    def read_visible_points(self, refs: Sequence[SegmentRef], view: View, key: str) -> Points:
        """Steps and values of a key that a view shows. Raises as :meth:`read` does."""
        objects, inline = _apart(refs)
        if view.certain == LAST:  # nothing is hidden: the columns suffice
            parts = [
                self._open_object(ref, path, lambda file: read_series_points(file, view.source, key))
                for ref, path in objects
            ]
            rows = read_small_series(inline, view.source, key)
        else:
            parts = []
            rows = visible(self._read_all(refs, view.source, key), [view])
        return join([*parts, Points(rows.step, rows.value)])

    def _read_all(self, refs: Sequence[SegmentRef], run_id: str, key: str) -> Rows:
        objects, inline = _apart(refs)
        parts = [
            self._open_object(ref, path, lambda file: read_parquet(file, run_id, key))
            for ref, path in objects
        ]
        parts.append(read_small_series(inline, run_id, key) if key else read_small(inline))
        return concat([rows for rows in parts if len(rows)])

    def _logged(self, refs: Sequence[SegmentRef], run_id: str, key: str) -> list[Logged]:
        objects, inline = _apart(refs)
        parts = [
            part
            for ref, path in objects
            for part in self._open_object(ref, path, lambda file: read_series_as_logged(file, run_id, key))
        ]
        return [*parts, logged_of(read_small_series(inline, run_id, key))]

    def _chunks(self, ref: SegmentRef, path: str) -> Iterator[Chunk]:
        """The row groups. The file is opened for each, so that many can be read at the same time."""
        rows, group = 0, 0
        while True:
            chunk = self._open_object(ref, path, partial(read_chunk, group=group))
            rows, group = rows + len(chunk.rows), group + 1
            if chunk.rest_from is None:
                break
            yield chunk
        if rows != ref.rows:
            raise SegmentCorruptError(path, f"it has {rows} rows, not {ref.rows}", ref.id)
        yield chunk

    def _count(self, ref: SegmentRef, path: str, run_id: str) -> Counter[UUID]:
        return self._open_object(ref, path, lambda file: writers_in(file, run_id))

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


def _apart(refs: Sequence[SegmentRef]) -> tuple[list[tuple[SegmentRef, str]], list[SegmentRef]]:
    """Objects with their paths, and inline segments."""
    return [(ref, ref.path) for ref in refs if ref.path is not None], [
        ref for ref in refs if ref.path is None
    ]


def _inline_chunk(refs: Sequence[SegmentRef]) -> Iterator[Chunk]:
    yield Chunk(read_small(refs), None)
