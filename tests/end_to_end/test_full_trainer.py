"""No room for the journal of a real training while the daemon is away; it makes room when it comes back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from obedient import headrace, steps_of, tags_of
from running import PATIENCE, PROGRAMS, Daemon, eventually
from small_disk import small_disk

POINTS = 120_000


@pytest.fixture
def disk(tmp_path: Path, private_journals: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    assert private_journals
    with small_disk(tmp_path / "disk", "3m") as mounted:
        monkeypatch.setenv("HEADRACE_JOURNAL_DIR", str(mounted / "journals"))
        yield mounted


@pytest.mark.parametrize(("on_full", "part"), [("block", 0.5), ("drop", 1)])
def test_a_training_with_a_full_disk(
    daemon: Daemon, disk: Path, monkeypatch: pytest.MonkeyPatch, on_full: str, part: float
) -> None:
    monkeypatch.setenv("HEADRACE_ON_FULL", on_full)
    monkeypatch.setenv("HEADRACE_JOURNAL_MAX", str(part))
    pipe = subprocess.PIPE
    training = subprocess.Popen(
        [sys.executable, PROGRAMS / "many_calls.py"], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert training.stdin
    assert training.stdout
    try:
        run_id = training.stdout.readline().strip()
        daemon.kill()
        training.stdin.write(f"{POINTS}\n")
        training.stdin.flush()
        if on_full == "drop":
            assert training.stdout.readline() == "logged\n"
        else:
            eventually(lambda: used(disk) > 0.8 * part, "the journal fills its room")
        daemon.start()
        _, said = training.communicate(timeout=PATIENCE)
    finally:
        training.kill()
        training.wait()
    assert training.returncode == 0, said
    assert headrace("sync", disk / "journals").returncode == 0  # what the end did not wait for
    steps, tags = steps_of(run_id), tags_of(run_id)
    if on_full == "drop":
        [dropped] = [int(value) for key, value in tags.items() if key.startswith("headrace.dropped.")]
        assert dropped > 0
        assert len(steps) == POINTS - dropped
        assert "points are dropped" in said
    else:
        assert steps == list(range(POINTS))
        assert "logging waits" in said
        assert not [key for key in tags if key.startswith(("headrace.dropped", "headrace.lost"))]


def used(disk: Path) -> float:
    status = os.statvfs(disk)
    return 1 - status.f_bavail / status.f_blocks
