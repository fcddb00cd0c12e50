"""The daemon's disk is full: commits wait, nothing is lost, and it goes on by itself when there is room."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from obedient import Training, steps_of
from running import PATIENCE, Daemon, eventually
from small_disk import fill, small_disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "300m") as mounted:
        yield mounted


def serve(disk: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> Daemon:
    daemon = Daemon(disk, *options)
    daemon.log = disk.parent / "daemon.log"
    daemon.start()
    monkeypatch.setenv("HEADRACE_TRACKING_URI", daemon.uri)
    return daemon


def test_no_room_for_segments(disk: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = serve(disk, monkeypatch, "--database-url", database_url)
    training = Training()
    try:
        training.log(100)
        ballast = fill(disk)
        training.tell(20_000)
        eventually(lambda: "trying until it works" in daemon.log.read_text(), "a commit waits")
        ballast.unlink()
        assert training.wait() == 20_100
        training.end()
        assert steps_of(training.run_id) == list(range(20_100))
        assert "works again" in daemon.log.read_text()
    finally:
        training.kill()
        daemon.end()


def test_no_room_for_the_database_either(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = serve(disk, monkeypatch)
    training = Training()
    try:
        training.log(100)
        ballast = fill(disk)
        # A little room, so that it is not a table that cannot grow but the database's log: that ends it.
        os.truncate(ballast, ballast.stat().st_size - (12 << 20))
        stop = threading.Event()
        logged: list[int] = []

        def log() -> None:
            while not stop.is_set():
                logged.append(training.log(500))

        thread = threading.Thread(target=log, daemon=True)
        thread.start()
        eventually(lambda: "does not start" in daemon.log.read_text(), "the database ends")
        assert "No space left on device" in daemon.log.read_text()
        assert "trying until it works" in daemon.log.read_text()
        ballast.unlink()
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        training.end()
        assert steps_of(training.run_id) == list(range(logged[-1]))
    finally:
        training.kill()
        daemon.end()
