"""``--workers N``: what worker processes share is the catalog, and this is what it costs them.

A transaction of the catalog takes the same whatever the number of points in its group. So what the catalog
takes for a commit, and how many of them daemons make per second, tells how many daemons one catalog carries.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from time import perf_counter

import asyncpg
import numpy as np

from benchmarks.workloads.fleet import MESSAGE_CELLS, Fleet, assert_stored
from benchmarks.workloads.fresh import Fresh, cpu_seconds, fresh_daemon

CLIENTS = 8
"""Connections; the kernel spreads them over the workers."""

GROUP = 1 << 18
"""Points of a full group."""

DAEMONS = 100
COMMITTING = "headrace commits"
"""The name under which workers commit."""


def run(points: int) -> dict[str, float]:
    """Commits and points per second by 1 and 2 workers; the catalog's time a commit, and for 100 daemons.

    The machine's cores are shared by clients, workers and PostgreSQL: with two, a second worker adds little.
    """
    figures: dict[str, float] = {}
    for workers in (1, 2):
        with fresh_daemon("--workers", str(workers)) as own, ExitStack() as stack:
            fleets = [stack.enter_context(Fleet(own.address, 1)) for _ in range(CLIENTS)]
            for fleet in fleets:
                fleet.writers[0].add_series(fleet.writers[0].add_run(), "loss")
            before = _catalog(own)
            began = perf_counter()
            _each(fleets, points // 2000, at_once=1)
            took = perf_counter() - began
            after = _catalog(own)
            commits = after["commits"] - before["commits"]
            figures |= {
                f"small_commits_per_s_at_{workers}": commits / took,
                f"catalog_cpu_us_at_{workers}": (after["cpu"] - before["cpu"]) * 1e6 / commits,
                f"catalog_wal_bytes_at_{workers}": (after["wal"] - before["wal"]) / commits,
            }
            began = perf_counter()
            _each(fleets, 2 * points, at_once=MESSAGE_CELLS)
            figures[f"per_s_at_{workers}"] = CLIENTS * 2 * points / (perf_counter() - began)
            for fleet in fleets:
                [writer] = fleet.writers
                assert_stored(own.address, writer, 0, np.arange(writer.tail))
    commits_of_all = DAEMONS * figures["per_s_at_1"] / GROUP
    figures[f"catalog_cores_for_{DAEMONS}"] = commits_of_all * figures["catalog_cpu_us_at_1"] / 1e6
    figures[f"catalog_commits_for_{DAEMONS}_per_s"] = commits_of_all
    return figures


def _each(fleets: Sequence[Fleet], points: int, at_once: int) -> None:
    """Every fleet logs so many points, ``at_once`` a message; one that is small waits for its commit."""

    def log(fleet: Fleet) -> None:
        [writer] = fleet.writers
        end = writer.tail + points
        while writer.tail < end:
            fleet.send(writer, writer.cells(0, np.arange(writer.tail, min(writer.tail + at_once, end))))
            if at_once == 1:
                fleet.settle()
        fleet.settle()

    with ThreadPoolExecutor(len(fleets)) as threads:
        list(threads.map(log, fleets))


def _catalog(own: Fresh) -> dict[str, float]:
    """Commits so far, seconds of processor time of the backends that commit, and bytes of WAL."""

    async def ask() -> dict[str, float]:
        connection = await asyncpg.connect(own.database_url)
        try:
            backends = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE application_name = $1", COMMITTING
            )
            return {
                "commits": await connection.fetchval(
                    "SELECT coalesce(max(id), 0) FROM segments WHERE level = 0"
                ),
                "cpu": sum(cpu_seconds(row["pid"]) for row in backends),
                "wal": float(await connection.fetchval("SELECT wal_bytes FROM pg_stat_wal")),
            }
        finally:
            await connection.close()

    return asyncio.run(ask())
