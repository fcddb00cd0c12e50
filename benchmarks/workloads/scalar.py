"""One process, one metric per call: the common way to log."""

from time import perf_counter

import numpy as np

import headrace
from benchmarks.readback import assert_arrived


def run(points: int) -> dict[str, float]:
    """Points per second by log_metric from one process, until the last one is durable."""
    values = np.random.default_rng(2).normal(size=points)
    as_floats = values.tolist()
    with headrace.start_run(run_name="scalar") as started:
        began = perf_counter()
        for step, value in enumerate(as_floats):
            operation = headrace.log_metric("loss", value, step)
        logged = perf_counter()
        operation.wait()
        durable = perf_counter()
    assert_arrived(started.info.run_id, "loss", np.arange(points), values)
    return {"durable_per_s": points / (durable - began), "logged_per_s": points / (logged - began)}
