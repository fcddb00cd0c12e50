"""Searches over 100,000 runs x 20 metrics, alone and beside ingest."""

import asyncio
import multiprocessing
import os
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import asyncpg

import headrace
from benchmarks.daemon import daemon
from benchmarks.workloads.timing import percentile
from headrace_ingest.postgres import EmbeddedPostgres

RUNS: Final = 100_000
SEARCHES: Final = 100

FILTER: Final = "metrics.loss < 0.5 and params.lr = '0.003'"
"""A twentieth of the runs."""
ORDER: Final = ["metrics.acc DESC"]

LOAD: Final = 300_000
"""Points per second of the ingest beside the searches, a hundred a call: half of what two cores take."""

# A run's rows lie together, as the fold and the commits write them.
_MAKE: Final = (
    """
    INSERT INTO runs (run_id, experiment_id, run_name, user_id, status, start_time, end_time)
    SELECT md5('run ' || i)::uuid, 0, 'run ' || i, 'bench', 'FINISHED', 1700000000000 + i, 1700000100000 + i
    FROM generate_series(1, $1::int) AS i
    """,
    """
    INSERT INTO params (run_id, key, value)
    SELECT md5('run ' || i)::uuid, key, CASE key WHEN 'lr' THEN '0.00' || i % 10 ELSE (i % 7)::text END
    FROM generate_series(1, $1::int) AS i, unnest(ARRAY['lr', 'batch', 'layers', 'seed', 'optimizer']) AS key
    ORDER BY i
    """,
    """
    INSERT INTO tags (run_id, key, value)
    SELECT md5('run ' || i)::uuid, key, key || ' ' || i
    FROM generate_series(1, $1::int) AS i, unnest(ARRAY['mlflow.runName', 'mlflow.user', 'team']) AS key
    ORDER BY i
    """,
    """
    INSERT INTO summaries
    SELECT md5('run ' || i)::uuid, key, 99, 1700000000000, value, 0, 1700000000000, value + 1,
           value - 1, value + 1, 100, 0
    FROM generate_series(1, $1::int) AS i, LATERAL (
        SELECT CASE k WHEN 0 THEN 'loss' WHEN 1 THEN 'acc' ELSE 'metric ' || k END,
               (i * (7919::bigint + k * 104729) % 1000003)::float8 / 1000003
        FROM generate_series(0, 19) AS k
    ) AS metrics (key, value)
    ORDER BY i, key
    """,
    "VACUUM ANALYZE",
)


def run(points: int) -> dict[str, float]:
    """Milliseconds of a search with filter and order over 100,000 runs x 20 metrics, beside ingest."""
    runs = min(RUNS, points // 10)
    with (
        tempfile.TemporaryDirectory(prefix="headrace-search-") as folder,
        daemon(Path(folder) / "d") as address,
    ):
        asyncio.run(_make(Path(folder) / "d" / "data", runs))
        client = headrace.Client(f"headrace://{address}")
        figures = {"first_ms": _search(client, 100, runs)}
        figures |= _figures(client, "idle", 100, runs)
        context = multiprocessing.get_context("spawn")
        going, stop = context.Event(), context.Event()
        beside = context.Process(target=_ingest, args=(address, going, stop))
        beside.start()
        going.wait()
        figures |= _figures(client, "beside", 100, runs) | _figures(client, "beside_1000", 1000, runs)
        stop.set()
        beside.join()
        assert beside.exitcode == 0
    return figures


async def _make(data: Path, runs: int) -> None:
    """Fills the catalog of the daemon, directly: what is measured is the search."""
    url = EmbeddedPostgres(data).running_url()
    connection = await asyncpg.connect(url, command_timeout=600)
    for statement in _MAKE:
        await connection.execute(statement, *([runs] if "$1" in statement else []))
    await connection.close()


def _figures(client: headrace.Client, name: str, limit: int, runs: int) -> dict[str, float]:
    samples = [int(_search(client, limit, runs) * 1e3) for _ in range(SEARCHES)]
    return {f"{name}_p50_ms": percentile(samples, 50) / 1e3, f"{name}_p99_ms": percentile(samples, 99) / 1e3}


def _search(client: headrace.Client, limit: int, runs: int) -> float:
    began = perf_counter_ns()
    found = client.search_runs(filter_string=FILTER, order_by=ORDER, max_results=limit)
    took = (perf_counter_ns() - began) / 1e6
    accuracies = [each.data.metrics["acc"] for each in found]
    assert len(found) == min(limit, len(found))
    assert len(found) == limit or runs < RUNS
    assert accuracies == sorted(accuracies, reverse=True)
    assert all(len(each.data.metrics) == 20 and each.data.params["lr"] == "0.003" for each in found)
    return took


def _ingest(address: str, going: Event, stop: Event) -> None:
    """Logs at :data:`LOAD` until told to stop."""
    os.environ["HEADRACE_TRACKING_URI"] = f"headrace://{address}"
    client = headrace.Client()
    runs = [client.create_run("0").info.run_id for _ in range(8)]
    metrics = {f"metric {number}": number / 7 for number in range(100)}
    began = time.monotonic()
    calls = 0
    while not stop.is_set():
        if calls * len(metrics) < LOAD * (time.monotonic() - began):
            headrace.log_metrics(metrics, step=calls, run_id=runs[calls % len(runs)])
            calls += 1
        else:
            time.sleep(0.001)
        if calls == LOAD // len(metrics):
            going.set()
    headrace.flush(60.0)
