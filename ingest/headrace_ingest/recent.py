"""Points that were logged a moment ago, so that the same one sent again counts once. No I/O."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace_proto.wire import CELL_SIZE

_GENERATION: Final = 1 << 17
"""Points; twice as many are known at most: about 25 MiB."""


class Recent:
    """The cells of the last points of one writer: a cell tells run, key, step, timestamp and value.

    Whole cells are kept, not hashes of them: no two points are taken for one.
    """

    def __init__(self, generation: int = _GENERATION) -> None:
        self._generation = generation
        self._newer: set[bytes] = set()
        self._older: set[bytes] = set()

    def fresh(self, cells: NDArray[np.void]) -> NDArray[np.void]:
        """Those of ``cells`` that are not known, each once; they are known from now on."""
        given: list[bytes] = np.frombuffer(cells.tobytes(), f"V{CELL_SIZE}").tolist()
        new = set(given).difference(self._newer, self._older)
        if len(self._newer) + len(new) > self._generation:
            self._newer, self._older = set(), self._newer
        self._newer |= new
        if len(new) == len(given):
            return cells
        first = {cell: number for number, cell in reversed(list(enumerate(given))) if cell in new}
        return cells[sorted(first.values())]
