"""Points that come in parts, in order, of which only what is not complete yet is in memory.

By step: series for series, those of one step as they were logged. As logged: of one series, by order time.
What a writer logged stands in the order of its sequence.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from headrace_storage.segments.choice import Part, joined

Place = tuple[int, ...]
"""Where points stand: rank, step, order time, place of the writer, sequence; as logged, the last three.
Also the beginning of that, which is below all places that begin so."""

Keys = list[NDArray[np.int64]]


class WriterTable:
    """Writers by number, and their order."""

    def __init__(self) -> None:
        self.writers: list[UUID] = []
        self._codes: dict[UUID, int] = {}
        self._places: NDArray[np.int64] = np.empty(0, np.int64)

    def code(self, writer: UUID) -> int:
        """The number of a writer, from now on."""
        code = self._codes.setdefault(writer, len(self.writers))
        if code == len(self.writers):
            self.writers.append(writer)
        return code

    def places(self) -> NDArray[np.int64]:
        """The place of each among all that there are now."""
        if len(self._places) != len(self.writers):
            order = sorted(range(len(self.writers)), key=lambda code: self.writers[code].int)
            self._places = np.empty(len(order), np.int64)
            self._places[order] = np.arange(len(order))
        return self._places


class Held:
    """Sorted parts, of which what is complete is taken."""

    def __init__(self, table: WriterTable, most: int, *, as_logged: bool = False) -> None:
        """At ``most`` so many points are held, after a part was added; others are dropped, the last ones."""
        self._table = table
        self._most = most
        self._as_logged = as_logged
        self._parts: list[Part] = []
        self.ceiling: Part | None = None
        """The last point that was not dropped, when others were: what comes after it is not held either."""

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def place(self, part: Part, at: int = -1) -> Place:
        """Where a point of it stands among those of the writers that are known now."""
        return tuple(int(column[at]) for column in self._keys(part))

    def add(self, part: Part, after: Part | None) -> None:
        """More points; those up to the point ``after``, and what comes after the ceiling, are left out."""
        part = self._sorted(part)
        begin = 0 if after is None else self._below(part, self.place(after))[1]
        end = len(part) if self.ceiling is None else self._below(part, self.place(self.ceiling))[0]
        if begin < end:
            self._parts.append(part.of(slice(begin, end)))
        if len(self) > self._most:
            # Half of it, so that the next part does not mean sorting all of them again.
            kept = self._sorted(joined(self._parts)).of(slice(self._most // 2))
            self._parts, self.ceiling = [kept], kept.of(slice(-1, None))

    def take_below(self, line: Place | None) -> Part | None:
        """Gives away what lies below ``line``; with ``None``, everything."""
        if not self._parts:
            return None
        cuts = [len(part) if line is None else self._below(part, line)[0] for part in self._parts]
        taken = [part.of(slice(cut)) for part, cut in zip(self._parts, cuts, strict=True) if cut]
        self._parts = [
            part.of(slice(cut, None)) for part, cut in zip(self._parts, cuts, strict=True) if cut < len(part)
        ]
        return self._sorted(joined(taken)) if taken else None

    def _keys(self, part: Part) -> Keys:
        logged = [part.order_time, self._table.places()[part.writer], part.sequence]
        return logged if self._as_logged else [part.rank, part.step, *logged]

    def _sorted(self, part: Part) -> Part:
        keys = self._keys(part)
        return part if ascends(keys) else part.of(np.lexsort(keys[::-1]))

    def _below(self, part: Part, place: Place) -> tuple[int, int]:
        """How many points lie below a place, or below its end, in a sorted part."""
        low, high = 0, len(part)
        for column, bound in zip(self._keys(part), place, strict=False):
            inside = column[low:high]
            low, high = (
                low + int(np.searchsorted(inside, bound)),
                low + int(np.searchsorted(inside, bound, "right")),
            )
        return low, high


def ascends(keys: Sequence[NDArray[Any]]) -> bool:
    """Whether rows, whose columns are given, the first one first, stand in order."""
    follows: Any = True
    for column in reversed(keys):
        before, after = column[:-1], column[1:]
        follows = (after > before) | ((after == before) & follows)
    return bool(np.all(follows))
