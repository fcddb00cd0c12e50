"""The workloads by name. To add one: a file with a ``run`` whose docstring is a line, and its entry here.

A ``run`` takes the number of points to log, to the daemon of the environment; asserts that they arrived; and
returns what it measured. The name of a figure ends in its unit: ``_us``, ``_ms``, ``_per_s``; ``X_at_N`` is
the point of a curve X at N.
"""

from collections.abc import Callable, Mapping

from benchmarks.workloads import (
    batch,
    call_cost,
    charts,
    import_time,
    retry,
    scalar,
    search,
    series,
    wait_latency,
)

Workload = Callable[[int], Mapping[str, float]]

WORKLOADS: dict[str, Workload] = {
    "call-cost": call_cost.run,
    "scalar": scalar.run,
    "batch": batch.run,
    "series": series.run,
    "charts": charts.run,
    "search": search.run,
    "wait-latency": wait_latency.run,
    "wait-loaded": wait_latency.loaded,
    "retry": retry.run,
    "import-time": import_time.run,
}

HEAVY = frozenset(tuple(WORKLOADS)[9:])
"""Those that run only when they are named."""
