"""MLflow's own Python client against MLflow's server and ours: ``make bench-mlflow``.

``__main__`` starts both servers and asks in turn, ``client`` is what runs in the environment with MLflow,
``raw`` sends the same requests without the cost of that client, ``nothing`` is a store that keeps nothing.
"""

from typing import Final, NamedTuple

POINTS: Final = 1000
"""Of a log_batch: the most that MLflow takes."""

KEYS: Final = 10
"""In a batch."""

HISTORY: Final = 100_000
RUNS: Final = 1000

QUEUED: Final = 500
"""Asynchronous calls that wait when a run ends."""

CONNECTIONS: Final = (1, 4)
PROCESSES: Final = 4

QUESTIONS: Final = {
    "log-metric": "asynchronous log_metric in a loop, then flush_async_logging",
    "log-metric-registry": "the same with MLFLOW_REGISTRY_URI set, so that no call looks for Spark",
    "log-metric-client": "the same by MlflowClient, which is made once",
    "log-batch": "synchronous log_batch of 1,000 points",
    "log-batch-processes": f"the same from {PROCESSES} processes at once",
    "requests": "the same requests and reads without the client, which takes longer than ours to answer",
    "history": "100,000 points of a metric as a list of objects",
    "search": "1,000 runs as objects; half of them by a filter, in order",
    "end-run": f"end_run, with {QUEUED} asynchronous log_metric queued, and with none",
}


class Target(NamedTuple):
    """What MLflow's client talks to, and how much is asked of it: each for some seconds."""

    calls: int
    """Of log_metric."""
    batches: int
    """Of log_batch; a quarter of them by each process of several."""
    requests: int = 0
    """By each connection; 0: it takes no requests."""
    keeps: bool = True
    """Whether anything can be read from it."""


TARGETS: Final = {
    "mlflow": Target(calls=500, batches=20, requests=10),
    "rest": Target(calls=1000, batches=50, requests=100),
    "plugin": Target(calls=20_000, batches=100),
    "nothing": Target(calls=20_000, batches=100, keeps=False),
    "nothing-queued": Target(calls=2000, batches=100, keeps=False),
}
"""``mlflow``: its server on PostgreSQL, as shipped. ``rest``, ``plugin``: our daemon. ``nothing``:
a store that returns at once, the most that a store can let MLflow's client do; ``nothing-queued``: one behind
MLflow's own queue and threads, as most of its stores are."""


def asked(question: str, target: str) -> bool:
    """Whether the question makes sense for the target."""
    if question == "requests":
        return TARGETS[target].requests > 0
    if question.startswith("log-metric"):
        return True
    return target != "nothing-queued" and (TARGETS[target].keeps or question == "log-batch")
