"""Fixtures: a PostgreSQL for the session, a fresh database for a test."""

import asyncio
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from headrace_ingest.postgres import EmbeddedPostgres
from ingest_daemon import DaemonProcess

# What a shell starts in the background ignores SIGINT, and programs inherit that: those that the tests start
# would not hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server to make databases in: ``HEADRACE_TEST_DATABASE_URL``, else an embedded one."""
    if url := os.environ.get("HEADRACE_TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder, asyncio.Runner() as runner:
        server = EmbeddedPostgres(Path(folder))
        runner.run(server.start())
        try:
            yield server.url
        finally:
            runner.run(server.stop())


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """An empty database, without migrations, dropped after the test."""
    name = f"headrace_test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres_url)
    try:
        # template0 is never connected to, so that tests that run at the same time cannot block one another.
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield _with_database(postgres_url, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


def _with_database(url: str, name: str) -> str:
    before, _, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[Callable[..., DaemonProcess]]:
    """Starts real daemons: ``start_daemon("--workers", "2", data=folder)``; they end with the test."""
    started: list[DaemonProcess] = []

    def start(*options: str, data: Path | None = None) -> DaemonProcess:
        daemon = DaemonProcess(data or tmp_path / "data", *options)
        started.append(daemon)
        return daemon

    yield start
    for daemon in started:
        daemon.close()
