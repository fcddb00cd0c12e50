"""MLflow's client, asked some questions: arguments ``TARGET QUESTION... --prepared JSON``.

Runs where MLflow is installed, on the store of ``MLFLOW_TRACKING_URI``. Says ``ready`` on stdout, begins when
stdin ends (so that several begin together), and prints one line of JSON: figures by question.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from importlib import metadata
from typing import Any

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

from benchmarks.mlflow_clients import HISTORY, KEYS, POINTS, PROCESSES, QUEUED, RUNS, TARGETS, Target, nothing

READS = 1
ENDS = 5

WARM_UP = 50
"""Calls and points that do not count."""

Figures = dict[str, float]
Log = Callable[..., object]


def main() -> None:
    """Answers the questions in their order."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--prepared", type=json.loads, default={})
    options = parser.parse_args()
    with redirect_stdout(sys.stderr):  # it tells where to see the run
        nothing.register()
        with mlflow.start_run():
            mlflow.log_metric("ready", 1)
        print("ready", file=sys.__stdout__, flush=True)
        sys.stdin.read()
        answers = {
            name: ANSWERS[name](TARGETS[options.target], options.prepared) for name in options.questions
        }
    versions = {name: metadata.version(name) for name in ("mlflow", "requests", "protobuf")}
    print(json.dumps({"answers": answers, "versions": versions}))


def log_metric(target: Target, _: Any) -> Figures:
    """By the fluent function, on the active run."""
    return queued(target, lambda _run_id: mlflow.log_metric)


def log_metric_registry(target: Target, prepared: Any) -> Figures:
    """The same when the client need not ask Spark for the registry's address."""
    os.environ["MLFLOW_REGISTRY_URI"] = os.environ["MLFLOW_TRACKING_URI"]
    try:
        return log_metric(target, prepared)
    finally:
        del os.environ["MLFLOW_REGISTRY_URI"]


def log_metric_client(target: Target, _: Any) -> Figures:
    """By a client that is made once."""
    return queued(target, lambda run_id: partial(by_client, MlflowClient(), run_id))


def by_client(
    client: MlflowClient, run_id: str, key: str, value: float, step: int, *, synchronous: bool
) -> None:
    """As the fluent function is called."""
    client.log_metric(run_id, key, value, step=step, synchronous=synchronous)


def queued(target: Target, chosen: Callable[[str], Log]) -> Figures:
    """Microseconds a call, and points per second until flushed; all are there afterwards."""
    with mlflow.start_run() as run:
        log = chosen(run.info.run_id)
        queue_metrics(log, "warm", WARM_UP)
        mlflow.flush_async_logging()
        began, cpu = time.perf_counter(), time.process_time()
        samples = queue_metrics(log, "loss", target.calls)
        called = time.perf_counter()
        mlflow.flush_async_logging()
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        if target.keeps:
            assert len(MlflowClient().get_metric_history(run.info.run_id, "loss")) == target.calls
    return {
        "call_us": (called - began) / target.calls * 1e6,
        "call_p50_us": statistics.median(samples) / 1e3,
        "client_cpu_us": cpu / target.calls * 1e6,
        "flushed_per_s": target.calls / took,
    }


def queue_metrics(log: Log, key: str, count: int) -> list[int]:
    """Nanoseconds of each call."""
    samples, clock = [], time.perf_counter_ns
    for step in range(count):
        began = clock()
        log(key, step / 7, step, synchronous=False)
        samples.append(clock() - began)
    return samples


def log_batch(target: Target, _: Any) -> Figures:
    """One client that waits for each answer; how much of the time is its own processor time."""
    began, ended, cpu = send(target, target.batches)
    took = ended - began
    return {
        "points_per_s": target.batches * POINTS / took,
        "batch_ms": took / target.batches * 1e3,
        "client_cpu_ms": cpu / target.batches * 1e3,
    }


