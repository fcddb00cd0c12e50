"""Who keeps house, by the catalog's clock."""

from pathlib import Path

from headrace_ingest import app
from headrace_ingest.config import Config
from headrace_ingest.housekeeping import Lease
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations


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
