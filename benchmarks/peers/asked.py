"""Times the same questions to a server: ``python asked.py MODULE``. Standard library only.

The clients have the same names, for ours are MLflow's. Prints one line of JSON.
"""

import argparse
import contextlib
import importlib
import json
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BATCH = 1000
"""Points in a log_batch: the most that MLflow takes."""

BATCHES = 100
READS = 3
CREATORS = 16
"""Threads that create the runs to search."""


def main() -> None:
    """Writes, reads and searches."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--runs", type=int, default=1000, help="to search")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    with contextlib.redirect_stdout(sys.stderr):
        client, metric = importlib.import_module(f"benchmarks.peers.{options.module}").open_client()
        figures = history(client, metric) | search(client, metric, options.runs)
    print(json.dumps(figures))


def history(client: Any, metric: Any) -> dict[str, float]:
    """100 batches of 1,000 points, each waited for; then their history as a list of objects."""
    run_id = client.create_run(client.create_experiment(uuid.uuid4().hex)).info.run_id
    now = time.time_ns() // 1_000_000
    began = time.perf_counter()
    for first in range(0, BATCH * BATCHES, BATCH):
        points = [metric("loss", step / 7, now + step, step) for step in range(first, first + BATCH)]
        client.log_batch(run_id, points, synchronous=True)
    took = time.perf_counter() - began

    def read() -> None:
        points = client.get_metric_history(run_id, "loss")
        assert sorted(point.step for point in points) == list(range(BATCH * BATCHES))

    return {"log_batch_1000_ms": took / BATCHES * 1e3, "history_100k_ms": median_ms(read)}


def search(client: Any, metric: Any, count: int) -> dict[str, float]:
    """All runs, and those of a filter in order; nothing when the client has no filters."""
    experiment_id = client.create_experiment(uuid.uuid4().hex)

    def create(number: int) -> None:
        run_id = client.create_run(experiment_id, run_name=f"run{number}").info.run_id
        client.log_batch(run_id, [metric("loss", number / count, 1, 0)], synchronous=True)

    with ThreadPoolExecutor(CREATORS) as threads:
        list(threads.map(create, range(count)))

    def found(**what: Any) -> list[Any]:
        """All pages: of how many runs one has is the server's choice."""
        page = client.search_runs([experiment_id], max_results=count, **what)
        runs = list(page)
        while page.token:
            page = client.search_runs([experiment_id], max_results=count, page_token=page.token, **what)
            runs += page
        return runs

    def everything() -> None:
        assert len(found()) == count

    def filtered() -> None:
        runs = found(filter_string="metrics.loss >= 0.5", order_by=["metrics.loss DESC"])
        losses = [run.data.metrics["loss"] for run in runs]
        assert losses == [number / count for number in range(count - 1, (count - 1) // 2, -1)]

    figures = {f"search_{count}_ms": median_ms(everything)}
    with contextlib.suppress(TypeError):  # no such argument
        figures[f"filter_and_order_{count}_ms"] = median_ms(filtered)
    return figures


def median_ms(call: Callable[[], None]) -> float:
    """Of a few calls, after one that does not count."""
    call()
    samples = []
    for _ in range(READS):
        began = time.perf_counter()
        call()
        samples.append(time.perf_counter() - began)
    return statistics.median(samples) * 1e3


if __name__ == "__main__":
    main()
