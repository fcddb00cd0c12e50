"""How long durability takes when nothing else goes on."""

from time import perf_counter_ns, sleep

import numpy as np

import headrace
from benchmarks.readback import assert_arrived
from benchmarks.workloads.timing import percentile

PAUSE = 0.002
"""Seconds between two operations: each finds the daemon idle."""


def run(points: int) -> dict[str, float]:
    """Milliseconds from log_metric until its wait() returns, one operation at a time on an idle daemon."""
    values = np.random.default_rng(4).normal(size=points // 1000)
    samples = []
    with headrace.start_run(run_name="wait-latency") as started:
        for step, value in enumerate(values.tolist()):
            sleep(PAUSE)
            before = perf_counter_ns()
            headrace.log_metric("loss", value, step).wait()
            samples.append(perf_counter_ns() - before)
    assert_arrived(started.info.run_id, "loss", np.arange(len(values)), values)
    return {"p50_ms": percentile(samples, 50) / 1e6, "p99_ms": percentile(samples, 99) / 1e6}
