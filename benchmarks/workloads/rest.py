"""MLflow's REST API as its clients use it: batches of 1,000 points, a history, a search."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from benchmarks.daemon import daemon
from benchmarks.rest_client import BEGIN, Connection, bodies, encoded
from benchmarks.workloads.timing import percentile
from headrace_ingest.ports import reserve

BATCH: Final = 1000
"""Points of a request: MLflow's bound."""

KEYS: Final = 10
CLIENTS: Final = (1, 4)
HISTORY: Final = 100_000
RUNS: Final = 1000
READS: Final = 5


def run(points: int) -> dict[str, float]:
    """MLflow's REST API: points per second by log-batch, from 1 and 4 clients; a history and a search."""
    with reserve("127.0.0.1", 0) as reserved:
        port: int = reserved.getsockname()[1]
    arguments = ("--http-port", str(port))
    with (
        tempfile.TemporaryDirectory(prefix="headrace-rest-") as folder,
        daemon(Path(folder) / "d", arguments=arguments),
    ):
        figures = {}
        for clients in CLIENTS:
            rate, samples = _log(port, clients, points // 10)
            figures[f"points_at_{clients}_per_s"] = rate
            figures[f"batch_at_{clients}_ms"] = percentile(samples, 50) / 1e3
        return figures | _reads(Connection(port), max(points // 10, BATCH), min(RUNS, points // 100))


def _log(port: int, clients: int, points: int) -> tuple[float, list[int]]:
    """Points per second of all clients together, and microseconds of each request."""
    connections = [Connection(port) for _ in range(clients)]
    runs = [client.run() for client in connections]
    sent = [list(bodies(run, points // clients // BATCH, KEYS, BATCH)) for run in runs]
    with ThreadPoolExecutor(clients) as pool:
        began = perf_counter()
        samples = [each for found in pool.map(Connection.send, connections, sent) for each in found]
        took = perf_counter() - began
    for client, run in zip(connections, runs, strict=True):
        assert len(client.history(run, "m0")) == points // clients // BATCH * BATCH // KEYS
    return len(samples) * BATCH / took, samples


def _reads(client: Connection, history: int, runs: int) -> dict[str, float]:
    run = client.run()
    client.send(list(bodies(run, min(HISTORY, history) // BATCH, 1, BATCH)))
    for _ in range(runs):
        metrics = [_point(key) for key in range(KEYS)]
        client.post("runs/log-batch", encoded({"run_id": client.run(), "metrics": metrics}))
    ask = encoded({"experiment_ids": ["0"], "filter": "metrics.s0 = 0", "max_results": RUNS})
    histories, searches = [], []
    for _ in range(READS):
        began = perf_counter()
        found = client.history(run, "m0")
        histories.append(perf_counter() - began)
        assert len(found) == min(HISTORY, history) // BATCH * BATCH
        began = perf_counter()
        assert len(client.post("runs/search", ask)["runs"]) == runs
        searches.append(perf_counter() - began)
    return {"history_ms": min(histories) * 1e3, "search_ms": min(searches) * 1e3}


def _point(key: int) -> dict[str, Any]:
    return {"key": f"s{key}", "value": key, "timestamp": BEGIN, "step": 0}
