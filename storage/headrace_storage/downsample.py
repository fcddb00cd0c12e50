"""Many series as a few buckets each, all of them or only what some writers logged.

Long series whose rollups can tell are not read (``charts.py``); all others are, each row group once for all.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from headrace_storage.charts import Charts, Rest, Wanted
from headrace_storage.scan import Piece, Scans, Selection
from headrace_storage.segments.choice import Choice
from headrace_storage.segments.points import Points
from headrace_storage.segments.rollups import Rollups

_LONG: Final = 1 << 14
"""Points of a series from which on its rollups are looked for."""

RunKey = tuple[str, str]


class Curve(NamedTuple):
    """The buckets of a series."""

    run_id: str
    key: str
    buckets: Rollups


class Downsampler:
    """Reads buckets."""

    def __init__(self, scans: Scans, charts: Charts) -> None:
        self._scans = scans
        self._charts = charts

    async def get(
        self, selection: Selection, buckets: int, counts: Mapping[RunKey, int]
    ) -> AsyncIterator[Curve]:
        """At most so many buckets of each series, by run and key; maybe none of one without such points.

        Buckets are as :meth:`Charts.get` gives them. ``counts``: about how many points each series has.

        Raises:
            SegmentCorruptError, SegmentMissingError: a segment that is needed is damaged.
            CatalogUnavailableError: try again.
        """
        choice = Choice(selection.run_ids, selection.keys)
        long = []
        if selection.writers is None and selection.ranks is None:  # rollups do not know who wrote what
            after = -1
            if selection.after is not None:
                after = choice.rank(*selection.after[:2]) - (selection.after.key not in choice.keys)
            long = [choice.rank(*series) for series, count in counts.items() if count > _LONG]
            long = sorted(rank for rank in long if rank > after)
        async for rank, curve in self._short(replace(selection, without=frozenset(long)), choice, buckets):
            while long and long[0] < rank:
                yield await self._chart(selection, buckets, choice.series(long.pop(0)))
            yield curve
        for rank in long:
            yield await self._chart(selection, buckets, choice.series(rank))

    async def _short(
        self, selection: Selection, choice: Choice, buckets: int
    ) -> AsyncIterator[tuple[int, Curve]]:
        curves = _Curves(choice, buckets)
        async for piece in self._scans.scan(selection):
            for found in await asyncio.to_thread(curves.add, piece):
                yield found
        for found in curves.finish():
            yield found

    async def _chart(self, selection: Selection, buckets: int, series: RunKey) -> Curve:
        return Curve(*series, await self._charts.get(Wanted(*series, buckets, *selection.steps)))


@dataclass(slots=True)
class _Curves:
    """Makes buckets of points that come series after series."""

    choice: Choice
    buckets: int
    series: RunKey | None = None
    rest: Rest = field(default_factory=Rest)

    def add(self, piece: Piece) -> list[tuple[int, Curve]]:
        """More points; the series that are complete now, with their ranks."""
        complete: list[tuple[int, Curve]] = []
        begin = 0
        for run_id, key, count in piece.series:
            if (run_id, key) != self.series:
                complete += self.finish()
                self.series, self.rest = (run_id, key), Rest()
            part = piece.part
            end = begin + count
            self.rest.add(Points(part.step[begin:end], part.value[begin:end]))
            begin = end
        return complete

    def finish(self) -> Iterator[tuple[int, Curve]]:
        """The last series."""
        if self.series is not None:
            curve = Curve(*self.series, self.rest.buckets(self.buckets))
            yield self.choice.rank(*self.series), curve
            self.series = None
