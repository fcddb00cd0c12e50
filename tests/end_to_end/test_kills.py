"""kill -9 of the daemon and of a training process: what was logged is there, once each, in order."""

import subprocess
import sys
from pathlib import Path

import numpy as np

import headrace
from running import Daemon, Rank, Ranks, eventually, read_ranks


def test_the_daemon_is_killed_in_the_middle_of_a_job(
    daemon: Daemon, ranks: Ranks, private_journals: Path
) -> None:
    with headrace.start_run() as run:
        started = ranks.start(run.info.run_id, count=8, each=30_000, pause=0.01)
        for mark in (6_000, 18_000):
            wait_until_returned(started, [mark] * 8)
            daemon.kill()
            daemon.start()
        assert [rank.process.wait() for rank in started] == [0] * 8

    # On a busy machine a rank ends before the daemon is back, and leaves its journal.
    assert sync(private_journals).returncode == 0
    read = read_ranks(daemon.uri, run.info.run_id)

    for number, rank in enumerate(started):
        np.testing.assert_array_equal(read[number][0], rank.points[0])
        np.testing.assert_array_equal(read[number][1], rank.points[1])
    assert headrace.Client(daemon.uri).get_run(run.info.run_id).info.status == "FINISHED"


def test_training_processes_are_killed_while_the_daemon_is_down(
    daemon: Daemon, ranks: Ranks, private_journals: Path
) -> None:
    with headrace.start_run() as run:
        pass
    started = ranks.start(run.info.run_id, count=3, each=1_000_000, pause=0.002)
    wait_until_returned(started, [2_000] * 3)
    daemon.kill()
    wait_until_returned(started, [rank.returned + 2_000 for rank in started])
    for rank in started:
        rank.kill()
    daemon.start()

    first = sync(private_journals)
    again = sync(private_journals)

    read = read_ranks(daemon.uri, run.info.run_id)
    for number, rank in enumerate(started):
        count = len(read[number][0])
        assert rank.returned <= count <= rank.returned + 1, "the call that the kill interrupted, or not"
        np.testing.assert_array_equal(read[number][0], rank.points[0][:count])
        np.testing.assert_array_equal(read[number][1], rank.points[1][:count])
    assert first.returncode == again.returncode == 0


def wait_until_returned(ranks: list[Rank], counts: list[int]) -> None:
    """Waits until each process logged so many points."""
    eventually(
        lambda: all(rank.returned >= count for rank, count in zip(ranks, counts, strict=True)),
        f"the processes log {counts}",
    )


def sync(journals: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "headrace", "sync", str(journals)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
