"""Fixtures of the end-to-end tests. Nothing is written outside ``tmp_path``."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from running import Daemon, Ranks


@pytest.fixture(autouse=True)
def private_journals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that the programs of a test inherit."""
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    journals = tmp_path / "journals"
    monkeypatch.setenv("HEADRACE_JOURNAL_DIR", str(journals))
    return journals


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A running daemon, which the environment names as the tracking URI."""
    running = Daemon(tmp_path)
    running.start()
    monkeypatch.setenv("HEADRACE_TRACKING_URI", running.uri)
    try:
        yield running
    finally:
        running.end()


@pytest.fixture
def ranks(tmp_path: Path) -> Iterator[Ranks]:
    """Starts processes that log into one run."""
    jobs = Ranks(tmp_path)
    yield jobs
    jobs.end()
