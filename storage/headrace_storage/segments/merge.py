"""Many sorted segments into one sorted stream of points, of which only a part is in memory.

Each source gives its points chunk by chunk (row groups), and says below what nothing more will come. What
lies below that line in all sources is complete: it is sorted, and leaves. Then the source whose line is
lowest is read on. So about one chunk of each source is held, whatever the number of points. More is held
only while a series of many chunks goes through whose steps do not ascend.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace_storage.model import Rows, Series
from headrace_storage.segments.columns import concat, look_up, order_of, sort_by_series, steps_ascend, take
from headrace_storage.segments.names import MANY, Names, joined

_NO_SERIES = np.uint32(0)

Place = tuple[Series, int]
"""Where points stand in the order: a series and a step."""


class Chunk(NamedTuple):
    """A part of a source, and the place below which nothing comes after it; ``None``: nothing comes."""

    rows: Rows
    rest_from: Place | None


class Merge:
    """The points of all sources by series and step; what is equal stays in the order of the sources.

    A source's chunks are sorted by series; within one, steps may stand in any order.
    """

    def __init__(self, sources: Sequence[Iterator[Chunk]], piece: int) -> None:
        """``piece``: the points that are given at once."""
        self._sources = [_Source(chunks) for chunks in sources]
        self._piece = piece
        self.most_held = 0
        """The most points that were in memory at a time, beside the piece that is given."""

    def __iter__(self) -> Iterator[Rows]:
        """All points, ``piece`` at a time, of which only the last one may be smaller."""
        for source in self._sources:
            source.read()
        short: list[Rows] = []
        while True:
            self.most_held = max(self.most_held, sum(map(len, short)) + sum(s.held for s in self._sources))
            line = min((s.rest_from for s in self._sources if s.rest_from is not None), default=None)
            ready = [rows for source in self._sources for rows in source.take_below(line)]
            if ready or line is None:
                ready, short = short + ready, []
                for rows in _sorted_pieces(ready, self._piece):
                    if len(rows) == self._piece or line is None:
                        yield rows
                    else:
                        short = [rows]
            if line is None:
                return
            del ready
            next(source for source in self._sources if source.rest_from == line).read()


class _Source:
    """What was read of a source and has not left."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self._waiting: list[Rows] = []
        self._sizes: list[int] = []
        self.rest_from: Place | None = None

    @property
    def held(self) -> int:
        """Points in memory: a chunk stays until the last one of it has left."""
        return sum(self._sizes)

    def read(self) -> None:
        """Take the next chunk."""
        rows, self.rest_from = next(self._chunks)
        if len(rows):
            self._waiting.append(sort_by_series(rows, by_step=True))
            self._sizes.append(len(rows))

    def take_below(self, line: Place | None) -> list[Rows]:
        """Give away what lies below ``line``; all of it when that is ``None``."""
        cuts = [len(rows) if line is None else _below(rows, line) for rows in self._waiting]
        taken = [_part(rows, 0, cut) for rows, cut in zip(self._waiting, cuts, strict=True) if cut]
        left = [
            (_part(rows, cut, len(rows)), size)
            for rows, cut, size in zip(self._waiting, cuts, self._sizes, strict=True)
            if cut < len(rows)
        ]
        self._waiting, self._sizes = [rows for rows, _ in left], [size for _, size in left]
        return taken


def _below(rows: Rows, line: Place) -> int:
    """How many of the sorted points lie below ``line``."""
    series, step = line
    codes = bisect_left(rows.series_table, series), bisect_right(rows.series_table, series)
    low, high = np.searchsorted(rows.series, codes)
    return int(low + np.searchsorted(rows.step[low:high], step))


def _part(rows: Rows, start: int, stop: int) -> Rows:
    """Some of the sorted points, without copying them, and of the table only what they use."""
    part = take(rows, slice(start, stop))
    low, high = int(part.series[0]), int(part.series[-1]) + 1
    if high - low == len(rows.series_table):
        return part
    return replace(part, series=part.series - np.uint32(low), series_table=rows.series_table[low:high])


def _sorted_pieces(parts: Sequence[Rows], size: int) -> Iterator[Rows]:
    """The points of sorted parts together, sorted, ``size`` at a time.

    Only series and steps are there twice as a whole: the other columns are gathered for each piece. A piece
    takes of each part what comes next there, as each is sorted.
    """
    if not parts:
        return
    table, series, order = _order(parts)
    # Without their series, which the pieces get from the common table, parts are joined quickly.
    parts = [replace(part, series=np.broadcast_to(_NO_SERIES, len(part)), series_table=()) for part in parts]
    offsets = np.cumsum([0, *map(len, parts)])
    begin = np.zeros(len(parts), np.int64)
    for start in range(0, len(series), size):
        codes = series[start : start + size]
        positions = np.arange(start, start + len(codes)) if order is None else order[start : start + size]
        source = np.searchsorted(offsets, positions, "right") - 1
        counts = np.bincount(source, minlength=len(parts))
        end = begin + counts
        gathered = concat(
            [
                take(part, slice(a, b))
                for part, a, b in zip(parts, begin.tolist(), end.tolist(), strict=True)
                if a < b
            ]
        )
        # Where a part's points lie in what is gathered, less where they lie in all parts.
        shift = np.cumsum(counts) - counts - begin - offsets[:-1]
        piece = take(gathered, positions + shift[source])
        yield _part(replace(piece, series=codes, series_table=table), 0, len(piece))
        begin = end


def _order(
    parts: Sequence[Rows],
) -> tuple[Sequence[Series], NDArray[np.uint32], NDArray[np.intp] | None]:
    """All series, ascending; the sorted ones of the points, as codes into these; and the points' order."""
    table, maps = _table([part.series_table for part in parts])
    series = np.concatenate([look_up(m, part.series) for m, part in zip(maps, parts, strict=True)])
    step = np.concatenate([part.step for part in parts])
    order = order_of(series, len(table))
    if order is not None:
        series, step = series[order], step[order]
    if not steps_ascend(series, step):
        by_step = np.lexsort((step, series))
        order = by_step if order is None else order[by_step]
    return table, series, order


def without_runs(chunks: Iterator[Chunk], run_ids: Collection[str]) -> Iterator[Chunk]:
    """A source without the points of these runs."""
    left_out = frozenset(run_ids)
    for rows, rest_from in chunks:
        kept = np.fromiter((series.run_id not in left_out for series in rows.series_table), np.bool_)
        yield Chunk(rows if kept.all() else _only(rows, kept), rest_from)


def _only(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    """The points of some series, and no names of others."""
    table = rows.series_table
    names = (
        Names.of(table).take(np.flatnonzero(kept)).narrowed()
        if len(kept) >= MANY
        else ([series for series, is_kept in zip(table, kept.tolist(), strict=True) if is_kept])
    )
    code_of = np.cumsum(kept, dtype=np.uint32) - np.uint32(1)
    chosen = take(rows, look_up(kept, rows.series))
    return replace(chosen, series=look_up(code_of, chosen.series), series_table=names)


def _table(tables: Sequence[Sequence[Series]]) -> tuple[Sequence[Series], list[NDArray[np.uint32]]]:
    """The series of all tables, ascending, and where those of each stand there."""
    sizes = list(map(len, tables))
    if sum(sizes) < MANY:
        table = sorted(set(chain.from_iterable(tables)))
        place = {series: code for code, series in enumerate(table)}
        return table, [np.array([place[entry] for entry in part], np.uint32) for part in tables]
    ranks, names = joined(tables).ranked()
    return names, np.split(ranks, np.cumsum(sizes)[:-1])
