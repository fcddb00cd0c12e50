"""What a call costs the training loop: it returns once the point is in the journal."""

import gc
from collections.abc import Callable
from time import perf_counter_ns

import numpy as np

import headrace
from benchmarks.readback import assert_arrived
from benchmarks.workloads.timing import percentile

BATCH = 100


def run(points: int) -> dict[str, float]:
    """Microseconds per log_metric and per log_metrics of 100, each call timed, while the shipper runs."""
    values = np.random.default_rng(1).normal(size=points).tolist()
    calls = points // 10 // BATCH
    batches = [
        {f"m{column}": values[row * BATCH + column] for column in range(BATCH)} for row in range(calls)
    ]

    with headrace.start_run(run_name="call-cost") as started:
        single = timed(points, lambda step: headrace.log_metric("loss", values[step], step))
        batched = timed(calls, lambda step: headrace.log_metrics(batches[step], step))

    steps = np.arange(points)
    assert_arrived(started.info.run_id, "loss", steps, np.array(values))
    for column in (0, BATCH - 1):
        logged = np.array(values[column : calls * BATCH : BATCH])
        assert_arrived(started.info.run_id, f"m{column}", steps[:calls], logged)
    empty = timed(points, lambda _step: None)
    overhead = percentile(empty, 50)
    return {
        "log_metric_p50_us": (percentile(single, 50) - overhead) / 1000,
        "log_metric_p99_us": (percentile(single, 99) - overhead) / 1000,
        "log_metrics_100_p50_us": (percentile(batched, 50) - overhead) / 1000,
        "log_metrics_100_p99_us": (percentile(batched, 99) - overhead) / 1000,
        "timer_us": overhead / 1000,
    }


def timed(calls: int, call: Callable[[int], object]) -> list[int]:
    """Nanoseconds of each call, the timer's own included."""
    samples = [0] * calls
    gc.collect()
    for step in range(calls):
        before = perf_counter_ns()
        call(step)
        samples[step] = perf_counter_ns() - before
    return samples
