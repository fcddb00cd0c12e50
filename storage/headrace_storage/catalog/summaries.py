"""Each run's keys at a glance: last, first, minimum, maximum, count.

A commit leaves its segment *unfolded*. The fold removes that mark in the transaction that adds the segment
to the stored summaries; a reader adds what is unfolded in the same snapshot. So a point counts once from
its commit on, without a watermark or an order of folds.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.rewinds import keep_changes_out, wait_for_changes
from headrace_storage.failpoints import failpoint
from headrace_storage.model import SegmentRef, Summary
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.read import SegmentReader, replanning
from headrace_storage.segments.summary import (
    NONE,
    SUMMARY,
    SummaryColumns,
    decode_summaries,
    merge,
    summarise,
)
from headrace_storage.visibility import View, decode_views

_QUERIES: Final = Queries("summaries")

_ROWS_A_STATEMENT: Final = 2_000
"""While the arguments of one are encoded, 2 us a row, nothing else happens in the process."""

_MOST_WORK: Final = 16 << 20
"""What one fold reads, in bytes of summaries: bounds its memory and its transaction."""

_MOST_KEYS: Final = 100_000
"""Summaries from which on a fold takes no further segment: as many it may hold, and those of one more."""

_ANY: Final = 2**63 - 1

_REFOLDED: Final = 32
"""Segments that are read at once for runs that show something else now."""


class _Unfolded(NamedTuple):
    """A segment that is not in the stored summaries of any run, or not in those of the runs ``again``.

    ``encoded`` is its summary, if it carries one.
    """

    ref: SegmentRef
    encoded: bytes | None
    again: frozenset[str] | None


class Summaries:
    """The summaries of one catalog, whose objects lie in ``store``."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self._database = database
        self._reader = SegmentReader(store)

    async def get(self, run_id: str, keys: Collection[str] | None = None) -> list[Summary]:
        """The summaries of a run's keys, or of those of ``keys`` that have points; by key.

        Raises:
            SegmentCorruptError, SegmentMissingError: a segment that is needed is damaged.
            CatalogUnavailableError: try again.
        """
        return (await self._get([run_id], keys))[run_id]

    async def get_many(
        self, run_ids: Collection[str], keys: Collection[str] | None = None
    ) -> dict[str, list[Summary]]:
        """As :meth:`get`, of each run, from one snapshot. Raises as :meth:`get` does."""
        return await self._get(run_ids, keys)

    async def newest_unfolded(self) -> int:
        """The id of the newest segment that is not folded, 0 when there is none."""
        async with self._database.acquire() as connection:
            return await connection.fetchval(_QUERIES["newest_unfolded"]) or 0

    async def fold(self, limit: int, without: Collection[int] = (), newest: int = _ANY) -> int:
        """Add up to ``limit`` unfolded segments to the stored summaries; how many, 0 when none is left.

        Segments ``without``, and those after the one with the id ``newest``, stay as they are. When it
        raises, nothing happened, unless the database is the reason: then the outcome is unknown. Raises as
        :meth:`get` does.
        """
        while True:
            try:
                folded = await replanning(partial(self._fold_oldest, limit, without, newest))
                return folded or await replanning(partial(self._fold_again, min(limit, _REFOLDED), without))
            except _OvertakenError:
                async with self._database.acquire() as connection:
                    await wait_for_changes(connection)

    async def _fold_oldest(self, limit: int, without: Collection[int], newest: int) -> int:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(
                _QUERIES["oldest_unfolded"], limit, list(without), _MOST_WORK, newest
            )
            views = await connection.fetchval(_QUERIES["views_into"], [row["id"] for row in rows])
        if not rows:
            return 0
        segments = [_Unfolded(SegmentRef(*tuple(row)[:-1]), row["summary"], None) for row in rows]
        summaries, ids = await self._merged(segments, decode_views(views))

        held = [row["id"] for row in rows]
        await self._put(summaries, _Marks("mark_folded", [ids], len(ids)), _Seen("views_into", held, views))
        return len(ids)

    async def _fold_again(self, limit: int, without: Collection[int]) -> int:
        """Fold segments for runs that show something else than when these were folded."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["oldest_refold"], limit, list(without))
            runs = sorted({run_id for row in rows for run_id in row["again"]})
            views = await connection.fetchval(_QUERIES["views"], runs) if rows else None
        segments = [_unfolded(row, SegmentRef(*tuple(row)[:-2])) for row in rows]
        summaries, ids = await self._merged(segments, decode_views(views))
        folded = [(run_id, row["id"]) for row in rows if row["id"] in ids for run_id in row["again"]]
        if not folded:
            return 0

        columns = [list(column) for column in zip(*folded, strict=True)]
        marks = _Marks("mark_refolded", columns, len(folded))
        await self._put(summaries, marks, _Seen("views", runs, views))
        return len(ids)

    async def _put(self, summaries: SummaryColumns, marks: "_Marks", seen: "_Seen") -> None:
        """Take marks away and add the summaries that were made for them, if runs still show the same."""

        async def work(connection: Connection) -> None:
            if len(await connection.fetch(_QUERIES[marks.take], *marks.arguments)) != marks.rows:
                raise _OvertakenError
            await _add(connection, summaries)
            await failpoint("fold")
            # A rewind of a run whose summaries these are waits for this transaction: it must not wait, too.
            if not await keep_changes_out(connection):
                raise _OvertakenError
            if await connection.fetchval(_QUERIES[seen.query], seen.ids) != seen.views:
                raise _OvertakenError

        await self._database.retrying(work)

    async def _get(self, run_ids: Collection[str], keys: Collection[str] | None) -> dict[str, list[Summary]]:
        names = None if keys is None else frozenset(keys)
        summaries = await replanning(partial(self._read, frozenset(run_ids), names))
        found = defaultdict(list)
        for summary in summaries.entities():
            found[summary.run_id].append(summary)
        return {run_id: found[run_id] for run_id in run_ids}

    async def _read(self, run_ids: Collection[str], keys: Collection[str] | None) -> SummaryColumns:
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            stored = await connection.fetch(
                _QUERIES["folded"], list(run_ids), None if keys is None else list(keys)
            )
            unfolded = await connection.fetch(_QUERIES["unfolded"], list(run_ids))
        return await self._with_unfolded(stored, unfolded, run_ids, keys)

    async def within(
        self,
        connection: Connection,
        run_ids: Collection[str],
        keys: Collection[str] | None,
        unfolded: Collection[int],
    ) -> SummaryColumns:
        """As :meth:`get_many`, within the caller's transaction.

        ``unfolded`` are the ids of those segments that are to be added, as the transaction sees them.
        """
        names, runs = None if keys is None else list(keys), list(run_ids)
        stored = await connection.fetch(_QUERIES["folded"], runs, names)
        segments: list[Any] = []
        if unfolded:
            segments = await connection.fetch(_QUERIES["unfolded_segments"], runs, list(unfolded))
        return await self._with_unfolded(stored, segments, run_ids, keys)

    async def _with_unfolded(
        self, stored: list[Any], rows: list[Any], run_ids: Collection[str], keys: Collection[str] | None
    ) -> SummaryColumns:
        names = [(row["run_id"].hex, row["key"]) for row in stored]
        folded = SummaryColumns(names, np.array([tuple(row)[2:] for row in stored], SUMMARY))
        segments = [_unfolded(row, SegmentRef(*tuple(row)[:-3])) for row in rows]
        views = decode_views(rows[0]["views"]) if rows else []
        fresh = [part.only(run_ids, keys) async for _, part in self._partial(segments, views)]
        return merge([folded, *fresh])

    async def _merged(
        self, segments: Sequence[_Unfolded], views: Sequence[View]
    ) -> tuple[SummaryColumns, list[int]]:
        """The summaries of the segments together, or of some when these have many; and which they are."""
        merged, waiting, ids = NONE, list[SummaryColumns](), list[int]()
        async for its_ids, part in self._partial(segments, views):
            ids += its_ids
            waiting.append(part)
            if sum(len(part.keys) for part in waiting) >= _MOST_KEYS:
                merged, waiting = await asyncio.to_thread(merge, [merged, *waiting]), []
                if len(merged.keys) >= _MOST_KEYS:
                    break
        return await asyncio.to_thread(merge, [merged, *waiting]), ids

    async def _partial(
        self, segments: Sequence[_Unfolded], views: Sequence[View]
    ) -> AsyncIterator[tuple[list[int], SummaryColumns]]:
        """The ids and the summaries of parts of the segments, of what their runs show."""
        bare = [segment.ref for segment in segments if segment.encoded is None and segment.again is None]
        inline = [ref for ref in bare if ref.path is None]
        # Inline ones all at once, because they are many and small; objects one by one, for the memory.
        plain = await self._reader.summarise(inline)
        yield [ref.id for ref in inline], await self._as_shown(inline, plain, views)
        for ref in bare:
            if ref.path is not None:
                yield [ref.id], await self._as_shown([ref], await self._reader.summarise([ref]), views)
        anew = defaultdict(list)
        for ref, encoded, again in segments:
            if encoded is not None:
                plain = await asyncio.to_thread(decode_summaries, encoded)
                yield [ref.id], await self._as_shown([ref], plain, views)
            elif again is not None and ref.path is not None:
                yield [ref.id], await self._visible([ref], _views_of(again, views))
            elif again is not None:
                anew[again].append(ref)
        for again, refs in anew.items():
            yield [ref.id for ref in refs], await self._visible(refs, _views_of(again, views))

    async def _as_shown(
        self, refs: Sequence[SegmentRef], plain: SummaryColumns, views: Sequence[View]
    ) -> SummaryColumns:
        """The summaries of all points of segments, ``plain``, for runs that show just these; else anew."""
        if not views:
            return plain
        held = {run_id for run_id, _ in plain.keys}
        if not any(view.source in held for view in views):
            return plain
        changed = {view.run_id for view in views}
        return merge([plain.only(held - changed, None), await self._visible(refs, views)])

    async def _visible(self, refs: Sequence[SegmentRef], views: Sequence[View]) -> SummaryColumns:
        return merge(await self._reader.of_visible(refs, views, summarise))


class _Marks(NamedTuple):
    """What says that something is not folded: the statement that takes it away, and how many rows it has."""

    take: str
    arguments: list[list[Any]]
    rows: int


class _Seen(NamedTuple):
    """The views that summaries were made with, and the statement that tells what they are now."""

    query: str
    ids: list[Any]
    views: str | None


class _OvertakenError(Exception):
    """Another fold, or a rewind, was faster: nothing happened."""


def _unfolded(row: Any, ref: SegmentRef) -> _Unfolded:
    again = row["again"]
    return _Unfolded(ref, row["summary"], again and frozenset(run_id.hex for run_id in again))


def _views_of(run_ids: frozenset[str], views: Sequence[View]) -> list[View]:
    """The views of the runs; one that has none shows its own points."""
    own = run_ids - {view.run_id for view in views}
    return [view for view in views if view.run_id in run_ids] + [View(run_id, run_id) for run_id in own]


async def _add(connection: Connection, summaries: SummaryColumns) -> None:
    """Rows are locked in the order of run and key, in which they stand, so that folds do not deadlock."""
    for start in range(0, len(summaries.keys), _ROWS_A_STATEMENT):
        chunk = slice(start, start + _ROWS_A_STATEMENT)
        keys, numbers = list(summaries.keys[chunk]), summaries.numbers[chunk]
        runs = {run_id: place for place, run_id in enumerate(dict.fromkeys(run for run, _ in keys), 1)}
        await connection.execute(
            _QUERIES["fold"],
            list(runs),
            [runs[run_id] for run_id, _ in keys],
            [key for _, key in keys],
            *(numbers[name].tolist() for name in SUMMARY.names or ()),
        )
