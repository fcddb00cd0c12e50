"""Cells by column, for the way to the daemon: what repeats from cell to cell travels once.

One array, or calls with the same metrics step after step, leave cells that differ in little but their
values. By column they are a quarter of the bytes, and each has its price in protobuf, gRPC and the kernel.
NumPy does it where the training has it loaded; without it, cells travel as they lie.
"""

from types import ModuleType
from typing import Any

from headrace import loaded
from headrace_proto.v1 import ingest_pb2
from headrace_proto.wire import CELL_SIZE, METRIC

LEAST_CELLS = 512
"""Fewer are quicker sent than looked at."""

LEAST_ROWS = 4
"""Fewer rows in a message save little."""


def by_column(cells: bytes, append: ingest_pb2.Append) -> bool:
    """Puts ``cells`` into ``append.columns``; false, and nothing is put, where they do not repeat so."""
    numpy = loaded.numpy()
    count = len(cells) // CELL_SIZE
    if numpy is None or count < LEAST_CELLS:
        return False
    heads, steps, timestamps, values = numpy.frombuffer(cells, "<i8").reshape(count, -1).T.copy()
    width = _width(numpy, heads)
    row = heads[:width]
    if width == 0 or (row & 0xFF != METRIC).any():
        return False
    skipped = _skipped(numpy, steps, width)
    columns = append.columns
    columns.count, columns.skipped = count, skipped
    columns.heads = numpy.roll(row, skipped).tobytes()
    _fill(numpy, columns.steps, steps, width, skipped)
    _fill(numpy, columns.timestamps, timestamps, width, skipped)
    columns.values = values.tobytes()
    return True


def _width(numpy: ModuleType, heads: Any) -> int:
    """After how many cells the heads repeat; 0 when they do not, or not often."""
    again = numpy.flatnonzero(heads[1 : len(heads) // LEAST_ROWS + 1] == heads[0])
    width = int(again[0]) + 1 if len(again) else 0
    return width if width and numpy.array_equal(heads[width:], heads[:-width]) else 0


def _skipped(numpy: ModuleType, steps: Any, width: int) -> int:
    """How many cells of the first row were sent before: a row ends where its step does."""
    if width == 1:
        return 0
    changes = numpy.flatnonzero(steps[1 : width + 1] != steps[:width])
    return int(-(changes[0] + 1) % width) if len(changes) else 0


def _fill(numpy: ModuleType, numbers: ingest_pb2.Numbers, column: Any, width: int, skipped: int) -> None:
    rows = column
    if width > 1:
        places = numpy.arange(0, len(column) + skipped, width) - skipped
        places[0] = 0
        rows = column[places]
        if not numpy.array_equal(numpy.repeat(rows, width)[skipped : skipped + len(column)], column):
            numbers.each = column.tobytes()
            return
    strides = rows[1:] - rows[:-1]
    if len(strides) and (strides == strides[0]).all():
        numbers.first, numbers.stride = int(rows[0]), int(strides[0])
    else:
        numbers.each = rows.tobytes()
