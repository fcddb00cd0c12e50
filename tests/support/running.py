"""A real daemon to kill, and real processes that log to it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cluster
from headrace import Client

PROGRAMS = Path(__file__).parents[1] / "end_to_end" / "programs"
PATIENCE = 60.0
"""Seconds after which something that must happen counts as not happening. No test asserts a time."""

Points = tuple[NDArray[np.int64], NDArray[np.float64]]
"""Steps and values, in logged order."""


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"still not after {PATIENCE:.0f} s: {what}"
        time.sleep(0.02)


def agents(folder: Path) -> list[int]:
    """The process ids of the agents that ship a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"agent" in words and str(folder).encode() in words:
            found.append(int(entry.name))
    return found


class Daemon:
    """``python -m headrace_ingest`` on a folder; after a kill it comes back on the same port."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.options = options
        self.data = folder / "data"
        self.log = folder / "daemon.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"headrace://127.0.0.1:{self.port}"

    def start(self) -> None:
        ready = self.data / "daemon.json"
        ready.unlink(missing_ok=True)  # a killed daemon leaves its own behind
        if "--database-url" not in self.options:
            cluster.provide(self.data)
        command = [sys.executable, "-m", "headrace_ingest"]
        command += ["--data", str(self.data), "--grpc-port", str(self.port), *self.options]
        with self.log.open("ab") as output:
            self.process = process = subprocess.Popen(command, stdout=output, stderr=output)
        eventually(lambda: ready.exists() or process.poll() is not None, "the daemon starts")
        assert process.poll() is None, self.log.read_text()
        self.port = int(json.loads(ready.read_text())["address"].rpartition(":")[2])

    def kill(self) -> None:
        """kill -9: no last commit, no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Stops it if it runs, and leaves nothing behind if it does not stop."""
        if self.process is not None and self.process.poll() is None:
            try:
                self.stop()
            finally:
                self.kill()


class Rank:
    """A process that logs given points with ``programs/rank.py``, and what it has done so far."""

    def __init__(self, folder: Path, name: str, run_id: str, points: Points, pause: float) -> None:
        self.points = points
        steps, values, returned = (
            folder / f"{name}.{part}" for part in ("steps.npy", "values.npy", "returned")
        )
        np.save(steps, points[0])
        np.save(values, points[1])
        returned.write_bytes(bytes(8))
        self._returned: NDArray[np.uint64] = np.memmap(returned, "<u8", "r")
        command: list[str | Path] = [
            sys.executable,
            PROGRAMS / "rank.py",
            steps,
            values,
            returned,
            str(pause),
        ]
        self.process = subprocess.Popen(command, env={**os.environ, "HEADRACE_RUN_ID": run_id})

    @property
    def returned(self) -> int:
        """Calls of log_metric that have returned: so many points must survive."""
        return int(self._returned[0])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()


class Ranks:
    """Starts the processes of jobs, and ends those that a failed test leaves."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[Rank] = []

    def start(self, run_id: str, count: int, each: int, pause: float = 0.0) -> list[Rank]:
        """``count`` processes that log ``each`` points into one run; ``pause``: s after every 100 points."""
        job = [
            Rank(self._folder, f"{len(self._all)}-{rank}", run_id, points_of_rank(rank, each), pause)
            for rank in range(count)
        ]
        self._all += job
        return job

    def end(self) -> None:
        """Kills what still runs."""
        for rank in self._all:
            rank.kill()


def points_of_rank(rank: int, count: int) -> Points:
    """Seeded points, steps repeated and out of order, whose values tell the rank."""
    random = np.random.default_rng(rank)
    return random.integers(-1000, 1000, count), rank * 1e6 + random.uniform(0, 1e6, count)


def read_ranks(uri: str, run_id: str) -> dict[int, Points]:
    """The history of ``loss`` through the public client, taken apart by rank."""
    columns = Client(uri).get_metric_columns(run_id, "loss")
    steps, times, values = map(np.array, (columns.steps, columns.timestamps, columns.values))
    assert np.all(np.diff(times) >= 0), "logged order is the order of the calls"
    rank_of = (values // 1e6).astype(int)
    return {rank: (steps[rank_of == rank], values[rank_of == rank]) for rank in np.unique(rank_of).tolist()}
