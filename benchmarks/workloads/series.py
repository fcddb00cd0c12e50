"""One process, arrays: what a simulation, an evaluation or an import logs."""

from time import perf_counter

import numpy as np

import headrace
from benchmarks.readback import assert_arrived

CALLS = 10
"""Arrays of ``points`` each: a run logs ten times what the other workloads do."""


def run(points: int) -> dict[str, float]:
    """Points per second by log_series with arrays from one process, until the last one is durable."""
    values = np.random.default_rng(3).normal(size=CALLS * points).cumsum()
    steps = np.arange(CALLS * points)
    with headrace.start_run(run_name="series") as started:
        began = perf_counter()
        for first in range(0, CALLS * points, points):
            part = slice(first, first + points)
            operation = headrace.log_series("loss", values[part], steps[part])
        operation.wait()
        durable = perf_counter()
    assert_arrived(started.info.run_id, "loss", steps, values)
    return {"durable_per_s": CALLS * points / (durable - began)}
