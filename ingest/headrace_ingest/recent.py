"""Points that were logged a moment ago, so that the same one sent again counts once. No I/O."""

from collections.abc import Iterator
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
        new = list(self._new(cells.tobytes()))
        if len(self._newer) >= self._generation:
            self._newer, self._older = set(), self._newer
        return cells if len(new) == len(cells) else cells[new]

    def _new(self, data: bytes) -> Iterator[int]:
        newer, older = self._newer, self._older
        for number, at in enumerate(range(0, len(data), CELL_SIZE)):
            cell = data[at : at + CELL_SIZE]
            if cell not in newer and cell not in older:
                newer.add(cell)
                yield number