def one_of_several(target: Target, _: Any) -> Figures:
    """When this one began and ended; the clock is that of the machine."""
    batches = max(target.batches // PROCESSES, 5)
    began, ended, _cpu = send(target, batches)
    return {"points": batches * POINTS, "began": began, "ended": ended}


def send(target: Target, batches: int) -> tuple[float, float, float]:
    """When it began and ended, and the processor time of this process; all points are there afterwards."""
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    now = time.time_ns() // 1_000_000
    client.log_batch(run_id, [Metric("warm", 1.0, now, step) for step in range(WARM_UP)])
    cpu, began = time.process_time(), time.monotonic()
    for first in range(0, batches * POINTS, POINTS):
        points = [
            Metric(f"m{number % KEYS}", number / 7, now + number, number // KEYS)
            for number in range(first, first + POINTS)
        ]
        client.log_batch(run_id, points, synchronous=True)
    ended, cpu = time.monotonic(), time.process_time() - cpu
    if target.keeps:
        for key in range(KEYS):
            assert len(client.get_metric_history(run_id, f"m{key}")) == batches * POINTS // KEYS
    return began, ended, cpu


def history(_: Target, prepared: Any) -> Figures:
    """A list of 100,000 points."""
    client = MlflowClient()

    def read() -> None:
        assert len(client.get_metric_history(prepared["history"], "m0")) == HISTORY

    return timed("history", read)


def search(_: Target, prepared: Any) -> Figures:
    """All of 1,000 runs, and half of them by a filter on a metric in its order."""
    client = MlflowClient()

    def found(**what: Any) -> list[Any]:
        """All pages: of how many runs one has is the server's choice."""
        page = client.search_runs([prepared["experiment"]], max_results=RUNS, **what)
        runs = list(page)
        while page.token:
            page = client.search_runs(
                [prepared["experiment"]], max_results=RUNS, page_token=page.token, **what
            )
            runs += page
        return runs

    def everything() -> None:
        assert len(found()) == RUNS

    def filtered() -> None:
        runs = found(filter_string=f"metrics.m0 >= {RUNS // 2}", order_by=["metrics.m0 DESC"])
        assert [run.data.metrics["m0"] for run in runs] == list(range(RUNS - 1, RUNS // 2 - 1, -1))

    return timed("search", everything) | timed("filter_and_order", filtered)


def end_run(target: Target, _: Any) -> Figures:
    """With a queue, and with none."""
    count = min(QUEUED, target.calls)
    run = mlflow.start_run()
    queue_metrics(mlflow.log_metric, "loss", count)
    began = time.perf_counter()
    mlflow.end_run()
    took = time.perf_counter() - began
    assert len(MlflowClient().get_metric_history(run.info.run_id, "loss")) == count

    def ended() -> float:
        mlflow.start_run()
        mlflow.log_metric("loss", 1.0)
        began = time.perf_counter()
        mlflow.end_run()
        return time.perf_counter() - began

    return {
        "queued_ms": took * 1e3,
        "nothing_queued_ms": statistics.median(ended() for _ in range(ENDS)) * 1e3,
    }


def timed(name: str, call: Callable[[], None]) -> Figures:
    """The median of a few calls after one that does not count, and this process's own part of it."""
    call()
    samples, cpu = [], time.process_time()
    for _ in range(READS):
        began = time.perf_counter()
        call()
        samples.append(time.perf_counter() - began)
    own = (time.process_time() - cpu) / READS
    return {f"{name}_ms": statistics.median(samples) * 1e3, f"{name}_client_cpu_ms": own * 1e3}


ANSWERS: dict[str, Callable[[Target, Any], Figures]] = {
    "log-metric": log_metric,
    "log-metric-registry": log_metric_registry,
    "log-metric-client": log_metric_client,
    "log-batch": log_batch,
    "log-batch-processes": one_of_several,
    "history": history,
    "search": search,
    "end-run": end_run,
}
