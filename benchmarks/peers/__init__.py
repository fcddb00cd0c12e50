"""Other trackers, measured the way ours is: ``python -m benchmarks --peers wandb,mlflow-async``.

Each file logs with one tracker: ``open_run(folder)`` gives a function that logs a dictionary at a step and
one that returns when everything is flushed. A tracker runs in an environment of its own (``.cache/peers``,
made by ``make bench-peers``), for their requirements contradict each other; only its file imports it.
"""

from typing import NamedTuple


class Peer(NamedTuple):
    """A tracker and how its author means it to be used."""

    requirements: tuple[str, ...]
    module: str
    """The file below this package."""
    mode: str = ""
    """Passed to ``open_run`` as ``HEADRACE_BENCH_MODE``."""
    sends: bool = False
    """Whether points go to a server; else they stay in local files."""
    calls: int = 100_000
    """At most so many a run: what is flushed at hundreds of points per second must end some day."""
    ours: bool = False
    """Whether its environment also has Headrace, with what makes it a plugin of that tracker."""
    durable: str = "no"
    """What has happened to a point when the call returns, as far as its code and documents say."""


MLFLOW = ("mlflow==3.17.2", "psycopg2-binary==2.9.13")

PEERS = {
    "trackio": Peer(("trackio==0.43.0",), "trackio_"),
    "tensorboardx": Peer(("tensorboardX==2.6.5",), "tensorboardx_"),
    "swanlab": Peer(("swanlab==0.10.3",), "swanlab_"),
    "aim": Peer(("aim==3.29.1", "setuptools<81"), "aim_", durable="page cache"),
    "wandb": Peer(("wandb==0.31.0",), "wandb_"),
    "neptune": Peer(("neptune-scale==0.30.0",), "neptune_", durable="yes, local SQLite"),
    "mlflow-async": Peer(MLFLOW, "mlflow_", "async", sends=True, calls=1_000, ours=True),
    "mlflow-sync": Peer(MLFLOW, "mlflow_", "sync", sends=True, ours=True, durable="yes"),
}
