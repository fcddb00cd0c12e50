"""The workloads by name. To add one: a file with a ``run`` whose docstring is a line, and its entry here.

A ``run`` takes the number of points to log, to the daemon of the environment; asserts that they arrived; and
returns what it measured. The name of a figure ends in its unit: ``_us``, ``_ms``, ``_per_s``; ``X_at_N`` is
the point of a curve X at N.
"""

from collections.abc import Callable, Mapping

from benchmarks.workloads import (
    artifacts,
    artifacts_peers,
    batch,
    call_cost,
    charts,
    growth,
    import_time,
    memory,
    reads,
    rest,
    retry,
    scalar,
    search,
    series,
    storage_size,
    training,
    wait_latency,
    workers,
)

Workload = Callable[[int], Mapping[str, float]]

LIGHT: dict[str, Workload] = {
    "call-cost": call_cost.run,
    "scalar": scalar.run,
    "batch": batch.run,
    "series": series.run,
    "charts": charts.run,
    "wait-latency": wait_latency.run,
    "wait-loaded": wait_latency.loaded,
    "retry": retry.run,
    "import-time": import_time.run,
}

HEAVY: dict[str, Workload] = {
    "search": search.run,
    "growth-writers": growth.writers,
    "growth-runs": growth.runs,
    "growth-series": growth.series,
    "growth-stored": growth.stored,
    "growth-billion": growth.billion,
    "growth-snapshot": growth.snapshot,
    "memory-backlog": memory.backlog,
    "memory-keys": memory.keys,
    "memory-client": memory.client,
    "storage-size": storage_size.run,
    "reads-history": reads.history,
    "reads-chart": reads.chart,
    "reads-pages": reads.pages,
    "rest": rest.run,
    "workers": workers.run,
    "artifacts-large": artifacts.large,
    "artifacts-small": artifacts.small,
    "artifacts-peers": artifacts_peers.run,
    "training-loss": training.loss,
    "training-checkpoint": training.checkpoint,
}
"""Those that run only when they are named: each takes a minute or so, most with daemons of their own."""

WORKLOADS = LIGHT | HEAVY
