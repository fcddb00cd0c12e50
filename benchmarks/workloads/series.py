"""One process, arrays: what a simulation, an evaluation or an import logs. The reference pipeline in turn."""

from time import perf_counter

import numpy as np

import headrace
from benchmarks import machine, reference
from benchmarks.lasting import lasting
from benchmarks.readback import assert_arrived

CALLS = 10
"""Arrays of ``points`` each: a run logs ten times what the other workloads do."""


def run(points: int) -> dict[str, float]:
    """Points per second by log_series from one process until durable, and the reference pipeline's."""
    values = np.random.default_rng(3).normal(size=CALLS * points).cumsum()
    steps = np.arange(CALLS * points)
    arrays = [
        reference.Series(steps[first : first + points], values[first : first + points])
        for first in range(0, CALLS * points, points)
    ]
    client, folder = lasting(reference.pipeline)

    machine.settle()
    with headrace.start_run(run_name="series") as started:
        began = perf_counter()
        for part in arrays:
            operation = headrace.log_series("loss", part.values, part.steps)
        operation.wait()
        ours = perf_counter() - began
    assert_arrived(started.info.run_id, "loss", steps, values)

    machine.settle()
    began = perf_counter()
    reference.put(client, "loss", arrays)
    theirs = perf_counter() - began
    reference.assert_stored(folder, steps, values)

    return {
        "durable_per_s": CALLS * points / ours,
        "reference_per_s": CALLS * points / theirs,
        "ratio_to_reference": theirs / ours,
    }
