"""Replaces many small segments by few large ones, sorted by run, key and step, without points of erased runs.

Large ones are left alone, but for those that hold such points: one after the other is written anew.

Crash-safe by order: the output is stored, then one transaction makes it live and its inputs garbage, which
the collector deletes later. A crash before the transaction leaves an object that nobody knows, which the
collector finds when this incarnation is dead.
"""

import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

import structlog

from headrace_storage.catalog.segments import Segments
from headrace_storage.errors import (
    IncarnationDeadError,
    SegmentCorruptError,
    SegmentMissingError,
    SegmentsMovedError,
)
from headrace_storage.failpoints import failpoint
from headrace_storage.model import SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.periodic import Lease, always, repeat
from headrace_storage.segments.merge import Merge, without_runs
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.schema import ROW_GROUP
from headrace_storage.segments.write import SegmentWriter

_log = structlog.get_logger()

FULL: Final = 1_000_000
"""Rows from which on an object is large enough and is left alone."""

_MOST_ROWS: Final = 2 * FULL
"""Rows of one merge: bounds how long it takes, and what it holds if steps do not ascend, 90 bytes a row."""

_MERGE_AT: Final = 8
"""Objects of a level that are merged into one of the next."""

_MERGE_PRESSED_AT: Final = 512
"""The same while commits need the processors: 134 million points that came as arrays."""

_MOST_OBJECTS: Final = 128
_MOST_INLINE: Final = 4096
_MOST_INLINE_BYTES: Final = 16 << 20


class Compactor:
    """The task that compacts. Several at once are right, but waste work: ``lease`` keeps it to one."""

    def __init__(
        self,
        segments: Segments,
        store: ObjectStore,
        incarnation: int,
        *,
        lease: Lease = always,
        interval: float = 4.0,
        rest: float = 3.0,
        pressed: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Merging objects, unlike draining, leaves ``rest`` times its own duration to other work.

        While there is so much of that that it is ``pressed``, only what piles up is merged.
        """
        self._segments = segments
        self._reader = SegmentReader(store)
        self._writer = SegmentWriter(store, incarnation)
        self._incarnation = incarnation
        self._lease = lease
        self._interval = interval
        self._rest = rest
        self._pressed = pressed
        self._clock = clock
        self._rested_at = clock()
        self._damaged: set[int] = set()

    async def run(self) -> None:
        """Compact for ever."""
        await repeat("compact", self.once, self._interval)

    async def once(self) -> int:
        """Drain what is inline, then merge objects until there is nothing to merge or it is time to rest.

        How many swaps it made.
        """
        swaps = 0
        while await self._lease() and (inputs := await self._drainable()):
            if not await self._replace(inputs, level=1):
                continue
            swaps += 1
            if len(inputs) < _MOST_INLINE and sum(ref.size for ref in inputs) < _MOST_INLINE_BYTES // 2:
                break
        while self._clock() >= self._rested_at and await self._lease():
            inputs = await self._mergeable()
            level = inputs[0].level + 1 if inputs else 0
            if not inputs:
                inputs = await self._segments.objects_with_erased(self._damaged, most=1)
                level = inputs[0].level if inputs else 0
            if not inputs:
                break
            start = self._clock()
            swaps += await self._replace(inputs, level=level)
            self._rested_at = self._clock() + self._rest * (self._clock() - start)
        return swaps

    async def _drainable(self) -> Sequence[SegmentRef]:
        return await self._segments.drainable(self._damaged, most=_MOST_INLINE, most_bytes=_MOST_INLINE_BYTES)

    async def _mergeable(self) -> Sequence[SegmentRef]:
        """The inputs of the merge that is due at the lowest level."""
        least = _MERGE_PRESSED_AT if self._pressed() else _MERGE_AT
        for level, objects in (await self._segments.small_objects(FULL, self._damaged)).items():
            if objects >= least:
                inputs = await self._segments.mergeable_objects(
                    level, FULL, self._damaged, most=_MOST_OBJECTS, most_rows=_MOST_ROWS
                )
                return _enough(inputs)
        return []

    async def _replace(self, inputs: Sequence[SegmentRef], *, level: int) -> bool:
        """Merge the inputs into one object; False when one of them is damaged or went meanwhile.

        Points of erased runs are left out.
        """
        sources = self._reader.sources(inputs)
        if erased := await self._segments.erased_in(inputs):
            sources = [without_runs(chunks, erased) for chunks in sources]
        merge = Merge(sources, ROW_GROUP)
        try:
            output = await self._writer.write_merged(merge)
        except (SegmentCorruptError, SegmentMissingError) as error:
            if error.segment_id is None:
                raise
            self._damaged.add(error.segment_id)
            _log.error("segment cannot be compacted", segment=error.path, error=str(error))
            return False
        try:
            await failpoint("compact.before")
            kept = output if output.rows else None
            await self._segments.swap(inputs, kept, level=level, incarnation=self._incarnation)
        except (SegmentsMovedError, IncarnationDeadError) as error:
            await self._writer.discard(output)
            if isinstance(error, IncarnationDeadError):
                raise
            _log.info("compaction was overtaken", inputs=len(inputs), error=str(error))
            return False
        await failpoint("compact.after")
        if kept is None:
            await self._writer.discard(output)
        _log.debug(
            "compacted",
            inputs=len(inputs),
            rows=output.rows,
            held=merge.most_held,
            path=output.path,
            level=level,
        )
        return True


def _enough(inputs: Sequence[SegmentRef]) -> Sequence[SegmentRef]:
    """The first inputs, until their output is large enough; all, when it will have to be merged again.

    A merge holds about a row group of each input, so that more would take memory for nothing.
    """
    rows = accumulate(ref.rows for ref in inputs)
    return inputs[: next((count for count, total in enumerate(rows, 1) if total >= FULL), len(inputs))]
