"""The workloads by name. To add one: a file with a ``run`` whose docstring is a line, and its entry here.

A ``run`` takes the number of points to log, to the daemon of the environment; asserts that they arrived; and
returns what it measured. The name of a figure ends in its unit: ``_us``, ``_ms``, ``_per_s``.
"""

from collections.abc import Callable, Mapping

from benchmarks.workloads import call_cost, charts, import_time, retry, scalar, search, series, wait_latency

WORKLOADS: dict[str, Callable[[int], Mapping[str, float]]] = {
    "call-cost": call_cost.run,
    "scalar": scalar.run,
    "series": series.run,
    "charts": charts.run,
    "search": search.run,
    "wait-latency": wait_latency.run,
    "retry": retry.run,
    "import-time": import_time.run,
}
