"""Does a daemon take as many points per second when there is more of everything else?

Each point of a curve has a daemon of its own, that starts empty, and takes the same number of points. They
come from a fleet (``fleet.py``) as arrays do, a thousand points of a series after the other.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter, sleep

import asyncpg
import numpy as np

from benchmarks.workloads.fleet import MESSAGE_CELLS, Fleet, Writer, assert_counted, assert_stored, in_turn
from benchmarks.workloads.fresh import Fresh, fresh_daemon

BLOCK = 1000
"""Points of a series that are logged at once."""

CHECKED = 20
"""Series that are read back, of many."""


def writers(points: int) -> dict[str, float]:
    """Points per second by 1, 10, 100 and 1,000 writers, a run each, and what opening a writer takes.

    A thousand messages of one size, whoever sends them: a message has its price, however much it carries.
    """
    figures: dict[str, float] = {}
    most = 1000
    message = min(MESSAGE_CELLS, 20 * points // most)
    for count in (1, 10, 100, most):
        with fresh_daemon() as own:
            began = perf_counter()
            with Fleet(own.address, count) as fleet:
                figures[f"open_ms_at_{count}"] = (perf_counter() - began) * 1e3 / count
                for writer in fleet.writers:
                    writer.add_series(writer.add_run(), "loss")
                steps = np.arange(most // count * message)
                began = perf_counter()
                for number, cells in in_turn([_cut(writer, steps, message) for writer in fleet.writers]):
                    fleet.send(fleet.writers[number], cells)
                fleet.settle()
                figures[f"per_s_at_{count}"] = count * len(steps) / (perf_counter() - began)
                for writer in fleet.writers[:: max(1, count // CHECKED)]:
                    assert_stored(own.address, writer, 0, steps)
    return figures


def _cut(writer: Writer, steps: np.ndarray, message: int = MESSAGE_CELLS) -> Iterator[bytes]:
    for start in range(0, len(steps), message):
        yield writer.cells(0, steps[start : start + message])


def runs(points: int) -> dict[str, float]:
    """Points per second into 1 to 100,000 runs, after a first point each, and what that first point takes."""
    figures: dict[str, float] = {}
    for count in (1, 100, 10_000, points // 10):
        with fresh_daemon() as own, Fleet(own.address, 1) as fleet:
            [writer] = fleet.writers
            for _ in range(count):
                writer.add_series(writer.add_run(), "loss")
            figures |= _first_and_rest(own, fleet, count, 20 * points)
    return figures


def series(points: int) -> dict[str, float]:
    """Points per second into 10 to 1,000,000 series of a run, and what the first point of one takes."""
    figures: dict[str, float] = {}
    for count in (10, 1000, 100_000, points):
        with fresh_daemon() as own, Fleet(own.address, 1) as fleet:
            [writer] = fleet.writers
            run = writer.add_run()
            for number in range(count):
                writer.add_series(run, f"metric/{number}")
            figures |= _first_and_rest(own, fleet, count, 20 * points)
    return figures


def _first_and_rest(own: Fresh, fleet: Fleet, count: int, points: int) -> dict[str, float]:
    """Sends a point of each of ``count`` series, then the others, to as many as these fill.

    What a first point takes until it is visible, and until its summary is folded into the catalog besides,
    is told apart: the others begin when that is done.
    """
    [writer] = fleet.writers
    began = perf_counter()
    _send(fleet, np.arange(count), np.zeros(count, np.int64))
    fleet.settle()
    first = perf_counter() - began
    _wait_folded(own)
    folded = perf_counter() - began

    used = min(count, points // BLOCK)
    blocks = points // (used * BLOCK)
    at_once = MESSAGE_CELLS // BLOCK
    began = perf_counter()
    for start in range(0, used * blocks, at_once):
        block, number = np.divmod(np.arange(start, min(start + at_once, used * blocks)), used)
        steps = (1 + block * BLOCK)[:, np.newaxis] + np.arange(BLOCK)
        fleet.send(writer, writer.cells(np.repeat(number, BLOCK), steps.ravel()))
    fleet.settle()
    took = perf_counter() - began
    for checked in range(0, used, max(1, used // CHECKED)):
        assert_stored(own.address, writer, checked, np.arange(blocks * BLOCK + 1))
    return {
        f"per_s_at_{count}": used * blocks * BLOCK / took,
        f"first_us_at_{count}": first * 1e6 / count,
        f"first_folded_us_at_{count}": folded * 1e6 / count,
    }


def _wait_folded(own: Fresh) -> None:
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(own.database_url))
        while runner.run(connection.fetchval("SELECT count(*) FROM unfolded")):
            sleep(0.05)
        runner.run(connection.close())


def _send(fleet: Fleet, series: np.ndarray, steps: np.ndarray) -> None:
    [writer] = fleet.writers
    for start in range(0, len(steps), MESSAGE_CELLS):
        part = slice(start, start + MESSAGE_CELLS)
        fleet.send(writer, writer.cells(series[part], steps[part]))


def stored(points: int) -> dict[str, float]:
    """Points per second of the first and of the last tenth of 100 million points."""
    batch = 10 * points
    batches = 10
    took = []
    with fresh_daemon() as own, Fleet(own.address, 4) as fleet:
        for writer in fleet.writers:
            writer.add_series(writer.add_run(), "loss")
        for number in range(batches):
            steps = np.arange(number * batch, (number + 1) * batch, 4) // 4
            began = perf_counter()
            for which, cells in in_turn([_cut(writer, steps) for writer in fleet.writers]):
                fleet.send(fleet.writers[which], cells)
            fleet.settle()
            took.append(perf_counter() - began)
        assert_counted(own.address, fleet.writers, batches * batch // 4)
    return {
        "first_tenth_per_s": batch / took[0],
        "last_tenth_per_s": batch / took[-1],
        "slowest_tenth_per_s": batch / max(took),
    }


def billion(points: int) -> dict[str, float]:
    """The same with a billion points."""
    return stored(10 * points)


def snapshot(points: int) -> dict[str, float]:
    """Milliseconds of a small commit beside a snapshot that is held open, in the beginning and later."""
    commits = points // 500
    with fresh_daemon() as own, Fleet(own.address, 1) as fleet:
        [writer] = fleet.writers
        writer.add_series(writer.add_run(), "loss")
        with old_snapshot(own.database_url):
            samples = [_commit(fleet, writer, step) for step in range(commits)]
        assert_stored(own.address, writer, 0, np.arange(commits))
    tenth = commits // 10
    return {
        "first_tenth_p50_ms": median(samples[:tenth]) * 1e3,
        "last_tenth_p50_ms": median(samples[-tenth:]) * 1e3,
    }


def _commit(fleet: Fleet, writer: Writer, step: int) -> float:
    began = perf_counter()
    fleet.send(writer, writer.cells(0, np.array([step])))
    fleet.settle()
    return perf_counter() - began


@contextmanager
def old_snapshot(database_url: str) -> Iterator[None]:
    """A transaction that sees the catalog as it is now, in another thread's event loop."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database_url))
        transaction = connection.transaction(isolation="repeatable_read")
        runner.run(transaction.start())
        before = runner.run(connection.fetchval("SELECT count(*) FROM segments"))
        yield
        assert runner.run(connection.fetchval("SELECT count(*) FROM segments")) == before
        runner.run(transaction.rollback())
        runner.run(connection.close())
