"""Reads a history back and compares it with what was logged."""

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

import headrace


def assert_arrived(run_id: str, key: str, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    """Fails unless the history of ``key`` is these points in this order, by count and checksums."""
    read = headrace.Client().get_metric_columns(run_id, key)
    assert len(read.values) == len(values), f"{len(read.values)} of {len(values)} points arrived"
    assert crc32(read.steps) == crc32(steps.data), "the steps read back are not those logged"
    assert crc32(read.values) == crc32(values.data), "the values read back are not those logged"
