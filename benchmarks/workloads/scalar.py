"""One process, one metric per call: the common way to log. A bare loop that packs cells in turn."""

from time import perf_counter

import numpy as np

import headrace
from benchmarks import machine
from benchmarks.packing import pack
from benchmarks.readback import assert_arrived


def run(points: int) -> dict[str, float]:
    """Points per second by log_metric from one process, called and until durable, and a bare loop's."""
    values = np.random.default_rng(2).normal(size=points)
    as_floats = values.tolist()
    machine.settle()
    with headrace.start_run(run_name="scalar") as started:
        began = perf_counter()
        for step, value in enumerate(as_floats):
            operation = headrace.log_metric("loss", value, step)
        logged = perf_counter() - began
        operation.wait()
        durable = perf_counter() - began
    assert_arrived(started.info.run_id, "loss", np.arange(points), values)

    machine.settle()
    packed = pack(as_floats)
    return {
        "durable_per_s": points / durable,
        "logged_per_s": points / logged,
        "bare_loop_per_s": points / packed,
        "ratio_to_bare_loop": packed / logged,
    }
