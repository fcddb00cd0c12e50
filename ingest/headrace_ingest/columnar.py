"""Cells that came by column (``Columns`` in ``ingest.proto``), and what they stand for."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from headrace_ingest.admission import malformed
from headrace_proto.v1 import ingest_pb2
from headrace_proto.wire import CELL_SIZE, METRIC

HEAD: Final = np.dtype(
    {
        "names": ["kind", "flags", "series"],
        "formats": ["u1", "u1", "<u4"],
        "offsets": [0, 1, 4],
        "itemsize": 8,
    }
)
"""A cell's first 8 bytes."""

CELL: Final = np.dtype(
    {
        "names": ["kind", "flags", "series", "step", "timestamp", "value", "size", "head"],
        "formats": ["u1", "u1", "<u4", "<i8", "<i8", "<f8", "<u2", "<u8"],
        "offsets": [0, 1, 4, 8, 16, 24, 2, 0],
        "itemsize": CELL_SIZE,
    }
)
"""A cell as it lies; ``size`` is that of a blob record, in cells; ``head`` is all before ``step``."""

_INT64: Final = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Numbers:
    """``each`` row's or cell's number; or those from ``first`` on, ``stride`` apart from row to row."""

    first: int
    stride: int
    each: NDArray[np.int64] | None

    @classmethod
    def of(cls, message: ingest_pb2.Numbers, rows: int, count: int) -> Self:
        """What a message says of so many rows and cells; :class:`RefusedError` if that does not fit."""
        each = np.frombuffer(message.each, "<i8") if message.each and len(message.each) % 8 == 0 else None
        if message.each and (each is None or len(each) not in (rows, count)):
            raise malformed(f"{len(message.each)} bytes of numbers for {rows} rows of {count} cells")
        return cls(message.first, message.stride, each)

    def bounds(self, rows: int) -> tuple[int, int]:
        """The smallest and the largest; beyond 64 bits when ``rows`` strides lead there."""
        if self.each is not None:
            return int(self.each.min()), int(self.each.max())
        last = self.first + self.stride * (rows - 1)
        return min(self.first, last), max(self.first, last)

    def fill(self, out: NDArray[np.int64], width: int, skipped: int) -> None:
        """Puts each cell's number into ``out``: rows of ``width``, without the first ``skipped`` cells."""
        if self.each is None and self.stride == 0:
            out[:] = self.first
        elif self.each is not None and len(self.each) == len(out):
            out[:] = self.each
        else:
            rows = self.each if self.each is not None else self._strides(-(-(skipped + len(out)) // width))
            out[:] = rows if width == 1 else np.repeat(rows, width)[skipped : skipped + len(out)]

    def _strides(self, rows: int) -> NDArray[np.int64]:
        end = self.first + self.stride * rows
        if _INT64.min <= end <= _INT64.max:
            return np.arange(self.first, end, self.stride, dtype=np.int64)
        return np.arange(rows, dtype=np.int64) * self.stride + self.first


@dataclass(frozen=True, slots=True)
class Columns:
    """Metric cells: ``count`` of rows whose heads are ``heads``, without the first ``skipped``."""

    count: int
    skipped: int
    heads: NDArray[Any]
    steps: Numbers
    timestamps: Numbers
    values: NDArray[np.float64]

    @classmethod
    def of(cls, message: ingest_pb2.Columns) -> Self:
        """What a message says. :class:`RefusedError` when its parts do not fit each other."""
        heads, values, count, skipped = message.heads, message.values, message.count, message.skipped
        width, rest = divmod(len(heads), HEAD.itemsize)
        if rest or not skipped < width <= count or len(values) != 8 * count:
            raise malformed(
                f"columns of {count} cells have {len(heads)} bytes of heads, of which {skipped} are skipped, "
                f"and {len(values)} bytes of values"
            )
        row = np.frombuffer(heads, HEAD)
        if (row["kind"] != METRIC).any():
            raise malformed("columns hold cells that are no metrics")
        rows = -(-(skipped + count) // width)
        steps, timestamps = (Numbers.of(each, rows, count) for each in (message.steps, message.timestamps))
        return cls(count, skipped, row, steps, timestamps, np.frombuffer(values, "<f8"))

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        parts = (self.heads, self.steps.each, self.timestamps.each, self.values)
        return sum(part.nbytes for part in parts if part is not None)

    @property
    def rows(self) -> int:
        """How many rows there are, the first and the last perhaps cut."""
        return -(-(self.skipped + self.count) // len(self.heads))

    def fill(self, numbers: Numbers, out: NDArray[np.int64]) -> None:
        """Puts each cell's number into ``out``."""
        numbers.fill(out, len(self.heads), self.skipped)

    def spread(self, of_row: NDArray[Any]) -> NDArray[Any]:
        """What a row's cells have, for each cell; one number for all where they are equal."""
        if len(of_row) == 1:
            return of_row
        return np.tile(of_row, self.rows)[self.skipped : self.skipped + self.count]

    def cells(self) -> memoryview:
        """The cells as they lie in the journal."""
        cells = np.empty(self.count, CELL)
        cells["head"] = self.spread(self.heads.view("<u8"))
        for numbers, name in ((self.steps, "step"), (self.timestamps, "timestamp")):
            column = np.empty(self.count, np.int64)
            self.fill(numbers, column)
            cells[name] = column
        cells["value"] = self.values
        return memoryview(cells.tobytes())
