"""Processes that vanish and processes that are silent: the first are marked, the second are not."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headrace import Client
from running import PROGRAMS, Daemon, eventually

LEASE = 4.0


class Idle:
    """A process that logged once and is silent since."""

    def __init__(self, run: str | None, environment: dict[str, str]) -> None:
        command = [sys.executable, str(PROGRAMS / "idle.py"), *([run] if run else [])]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
        assert self.process.stdout is not None
        self.run = self.process.stdout.readline().strip()
        assert len(self.run) == 32, "it ended before its point was durable"

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """Lets it end its run, and waits for that."""
        self.process.communicate(timeout=60)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    running = Daemon(tmp_path, "--run-lease", str(LEASE))
    running.start()
    monkeypatch.setenv("HEADRACE_TRACKING_URI", running.uri)
    try:
        yield running
    finally:
        running.end()


@pytest.fixture
def idle() -> Iterator[Callable[..., Idle]]:
    """Starts processes, in a run of their own unless it is given; kills those that are left."""
    started: list[Idle] = []

    def start(run: str | None = None, **environment: str) -> Idle:
        started.append(Idle(run, environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def test_the_vanished_are_killed_and_the_silent_are_not(
    daemon: Daemon, idle: Callable[..., Idle], private_journals: Path
) -> None:
    client = Client(daemon.uri)

    def status(process: Idle) -> str:
        return client.get_run(process.run).info.status

    silent = [idle(), idle(HEADRACE_SHIPPER="agent")]
    killed, resumed = idle(), idle()
    killed.kill()
    resumed.kill()
    eventually(lambda: status(killed) == status(resumed) == "KILLED", "vanished processes' runs are killed")
    assert [status(process) for process in silent] == ["RUNNING"] * 2

    resumed = idle(resumed.run)
    assert status(resumed) == "RUNNING"

    # Its writers left by the daemon's restart, or with it: longer than the lease, but nobody looked.
    daemon.kill()
    later = idle_while_away(daemon, idle)
    later.kill()
    eventually(lambda: status(later) == "KILLED", "the lease passes after the restart too")
    assert [status(process) for process in (*silent, resumed)] == ["RUNNING"] * 3
    assert status(killed) == "KILLED"

    for process in (*silent, resumed):
        process.end()
    assert [status(process) for process in (*silent, resumed)] == ["FINISHED"] * 3
    sync = [sys.executable, "-m", "headrace", "sync", str(private_journals)]
    assert subprocess.run(sync, check=False, timeout=60).returncode == 0
    assert status(killed) == "KILLED"


def idle_while_away(daemon: Daemon, idle: Callable[..., Idle]) -> Idle:
    """Starts the daemon again after more than the lease, and then a process."""
    time.sleep(LEASE + 1)
    daemon.start()
    return idle()
