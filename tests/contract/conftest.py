"""Fixtures of the tests that need a migrated catalog."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from artifact_server import Served, served_artifacts
from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database with connections enough for several daemons in one test."""
    database = await Database.connect(database_url, max_connections=8)
    yield database
    await database.close()


@pytest.fixture
async def daemon(database: Database) -> Daemon:
    return await Daemon.start(database)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """The daemon's HTTP side, without a catalog."""
    async with served_artifacts(tmp_path / "store") as serving:
        yield serving
