"""What readers wait for while another process logs at half of what the daemon takes."""

import asyncio
from collections.abc import Callable
from statistics import median
from time import perf_counter

import asyncpg
import numpy as np

import headrace
from benchmarks.workloads.fleet import MESSAGE_CELLS, Fleet, Writer, values_at
from benchmarks.workloads.fresh import fresh_daemon, pss_mb
from benchmarks.workloads.load import beside, capacity

CAPACITY_SECONDS = 4.0
CALLS = 15
BUCKETS = 1000
COMMITS = 5000
PAGE = 10_000


def history(points: int) -> dict[str, float]:
    """Milliseconds of a history of 1 million points, and of one in 5,000 small commits, at half load."""
    with fresh_daemon() as own, Fleet(own.address, 2) as fleet:
        long, small = fleet.writers
        _log(fleet, long, points)
        # Another daemon keeps house, it seems: what is committed stays as it is.
        asyncio.run(_keep_house_elsewhere(own.database_url))
        _log(fleet, small, COMMITS * points // 1_000_000, at_once=1)
        client = headrace.Client(f"headrace://{own.address}")
        rate = capacity(own.address, CAPACITY_SECONDS) / 2
        with beside(own.address, rate) as reached:
            of_long = _timed(lambda: _read(client, long))
            of_small = _timed(lambda: _read(client, small))
    return {
        "history_ms": median(of_long),
        "history_max_ms": max(of_long),
        "small_commits_ms": median(of_small),
        "small_commits_max_ms": max(of_small),
        "load_per_s": reached[0],
    }


def chart(points: int) -> dict[str, float]:
    """Milliseconds of a chart of 100 million points in 1,000 buckets, at half load."""
    with fresh_daemon() as own, Fleet(own.address, 1) as fleet:
        [writer] = fleet.writers
        _log(fleet, writer, 100 * points)
        client = headrace.Client(f"headrace://{own.address}")
        rate = capacity(own.address, CAPACITY_SECONDS) / 2
        values = values_at(writer.handle, 0, np.arange(writer.tail))
        lowest, highest = values.min(), values.max()

        def draw() -> None:
            got = client.get_metric_chart(writer.runs[0], "loss", buckets=BUCKETS)
            assert len(got.counts) <= BUCKETS
            assert (sum(got.counts), min(got.mins), max(got.maxs)) == (writer.tail, lowest, highest)

        with beside(own.address, rate) as reached:
            samples = _timed(draw)
    return {
        "first_ms": samples[0],
        "chart_ms": median(samples),
        "max_ms": max(samples),
        "load_per_s": reached[0],
    }


def pages(points: int) -> dict[str, float]:
    """Milliseconds of a page of 10,000 out of 100 million points, and what all of them take of the daemon."""
    with fresh_daemon() as own, Fleet(own.address, 1) as fleet:
        [writer] = fleet.writers
        _log(fleet, writer, 100 * points)
        client = headrace.Client(f"headrace://{own.address}")
        middle = writer.tail // 2

        def read(steps: tuple[int, int]) -> None:
            page = client.get_metric_histories(writer.runs[0], "loss", steps=steps, max_points=PAGE)
            step = page.columns["step"]
            assert (len(step), step[0], step[-1]) == (PAGE, steps[0], steps[0] + PAGE - 1)

        of_first = _timed(lambda: read((0, writer.tail)))
        of_middle = _timed(lambda: read((middle, writer.tail)))
        of_window = _timed(lambda: read((middle, middle + PAGE - 1)))
        seen, count, began = [pss_mb(own.pid)], 0, perf_counter()
        for page in client.iter_metric_histories(writer.runs[0], "loss", max_points=1_000_000):
            seen.append(pss_mb(own.pid))
            count += len(page)
        seconds = perf_counter() - began
        assert count == writer.tail
    return {
        "first_page_ms": median(of_first),
        "middle_page_ms": median(of_middle),
        "window_ms": median(of_window),
        "all_per_s": count / seconds,
        "daemon_mb": max(seen),
        "daemon_grows_mb": max(seen) - seen[0],
    }


def _timed(call: Callable[[], None]) -> list[float]:
    samples = []
    for _ in range(CALLS):
        began = perf_counter()
        call()
        samples.append((perf_counter() - began) * 1e3)
    return samples


def _read(client: headrace.Client, writer: Writer) -> None:
    read = client.get_metric_columns(writer.runs[0], "loss")
    assert len(read.values) == writer.tail
    assert read.values[-1] == values_at(writer.handle, 0, np.array([writer.tail - 1]))[0]


def _log(fleet: Fleet, writer: Writer, points: int, at_once: int = MESSAGE_CELLS) -> None:
    """Logs a series, ``at_once`` a commit when these are few."""
    writer.add_series(writer.add_run(), "loss")
    for start in range(0, points, at_once):
        fleet.send(writer, writer.cells(0, np.arange(start, min(start + at_once, points))))
        if at_once < MESSAGE_CELLS:
            fleet.settle()
    fleet.settle()


async def _keep_house_elsewhere(database_url: str) -> None:
    """Takes the lease of background work away, for longer than the benchmark."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE leases SET holder = 0, expires = now() + interval '1 hour'")
    await connection.close()
