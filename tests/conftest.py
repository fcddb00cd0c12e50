"""Fixtures: a PostgreSQL for the session, a fresh database for a test."""

import asyncio
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

import cluster
from headrace_ingest.postgres import EmbeddedPostgres
from headrace_storage.catalog.database import Database, migrate
from ingest_daemon import DaemonProcess

# What a shell starts in the background ignores SIGINT, and programs inherit that: those that the tests start
# would not hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something of the machine only. A failure prints what replays it.
settings.register_profile(
    "headrace", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("headrace")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One more than there are cores: the tests wait more than they compute. ``-k`` looks for a few: here."""
    return 0 if config.option.keyword else min(os.cpu_count() or 1, 7) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests come first, so that the processes end together."""
    items.sort(key=lambda item: item.path.parent.name not in ("end_to_end", "faults"))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server to make databases in: ``HEADRACE_TEST_DATABASE_URL``, else an embedded one."""
    if url := os.environ.get("HEADRACE_TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder, asyncio.Runner() as runner:
        cluster.provide(Path(folder))
        server = EmbeddedPostgres(Path(folder))
        runner.run(server.start())
        try:
            yield server.url
        finally:
            runner.run(server.stop())


@pytest.fixture(scope="session")
async def migrated_template(postgres_url: str) -> AsyncIterator[str]:
    """The name of a migrated database to copy; nobody connects to it."""
    # template0 is never connected to, so that tests that run at the same time cannot block one another.
    async with _made_database(postgres_url, "template0") as url:
        database = await Database.connect(url)
        await migrate(database)
        await database.close()
        yield _name(url)


@pytest.fixture
async def database_url(postgres_url: str, migrated_template: str) -> AsyncIterator[str]:
    """A database as the migrations leave it, dropped after the test."""
    async with _made_database(postgres_url, migrated_template) as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """An empty database, without migrations, dropped after the test."""
    async with _made_database(postgres_url, "template0") as url:
        yield url


@asynccontextmanager
async def _made_database(server_url: str, template: str) -> AsyncIterator[str]:
    name = f"headrace_test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield _with_database(server_url, name)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _with_database(url: str, name: str) -> str:
    before, _, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture
def start_daemon(tmp_path: Path) -> Iterator[Callable[..., DaemonProcess]]:
    """Starts real daemons: ``start_daemon("--workers", "2", data=folder)``; they end with the test.

    With ``bare`` they make their PostgreSQL folder themselves.
    """
    started: list[DaemonProcess] = []

    def start(*options: str, data: Path | None = None, bare: bool = False) -> DaemonProcess:
        daemon = DaemonProcess(data or tmp_path / "data", *options, bare=bare)
        started.append(daemon)
        return daemon

    yield start
    for daemon in started:
        daemon.close()
