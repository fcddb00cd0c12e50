"""Turning what a user passes into columns of 8-byte numbers, and saying what was wrong when it can't be."""

import struct
from array import array
from collections.abc import Mapping
from typing import Any, Literal

from headrace import loaded
from headrace.errors import InvalidArgumentError
from headrace_proto.wire import CELL_SIZE

WORDS = CELL_SIZE // 8
STEP, TIMESTAMP, VALUE = 1, 2, 3
"""Places of a metric cell's 8-byte words; word 0 is its head."""

Code = Literal["d", "q"]

_EXPECTED = {
    "d": "a sequence or one-dimensional array of numbers",
    "q": "a sequence or array of 64-bit integers",
}
_DTYPE = {"d": "<f8", "q": "<i8"}


def column(name: str, data: Any, code: Code) -> memoryview:
    """``data`` as a one-dimensional memoryview of float64 (``"d"``) or int64 (``"q"``), copied if need be.

    Takes buffers (NumPy, ``array``), tensors, data frame columns and sequences. :class:`InvalidArgumentError`
    names ``name``.
    """
    if hasattr(data, "detach"):  # a tensor, perhaps on an accelerator
        data = data.detach().cpu().numpy()
    if hasattr(data, "to_numpy"):  # a data frame's column
        data = data.to_numpy()
    if hasattr(data, "dtype"):
        data = _converted(name, data, code)
    try:
        view = memoryview(data)
    except TypeError:
        view = memoryview(_from_items(name, data, code))
    if view.ndim != 1:
        raise InvalidArgumentError(name, f"has {view.ndim} dimensions; expected {_EXPECTED[code]}")
    if view.format == "l" and code == "q" and view.itemsize == 8:
        view = view.cast("B").cast("q")
    if view.format != code:
        view = memoryview(_from_items(name, data, code))
    return view


def _converted(name: str, data: Any, code: Code) -> Any:
    kinds = "fiub" if code == "d" else "iu"
    if data.dtype.kind not in kinds:
        raise InvalidArgumentError(name, f"is an array of {data.dtype}; expected {_EXPECTED[code]}")
    if code == "q" and data.dtype == "uint64" and data.size and int(data.max()) >= 1 << 63:
        raise InvalidArgumentError(name, f"holds {data.max()}, above the bound of 2**63 - 1")
    return (
        data.astype(_DTYPE[code], order="C", copy=False)
        if data.flags["C_CONTIGUOUS"]
        else data.astype(_DTYPE[code])
    )


def _from_items(name: str, data: Any, code: Code) -> "array[Any]":
    if isinstance(data, str | bytes):
        raise InvalidArgumentError(name, f"is a {type(data).__name__}; expected {_EXPECTED[code]}")
    try:
        return array(code, data)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(name, f"cannot be read ({error}); expected {_EXPECTED[code]}") from None


def ramp(count: int) -> memoryview:
    """0 to ``count`` - 1 as int64."""
    numpy = loaded.numpy()
    numbers = array("q", range(count)) if numpy is None else numpy.arange(count, dtype="<i8")
    return column("steps", numbers, "q")


class Scratch:
    """Cells of one series on their way into a file: filled column by column, written as they lie.

    The caller's processor caches keep it; in the mapped file each page would cost a fault, and a cell four
    times as much. Strided copies are NumPy's where the training has it loaded: five times as fast.
    """

    def __init__(self, cells: int, head: int, timestamp: int) -> None:
        """Room for so many ``cells``, whose first word and timestamp are these."""
        self._bytes = memoryview(bytearray(cells * CELL_SIZE))
        words = self._bytes.cast("q")
        columns = words[STEP::WORDS], words[TIMESTAMP::WORDS], self._bytes.cast("d")[VALUE::WORDS]
        self._columns: tuple[Any, ...] = columns
        for place, number in ((0, head), (TIMESTAMP, timestamp)):
            words[place::WORDS] = memoryview(array("q", (number,)) * cells)
        if numpy := loaded.numpy():
            self._columns = tuple(numpy.asarray(column) for column in columns)

    def filled(self, steps: memoryview, timestamps: memoryview | None, values: memoryview) -> memoryview:
        """The bytes of as many cells, until the next call. Without ``timestamps``: those from the start."""
        for column_, numbers in zip(self._columns, (steps, timestamps, values), strict=True):
            if numbers is not None:
                column_[: len(numbers)] = numbers
        return self._bytes[: len(values) * CELL_SIZE]


def explain(value: object, step: object, timestamp: object) -> InvalidArgumentError:
    """Which of a point's numbers a cell cannot hold."""
    for name, number in (("step", step), ("timestamp", timestamp)):
        if number is None:
            continue
        if not isinstance(number, int):
            return InvalidArgumentError(
                name, f"is {number!r}, a {type(number).__name__}; expected an integer"
            )
        try:
            struct.pack("<q", number)
        except struct.error:
            return InvalidArgumentError(name, f"is {number}; the bounds are -2**63 and 2**63 - 1")
    return InvalidArgumentError("value", f"is {value!r}, a {type(value).__name__}; expected a number")


def explain_values(metrics: Mapping[str, Any]) -> InvalidArgumentError:
    """Which of the metrics is no number."""
    for key, value in metrics.items():
        try:
            array("d", (value,))
        except TypeError:
            return InvalidArgumentError(
                f"metric {key!r}", f"is {value!r}, a {type(value).__name__}; expected a number"
            )
    return InvalidArgumentError("metrics", "holds something that is no number")
