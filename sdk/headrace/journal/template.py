"""Template: the cells of one point of each of several series, ready but for what each call changes."""

from array import array
from collections.abc import Sequence
from typing import Any

from headrace import loaded
from headrace.journal.columns import STEP, TIMESTAMP, VALUE, WORDS
from headrace_proto.wire import CELL_SIZE, GIVEN_HEAD


class Template:
    """One cell of each series; filled in and copied by one call at a time."""

    __slots__ = ("_cells", "_columns", "_given", "_heads", "_numbers", "_values")

    def __init__(self, heads: Sequence[int]) -> None:
        """``heads``: the first words of the series' cells."""
        self._cells = memoryview(bytearray(len(heads) * CELL_SIZE))
        words = self._cells.cast("q")
        self._heads = memoryview(array("q", heads))
        words[::WORDS] = self._heads
        self._given = False
        self._columns: tuple[Any, Any] = words[STEP::WORDS], words[TIMESTAMP::WORDS]
        self._numbers = [0, 0]
        self._values = self._cells.cast("d")[VALUE::WORDS]
        if numpy := loaded.numpy():  # fills a column five times as fast
            step, timestamp = self._columns
            self._columns = numpy.asarray(step), numpy.asarray(timestamp)

    def filled(self, values: bytes, step: int, timestamp: int, *, given: bool) -> memoryview:
        """The cells with ``values`` (float64), until the next call; ``OverflowError`` beyond 64 bits."""
        if given != self._given:
            heads = [head + GIVEN_HEAD * given for head in self._heads]
            self._cells.cast("q")[::WORDS] = memoryview(array("q", heads))
            self._given = given
        numbers = self._numbers
        for place, number in enumerate((step, timestamp)):
            if numbers[place] == number:
                continue
            column = self._columns[place]
            if isinstance(column, memoryview):
                column[:] = memoryview(array("q", (number,)) * len(column))
            else:
                column.fill(number)
            numbers[place] = number
        self._values[:] = memoryview(values).cast("d")
        return self._cells
