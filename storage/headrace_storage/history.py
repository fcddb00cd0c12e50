"""All points of one key of a run, from the catalog's inline rows and the segments together."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID

import pyarrow as pa

from headrace_storage.catalog.segments import Segments
from headrace_storage.model import Rows, SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.authors import writers_of
from headrace_storage.segments.choice import Choice
from headrace_storage.segments.columns import concat, sort_as_logged
from headrace_storage.segments.logged import Columns
from headrace_storage.segments.read import SegmentReader, replanning
from headrace_storage.segments.visible import visible
from headrace_storage.segments.write import to_table
from headrace_storage.visibility import View

MANY: Final = 1 << 22
"""Points from which on a history is no matter of memory: a scan reads it."""


class History:
    """Reads metric histories."""

    def __init__(self, segments: Segments, store: ObjectStore) -> None:
        self._segments = segments
        self._reader = SegmentReader(store)

    async def get(self, run_id: str, key: str) -> pa.Table:
        """Every point that was committed before the call, in logged order: order time, writer, sequence.

        Columns: step (int64), timestamp (ms, UTC), value (double), writer (string), sequence (int64),
        order_time (ms, UTC), attempt (string). No points, or no such run: no rows.

        Raises:
            SegmentCorruptError, SegmentMissingError: a segment that is needed is damaged.
            CatalogUnavailableError: try again.
        """
        return await replanning(partial(self._read, run_id, key))

    async def columns(self, run_id: str, key: str) -> list[Columns] | None:
        """Steps, timestamps and values of the same points, in parts that follow one another.

        ``None``: there may be more than :data:`MANY`. Raises as :meth:`get` does.
        """
        return await replanning(partial(self._read_columns, run_id, key))

    async def writers(self, run_id: str) -> Counter[UUID]:
        """How many points of the run each writer wrote. Raises as :meth:`get` does."""
        return await replanning(partial(self._count, run_id))

    async def _count(self, run_id: str) -> Counter[UUID]:
        segments, views = await self._segments.plan([run_id])
        if not views:
            return await self._reader.count_writers(segments, run_id)
        counts = await self._reader.of_visible(segments, views, partial(writers_of, run_id=run_id))
        return sum(counts, Counter[UUID]())

    async def _read_columns(self, run_id: str, key: str) -> list[Columns] | None:
        segments, views = await self._segments.plan([run_id])
        if sum(ref.rows for ref in segments) > MANY:
            choice = Choice([run_id], [key], views)
            if await asyncio.to_thread(self._rows, segments, choice) > MANY:
                return None
        if not views:
            return await self._reader.read_as_logged(segments, run_id, key)
        rows = await self._visible(segments, views, key)
        return [Columns(rows.step, rows.timestamp, rows.value)] if len(rows) else []

    def _rows(self, segments: Sequence[SegmentRef], choice: Choice) -> int:
        """How many points the row groups have that may hold the series, and segments that are inline."""
        inline = sum(ref.rows for ref in segments if ref.path is None)
        groups = (group for ref in segments if ref.path is not None for group in self._reader.groups(ref))
        return inline + sum(group.rows for group in groups if choice.span(group) is not None)

    async def _read(self, run_id: str, key: str) -> pa.Table:
        segments, views = await self._segments.plan([run_id])
        if views:
            rows = await self._visible(segments, views, key)
        else:
            found = await self._reader.read(segments, run_id, key)
            rows = await asyncio.to_thread(sort_as_logged, found)
        table = await asyncio.to_thread(to_table, rows)
        return table.drop_columns(["run_id", "key"])

    async def _visible(self, segments: Sequence[SegmentRef], views: Sequence[View], key: str) -> Rows:
        parts = [visible(await self._reader.read(segments, view.source, key), [view]) for view in views]
        return await asyncio.to_thread(lambda: sort_as_logged(concat([part for part in parts if len(part)])))
