"""All points of one key of a run, from the catalog's inline rows and the segments together."""

import asyncio
from collections import Counter
from functools import partial
from uuid import UUID

import pyarrow as pa

from headrace_storage.catalog.segments import Segments
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.columns import sort_as_logged
from headrace_storage.segments.logged import Columns
from headrace_storage.segments.read import SegmentReader, replanning
from headrace_storage.segments.write import to_table


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

    async def columns(self, run_id: str, key: str) -> list[Columns]:
        """Steps, timestamps and values of the same points, in parts that follow one another.

        Raises as :meth:`get` does.
        """
        return await replanning(partial(self._read_columns, run_id, key))

    async def writers(self, run_id: str) -> Counter[UUID]:
        """How many points of the run each writer wrote. Raises as :meth:`get` does."""
        return await replanning(partial(self._count, run_id))

    async def _count(self, run_id: str) -> Counter[UUID]:
        return await self._reader.count_writers(await self._segments.plan([run_id]), run_id)

    async def _read_columns(self, run_id: str, key: str) -> list[Columns]:
        return await self._reader.read_as_logged(await self._segments.plan([run_id]), run_id, key)

    async def _read(self, run_id: str, key: str) -> pa.Table:
        plan = await self._segments.plan([run_id])
        rows = await self._reader.read(plan, run_id, key)
        table = await asyncio.to_thread(lambda: to_table(sort_as_logged(rows)))
        return table.drop_columns(["run_id", "key"])
