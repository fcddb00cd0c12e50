"""What MLflow's client would send, encoded before the clock runs; and the runs that it reads afterwards."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any, Final
from uuid import uuid4

from benchmarks.mlflow_clients import CONNECTIONS, HISTORY, KEYS, POINTS, RUNS
from benchmarks.rest_client import BEGIN, Connection, bodies, encoded

WRITERS: Final = 4
"""Connections that prepare a server."""

SERIES: Final = 3
"""Metrics of a run that is searched for."""


def answer(port: int, requests: int, prepared: dict[str, Any]) -> dict[str, float]:
    """The reads, and points per second of log-batch from connections that wait for each answer."""
    figures = reads(port, prepared)
    for count in CONNECTIONS:
        runs = [Connection(port).run() for _ in range(count)]
        sent = [list(bodies(run, requests, KEYS, POINTS)) for run in runs]
        connections = [Connection(port) for _ in runs]  # MLflow's server hangs up after idle seconds
        with ThreadPoolExecutor(count) as pool:
            began = perf_counter()
            list(pool.map(Connection.send, connections, sent))
            took = perf_counter() - began
        for run in runs:
            assert len(Connection(port).history(run, "m0")) == requests * POINTS // KEYS
        figures[f"points_at_{count}_per_s"] = count * requests * POINTS / took
        figures[f"request_at_{count}_ms"] = took / requests * 1e3
    return figures


def reads(port: int, prepared: dict[str, Any]) -> dict[str, float]:
    """Milliseconds until the last byte of an answer is there."""
    connection = Connection(port)
    asked = {"experiment_ids": [prepared["experiment"]], "max_results": RUNS}
    calls = {
        "history": partial(
            connection.ask, "metrics/get-history", run_id=prepared["history"], metric_key="m0"
        ),
        "search": partial(connection.tell, "runs/search", encoded(asked)),
    }
    figures = {}
    for name, call in calls.items():
        call()
        began = perf_counter()
        call()
        figures[f"{name}_ms"] = (perf_counter() - began) * 1e3
    return figures


def prepare(port: int, questions: set[str]) -> dict[str, Any]:
    """Logs what ``history`` and ``search`` read: where it is."""
    prepared: dict[str, Any] = {}
    connection = Connection(port)
    if questions & {"history", "requests"}:
        prepared["history"] = connection.run()
        connection.send(list(bodies(prepared["history"], HISTORY // POINTS, 1, POINTS)))
    if questions & {"search", "requests"}:
        body = encoded({"name": uuid4().hex})
        prepared["experiment"] = connection.post("experiments/create", body)["experiment_id"]
        with ThreadPoolExecutor(WRITERS) as pool:
            list(
                pool.map(
                    _runs, *zip(*((port, prepared["experiment"], n) for n in range(WRITERS)), strict=True)
                )
            )
    return prepared


def _runs(port: int, experiment: str, place: int) -> None:
    """Those of one writer: each has a few metrics, its number first, and a param."""
    connection = Connection(port)
    for number in range(place, RUNS, WRITERS):
        metrics = [
            {"key": f"m{key}", "value": number / (key + 1), "timestamp": BEGIN, "step": 0}
            for key in range(SERIES)
        ]
        body = {"metrics": metrics, "params": [{"key": "rate", "value": str(number / RUNS)}]}
        connection.post("runs/log-batch", encoded({"run_id": connection.run(experiment), **body}))
