"""The least that a loop in Python needs to put points into a mapped file: log_metric is measured against it.

One ``struct.pack_into`` for each point, of the same 32 bytes with the same clock, into a file that is mapped
whole. No call of a function of ours, no lock, no check of an argument, no key looked up, nothing that ships.
"""

import mmap
import os
import struct
import tempfile
import time
from collections.abc import Sequence

CELL = struct.Struct("<BBHIqqd")


def pack(values: Sequence[float]) -> float:
    """Seconds to write a cell for each value."""
    with tempfile.TemporaryFile(prefix="headrace-bench-") as file:
        os.truncate(file.fileno(), CELL.size * len(values))
        with mmap.mmap(file.fileno(), 0) as cells:
            pack_into, time_ns = CELL.pack_into, time.time_ns
            began = time.perf_counter()
            for step, value in enumerate(values):
                pack_into(cells, 32 * step, 1, 0, 0, 0, step, time_ns() // 1_000_000, value)
            took = time.perf_counter() - began
            assert CELL.unpack_from(cells, 32 * (len(values) - 1))[6] == values[-1]
    return took
