"""MLflow's REST API as its clients use it: batches of 1,000 points, a history, a search."""

import http.client
import json
import math
import socket
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.daemon import daemon
from benchmarks.workloads.timing import percentile
from headrace_ingest.ports import reserve

BATCH: Final = 1000
"""Points of a request: MLflow's bound."""

KEYS: Final = 10
CLIENTS: Final = (1, 4)
HISTORY: Final = 100_000
RUNS: Final = 1000
READS: Final = 5
BEGIN: Final = 1_700_000_000_000


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
        return figures | _reads(_Client(port), max(points // 10, BATCH), min(RUNS, points // 100))


class _Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: bytes) -> Any:
        return self._answer("POST", path, body)

    def get(self, path: str, **fields: str) -> Any:
        return self._answer("GET", f"{path}?{urlencode(fields)}", None)

    def run(self) -> str:
        body = json.dumps({"experiment_id": "0", "start_time": BEGIN}).encode()
        run_id: str = self.post("runs/create", body)["run"]["info"]["run_id"]
        return run_id

    def _answer(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"}
        self._connection.request(method, f"/api/2.0/mlflow/{path}", body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return json.loads(data)


def _log(port: int, clients: int, points: int) -> tuple[float, list[int]]:
    """Points per second of all clients together, and microseconds of each request."""
    connections = [_Client(port) for _ in range(clients)]
    runs = [client.run() for client in connections]
    bodies = [_bodies(run, points // clients // BATCH, KEYS) for run in runs]
    with ThreadPoolExecutor(clients) as pool:
        began = perf_counter()
        samples = [each for found in pool.map(_send, connections, bodies) for each in found]
        took = perf_counter() - began
    for client, run in zip(connections, runs, strict=True):
        found = client.get("metrics/get-history", run_id=run, metric_key="m0")["metrics"]
        assert len(found) == points // clients // BATCH * BATCH // KEYS
    return len(samples) * BATCH / took, samples


def _bodies(run: str, batches: int, keys: int) -> list[bytes]:
    """Requests, made before the clock runs: what is measured is the daemon."""
    return [
        json.dumps(
            {
                "run_id": run,
                "metrics": [
                    {
                        "key": f"m{number % keys}",
                        "value": math.sin(number),
                        "timestamp": BEGIN + number,
                        "step": number // keys,
                    }
                    for number in range(start, start + BATCH)
                ],
            }
        ).encode()
        for start in range(0, batches * BATCH, BATCH)
    ]


def _send(client: _Client, bodies: Sequence[bytes]) -> list[int]:
    samples = []
    for body in bodies:
        began = perf_counter()
        client.post("runs/log-batch", body)
        samples.append(int((perf_counter() - began) * 1e6))
    return samples


def _reads(client: _Client, history: int, runs: int) -> dict[str, float]:
    run = client.run()
    _send(client, _bodies(run, min(HISTORY, history) // BATCH, 1))
    for _ in range(runs):
        _send(
            client,
            [json.dumps({"run_id": client.run(), "metrics": [_point(key) for key in range(KEYS)]}).encode()],
        )
    ask = json.dumps({"experiment_ids": ["0"], "filter": "metrics.s0 = 0", "max_results": RUNS}).encode()
    histories, searches = [], []
    for _ in range(READS):
        began = perf_counter()
        found = client.get("metrics/get-history", run_id=run, metric_key="m0")["metrics"]
        histories.append(perf_counter() - began)
        assert len(found) == min(HISTORY, history) // BATCH * BATCH
        began = perf_counter()
        assert len(client.post("runs/search", ask)["runs"]) == runs
        searches.append(perf_counter() - began)
    return {"history_ms": min(histories) * 1e3, "search_ms": min(searches) * 1e3}


def _point(key: int) -> dict[str, Any]:
    return {"key": f"s{key}", "value": key, "timestamp": BEGIN, "step": 0}
