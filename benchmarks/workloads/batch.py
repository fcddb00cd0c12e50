"""One process, 100 metrics per call: what a training step of a large model logs."""

from time import perf_counter

import numpy as np

import headrace
from benchmarks import machine
from benchmarks.readback import assert_arrived

METRICS = 100
READ_BACK = 7
"""Every so many metrics are compared; of all, the count."""


def run(points: int) -> dict[str, float]:
    """Points per second by log_metrics of 100 from one process, called and until durable."""
    calls = 4 * points // METRICS
    values = np.random.default_rng(5).normal(size=(calls, METRICS))
    keys = [f"metric{place}" for place in range(METRICS)]
    batches = [dict(zip(keys, row, strict=True)) for row in values.tolist()]
    machine.settle()
    with headrace.start_run(run_name="batch") as started:
        began = perf_counter()
        for step, batch in enumerate(batches):
            operation = headrace.log_metrics(batch, step)
        logged = perf_counter() - began
        operation.wait()
        durable = perf_counter() - began
    run_id = started.info.run_id
    counts = headrace.Client().get_metric_summaries(run_id)
    assert {key: summary.count for key, summary in counts.items()} == dict.fromkeys(keys, calls)
    for place in range(0, METRICS, READ_BACK):
        column = np.ascontiguousarray(values[:, place])
        assert_arrived(run_id, keys[place], np.arange(calls), column)
    return {"durable_per_s": calls * METRICS / durable, "logged_per_s": calls * METRICS / logged}
