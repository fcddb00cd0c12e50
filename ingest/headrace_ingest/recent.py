"""Points that were logged a moment ago, so that the same one sent again counts once. No I/O."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace_proto.wire import CELL_SIZE

_GENERATION: Final = 1 << 17
"""Points; twice as many are known at most: about 40 MiB."""


class Fresh(NamedTuple):
    """What is left of points when those that are known are taken out."""

    cells: NDArray[np.void]
    known: Sequence[int]
    """Where the others were logged."""


class Recent:
    """The cells of the last points of one writer, by which sequence they have.

    A cell tells run, key, step, timestamp and value. Whole cells are kept, not hashes of them: no two points
    are taken for one.
    """

    def __init__(self, generation: int = _GENERATION) -> None:
        self._generation = generation
        self._newer: dict[bytes, int] = {}
        self._older: dict[bytes, int] = {}

    def fresh(self, cells: NDArray[np.void], first: int) -> Fresh:
        """Those of ``cells`` that are not known, each once; known from now on, from sequence ``first`` on."""
        given: list[bytes] = np.frombuffer(cells.tobytes(), f"V{CELL_SIZE}").tolist()
        new = set(given).difference(self._newer).difference(self._older)
        if len(self._newer) + len(new) > self._generation:
            self._newer, self._older = {}, self._newer
        if len(new) == len(given):
            self._newer.update(zip(given, range(first, first + len(given)), strict=True))
            return Fresh(cells, ())
        known = [self._newer.get(cell, self._older.get(cell, -1)) for cell in set(given) - new]
        positions = {cell: number for number, cell in reversed(list(enumerate(given))) if cell in new}
        which = sorted(positions.values())
        self._newer.update(zip(map(given.__getitem__, which), range(first, first + len(which)), strict=True))
        return Fresh(cells[which], [sequence for sequence in known if sequence >= 0])

    def forget(self, sequences: AbstractSet[int]) -> None:
        """The points with these sequences were refused: who sends one again hears why."""
        for known in (self._newer, self._older):
            for cell in [cell for cell, sequence in known.items() if sequence in sequences]:
                del known[cell]
