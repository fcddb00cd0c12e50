"""A chart of a long series, right after it was logged: what a page that shows it waits for."""

from statistics import median
from time import perf_counter

import numpy as np

import headrace

CALLS = 10
"""Arrays of ``points`` each."""

CHARTS = 15
BUCKETS = 1000


def run(points: int) -> dict[str, float]:
    """Milliseconds for 1,000 buckets of ten times the points: the first time, again, and of a tenth of it."""
    total = CALLS * points
    values = np.random.default_rng(3).normal(size=total).cumsum()
    values[total // 3] = values.max() + 1.0
    steps = np.arange(total)
    with headrace.start_run(run_name="charts") as started:
        for first in range(0, total, points):
            operation = headrace.log_series(
                "loss", values[first : first + points], steps[first : first + points]
            )
        operation.wait()
    client, run_id = headrace.Client(), started.info.run_id

    def chart(first_step: int, last_step: int) -> float:
        began = perf_counter()
        got = client.get_metric_chart(
            run_id, "loss", buckets=BUCKETS, first_step=first_step, last_step=last_step
        )
        took = perf_counter() - began
        part = values[first_step : last_step + 1]
        assert len(got.counts) <= BUCKETS
        assert (sum(got.counts), min(got.mins), max(got.maxs)) == (len(part), part.min(), part.max())
        return took * 1e3

    first_ms = chart(0, total - 1)
    whole = [chart(0, total - 1) for _ in range(CHARTS)]
    tenth = [chart(total // 4, total // 4 + total // 10) for _ in range(CHARTS)]
    return {"first_ms": first_ms, "chart_ms": median(whole), "window_ms": median(tenth)}
