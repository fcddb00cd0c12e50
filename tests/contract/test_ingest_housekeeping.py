"""Who keeps house, by the catalog's clock."""

import asyncio
from pathlib import Path

import pytest

from headrace_ingest import app
from headrace_ingest.config import Config, StartError
from headrace_ingest.housekeeping import Lease
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import CatalogUnavailableError


async def test_one_process_keeps_house(database: Database) -> None:
    incarnations = Incarnations(database)
    one, two = [Lease(incarnations, await incarnations.register("test")) for _ in range(2)]
    assert await one.held()
    assert not await two.held()
    assert await one.held()


async def test_an_embedded_database_has_no_other_daemons(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    incarnations = Incarnations(database)
    killed = await incarnations.register("test")
    assert await Lease(incarnations, killed).held()
    await app.prepare_catalog(Config(tmp_path, database_url=None), database_url)
    assert await Lease(incarnations, await incarnations.register("test")).held()


async def test_a_shared_database_may_have_other_daemons(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    incarnations = Incarnations(database)
    other = await incarnations.register("test")
    assert await Lease(incarnations, other).held()
    await app.prepare_catalog(Config(tmp_path, database_url=database_url), database_url)
    assert not await Lease(incarnations, await incarnations.register("test")).held()


async def test_a_database_that_goes_while_a_daemon_starts_is_named(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_: Incarnations, label: str) -> int:
        raise CatalogUnavailableError(f"terminated while registering {label}")

    config = Config(tmp_path, database_url=database_url)
    await app.prepare_catalog(config, database_url)
    monkeypatch.setattr(Incarnations, "register", gone)
    with pytest.raises(StartError, match="the database cannot be used: terminated"):
        await app.serve(config, database_url, "127.0.0.1:0", asyncio.Event(), lambda: None)
