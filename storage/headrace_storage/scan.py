"""Points of many series in order, for a page of any size or all of them, in bounded memory.

Row groups are read in the order of the least place that their statistics allow, and those that cannot hold
what is asked for are not. What lies below all that is unread is complete and leaves. Where too much would be
held (steps that are all alike, a hundred processes out of step), the last points are dropped and read again
later: time is spent then, not memory.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np

from headrace_storage.catalog.segments import Plan, Segments
from headrace_storage.errors import SegmentMissingError
from headrace_storage.model import Rows, SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.choice import FIRST, Choice, Part
from headrace_storage.segments.groups import Group
from headrace_storage.segments.ordered import Held, Place, WriterTable
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.small import read_small
from headrace_storage.visibility import LAST

_MOST: Final = 1 << 20
"""Points that are held, 60 bytes each, beside a row group."""

Labels = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, Mapping[str, str]]]]
"""What writers said of themselves."""


class Point(NamedTuple):
    """A point's place by step, after which a scan may begin."""

    run_id: str
    key: str
    step: int
    order_time: int
    writer: UUID
    sequence: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which points: of all these keys of all these runs, with steps in a range (both ends are in it).

    ``writers``, ``ranks`` (of processes): only of these (``None``: of any). ``after``: where to begin.
    ``without``: series that are left out, as :class:`Choice` numbers them.
    """

    run_ids: Sequence[str]
    keys: Sequence[str]
    steps: tuple[int, int] = (FIRST, LAST)
    writers: frozenset[UUID] | None = None
    ranks: frozenset[int] | None = None
    after: Point | None = None
    without: frozenset[int] = frozenset()


class Piece(NamedTuple):
    """Some of the points: stretches of one series each, and how many points they have; columns.

    ``writers`` is what ``part.writer`` indexes into; later pieces of a scan only add to it.
    """

    series: Sequence[tuple[str, str, int]]
    part: Part
    writers: Sequence[UUID]

    def last(self) -> Point:
        """Where the last point stands."""
        run_id, key, _ = self.series[-1]
        _, step, _, _, writer, sequence, order_time = (column[-1].item() for column in self.part.columns)
        return Point(run_id, key, step, order_time, self.writers[writer], sequence)

    def cut(self, count: int) -> "Piece":
        """The first points."""
        series, left = [], count
        for run_id, key, points in self.series:
            if left:
                series.append((run_id, key, min(points, left)))
                left -= min(points, left)
        return Piece(series, self.part.of(slice(count)), self.writers)


class Scans:
    """Reads points in order."""

    def __init__(self, segments: Segments, store: ObjectStore, labels: Labels) -> None:
        self._segments = segments
        self._reader = SegmentReader(store)
        self._labels = labels

    async def scan(self, selection: Selection, *, as_logged: bool = False) -> AsyncGenerator[Piece, None]:
        """The points by run, key and step, those of one step as they were logged.

        All that was committed before the call. ``as_logged``: of one series, in logged order. A file that is
        gone means a new plan, which goes on after the last point that was given.

        Raises:
            SegmentCorruptError, SegmentMissingError: a segment that is needed is damaged.
            CatalogUnavailableError: try again.
        """
        scan = _Scan(self._segments, self._reader, self._labels, selection, as_logged=as_logged)
        missed = set()
        while True:
            try:
                async for piece in scan.run():
                    yield piece
            except SegmentMissingError as error:
                if error.path in missed:
                    raise
                missed.add(error.path)
            else:
                return


class _Unread(NamedTuple):
    """A row group to be read: the least and the last place that its points may have."""

    first: Place
    last: Place
    ref: SegmentRef
    group: Group


class _Scan:
    """One scan, as far as it has come."""

    def __init__(
        self,
        segments: Segments,
        reader: SegmentReader,
        labels: Labels,
        selection: Selection,
        *,
        as_logged: bool,
    ) -> None:
        self._segments = segments
        self._reader = reader
        self._labels = labels
        self._selection = selection
        self._as_logged = as_logged
        self._table = WriterTable()
        self._asked_of: set[int] = set()
        self._known = 0
        self._after: Part | None = None

    async def run(self) -> AsyncIterator[Piece]:
        """All that is left of it, of one plan."""
        plan = await self._segments.plan(self._selection.run_ids)
        choice = self._choice(plan)
        if self._after is None and self._selection.after is not None:
            self._after = self._place_of(choice, self._selection.after)
        unread = await asyncio.to_thread(self._unread, plan, choice)
        inline = await asyncio.to_thread(read_small, [ref for ref in plan.segments if ref.path is None])
        await self._learn(inline.writer_table)
        while True:
            held = Held(self._table, _MOST, as_logged=self._as_logged)
            async for part in self._pass(held, choice, inline, unread):
                yield self._piece(choice, part)
                self._after = part.of(slice(-1, None))
            if held.ceiling is None:
                return

    async def _pass(
        self, held: Held, choice: Choice, inline: Rows, unread: Sequence[_Unread]
    ) -> AsyncIterator[Part]:
        """What is left, or as much of it as could be held."""
        await asyncio.to_thread(self._add, held, choice, inline)
        for one in unread:
            if self._after is not None and one.last < held.place(self._after)[: len(one.last)]:
                continue
            if (part := await asyncio.to_thread(held.take_below, one.first)) is not None:
                yield part
            if held.ceiling is not None and one.first > held.place(held.ceiling):
                break
            rows = await asyncio.to_thread(self._reader.read_group, one.ref, one.group.number)
            await self._learn(rows.writer_table)
            await asyncio.to_thread(self._add, held, choice, rows)
        if (part := await asyncio.to_thread(held.take_below, None)) is not None:
            yield part

    def _add(self, held: Held, choice: Choice, rows: Rows) -> None:
        selection = self._selection
        allowed = None if selection.writers is None and selection.ranks is None else self._asked_of
        for part in choice.select(rows, self._table.code, allowed):
            held.add(part, self._after)

    def _choice(self, plan: Plan) -> Choice:
        selection = self._selection
        return Choice(
            selection.run_ids, selection.keys, plan.views, steps=selection.steps, without=selection.without
        )

    def _unread(self, plan: Plan, choice: Choice) -> list[_Unread]:
        """The row groups that may hold what is asked for, by the least place that their points may have."""
        found = []
        for ref in plan.segments:
            if ref.path is None:
                continue
            spans = [(group, choice.span(group)) for group in self._reader.groups(ref)]
            needed = [(group, span) for group, span in spans if span is not None]
            if self._as_logged and needed:
                times = self._reader.first_order_times(ref, [group.number for group, _ in needed])
                found += [
                    _Unread((time,), (LAST,), ref, group)
                    for (group, _), time in zip(needed, times, strict=True)
                ]
            elif needed:
                found += [_Unread(span.first, span.last, ref, group) for group, span in needed]
        return sorted(found, key=lambda one: one.first)

    async def _learn(self, writers: Sequence[UUID]) -> None:
        """Find out which of the writers are asked for, as far as that is not known."""
        selection = self._selection
        if selection.writers is None and selection.ranks is None:
            return
        for writer in writers:
            self._table.code(writer)
        fresh = self._table.writers[self._known :]
        if not fresh:
            return
        self._known += len(fresh)
        asked = [writer for writer in fresh if selection.writers is None or writer in selection.writers]
        if selection.ranks is not None and asked:
            labels = await self._labels(asked)
            asked = [writer for writer in asked if rank_of(labels.get(writer, {})) in selection.ranks]
        self._asked_of.update(map(self._table.code, asked))

    def _place_of(self, choice: Choice, point: Point) -> Part:
        """The point as a part of its own; where its key is gone, what comes before all of the next one."""
        rank = choice.rank(point.run_id, point.key)
        numbers = [rank, point.step, 0, 0, self._table.code(point.writer), point.sequence, point.order_time]
        if point.key not in choice.keys or point.run_id not in choice.run_ids:
            numbers = [rank, FIRST, 0, 0, self._table.code(UUID(int=0)), -1, FIRST]
        return Part(*(np.array([number], np.int64) for number in numbers))  # type: ignore[arg-type]

    def _piece(self, choice: Choice, part: Part) -> Piece:
        starts = np.flatnonzero(np.append(True, part.rank[1:] != part.rank[:-1]))
        counts = np.diff(starts, append=len(part))
        series = [
            (*choice.series(rank), count)
            for rank, count in zip(part.rank[starts].tolist(), counts.tolist(), strict=True)
        ]
        return Piece(series, part, self._table.writers)


def rank_of(labels: Mapping[str, str]) -> int | None:
    """The rank of a writer's process in its launch, if it said one."""
    rank = labels.get("rank", "")
    return int(rank) if rank.isascii() and rank.isdecimal() and len(rank) < 10 else None
