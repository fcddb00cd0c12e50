"""The pool, migrations, and what errors mean."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import asyncpg
import pytest

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database, _check_server, claim_store, migrate
from headrace_storage.catalog.sqlstates import ContentionError
from headrace_storage.errors import (
    CatalogUnavailableError,
    ForeignStoreError,
    InvalidArgumentError,
    StorageError,
    UnsuitableDatabaseError,
)

MIGRATE = """
import asyncio, sys
from headrace_storage.catalog.database import Database, claim_store, migrate
async def main():
    database = await Database.connect(sys.argv[1])
    await migrate(database)
    await claim_store(database, "the store")
    await database.close()
asyncio.run(main())
"""

TERMINATE_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def admin_of_empty(empty_database_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


async def test_several_processes_migrate_at_once(empty_database_url: str, admin_of_empty: Any) -> None:
    command, admin = [sys.executable, "-c", MIGRATE, empty_database_url], admin_of_empty
    processes = [await asyncio.create_subprocess_exec(*command) for _ in range(5)]
    assert [await process.wait() for process in processes] == [0] * 5
    applied = await admin.fetch("SELECT number, name FROM schema_migrations ORDER BY number")
    assert [row["number"] for row in applied] == list(range(1, len(applied) + 1))
    assert await admin.fetchval("SELECT name FROM experiments") == "Default"
    assert await admin.fetchval("SELECT value FROM meta") == "the store"


async def test_several_connections_migrate_at_once(empty_database_url: str, admin_of_empty: Any) -> None:
    databases = [await Database.connect(empty_database_url) for _ in range(6)]
    await asyncio.gather(*(migrate(database) for database in databases))
    assert await admin_of_empty.fetchval("SELECT count(*) FROM experiments") == 1
    for database in databases:
        await database.close()


async def test_migrating_again_changes_nothing(database: Database, admin: Any) -> None:
    before = await admin.fetch("SELECT * FROM schema_migrations")
    await migrate(database)
    assert await admin.fetch("SELECT * FROM schema_migrations") == before


async def test_a_newer_schema_is_left_alone(database: Database, admin: Any) -> None:
    await admin.execute("INSERT INTO schema_migrations (number, name) VALUES (9999, 'future')")
    with pytest.raises(UnsuitableDatabaseError, match="newer Headrace"):
        await migrate(database)


async def test_a_catalog_belongs_to_one_store(database: Database) -> None:
    await claim_store(database, "file:a")
    await claim_store(database, "file:a")
    with pytest.raises(ForeignStoreError) as caught:
        await claim_store(database, "file:b")
    assert (caught.value.expected, caught.value.found) == ("file:a", "file:b")


@pytest.mark.parametrize("setting", ["off", "local", "remote_write"])
async def test_a_server_that_would_lose_commits_is_refused(
    database_url: str, admin: Any, setting: str
) -> None:
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = {setting}")
    with pytest.raises(UnsuitableDatabaseError, match=f"synchronous_commit={setting}"):
        await Database.connect(database_url)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("fsync", "off", "fsync=off"), ("encoding", "LATIN1", "LATIN1"), ("version", 13_00_20, "older than 14")],
)
async def test_what_only_another_server_could_be(name: str, value: object, message: str) -> None:
    settings = {"version": 16_00_00, "encoding": "UTF8", "fsync": "on", "synchronous_commit": "remote_apply"}
    connection = AsyncMock(fetchrow=AsyncMock(return_value=settings))
    await _check_server(connection)
    settings[name] = value
    with pytest.raises(UnsuitableDatabaseError, match=message):
        await _check_server(connection)


async def test_what_cannot_be_connected_to(database_url: str) -> None:
    nobody = re.sub(r"/headrace_test_\w+", "/nobody", database_url)
    for url in (nobody, "postgresql://127.0.0.1:1/x", "postgresql:///x?host=/nowhere"):
        with pytest.raises(CatalogUnavailableError, match="no connection"):
            await Database.connect(url)
    with pytest.raises(UnsuitableDatabaseError):
        await Database.connect("mysql://x")


async def test_a_lost_connection_is_unavailability_and_the_next_one_works(
    database_url: str, admin: Any
) -> None:
    lonely = await Database.connect(database_url, max_connections=1, application_name="lonely")
    with pytest.raises(CatalogUnavailableError):
        async with lonely.acquire() as connection:
            await asyncio.gather(connection.execute("SELECT pg_sleep(10)"), admin.execute(TERMINATE_OTHERS))
    with pytest.raises(CatalogUnavailableError):
        await lonely.retrying(lambda _: admin.execute(TERMINATE_OTHERS))
    async with lonely.acquire() as connection:
        assert await connection.fetchval("SELECT current_setting('application_name')") == "lonely"
    await lonely.close()
    with pytest.raises(CatalogUnavailableError):
        await migrate(lonely)


async def test_closing_does_not_wait_for_ever(database_url: str) -> None:
    database = await Database.connect(database_url)
    async with database.acquire():
        await database.close(grace=0.01)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1 / 0", InvalidArgumentError),
        ("INSERT INTO meta VALUES ('a', NULL)", InvalidArgumentError),
        ("SELECT nonsense", StorageError),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(10)", CatalogUnavailableError),
        ("SET TRANSACTION READ ONLY; DELETE FROM meta", CatalogUnavailableError),
        ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; END $$", CatalogUnavailableError),
        ("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$", ContentionError),
    ],
)
async def test_what_errors_mean(database: Database, statement: str, error: type[StorageError]) -> None:
    with pytest.raises(error) as caught:
        async with database.transaction() as connection:
            await connection.execute(statement)
    assert type(caught.value) is error


async def test_an_error_of_the_block_passes_and_rolls_back(database: Database, admin: Any) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute("INSERT INTO meta VALUES ('a', 'b')")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await database.retrying(work)
    assert await admin.fetchval("SELECT count(*) FROM meta") == 0


async def test_misuse_is_not_mistaken_for_unavailability(database: Database) -> None:
    with pytest.raises(asyncpg.InterfaceError):
        async with database.acquire() as connection:
            await asyncio.gather(connection.execute("SELECT 1"), connection.execute("SELECT 2"))


async def test_the_victim_of_a_deadlock_runs_again(database: Database, admin: Any) -> None:
    await admin.execute("INSERT INTO meta VALUES ('a', ''), ('b', '')")
    met = asyncio.Barrier(2)
    runs = []

    async def work(keys: str, connection: Connection) -> None:
        runs.append(keys)
        await connection.execute("UPDATE meta SET value = value || $2 WHERE key = $1", keys[0], keys)
        if len(runs) <= 2:
            await met.wait()
        await connection.execute("UPDATE meta SET value = value || $2 WHERE key = $1", keys[1], keys)

    await asyncio.gather(*(database.retrying(partial(work, keys)) for keys in ("ab", "ba")))
    # Once more, or oftener: the victim may take its first row again before the other one wakes up.
    assert len(runs) >= 3
    assert {len(row["value"]) for row in await admin.fetch("SELECT value FROM meta")} == {4}


async def test_a_transaction_that_was_abandoned_is_ended_by_the_server(database: Database) -> None:
    async with database.transaction() as connection:
        setting = "SELECT current_setting('idle_in_transaction_session_timeout')"
        assert await connection.fetchval(setting) == "30s"
    async with database.acquire() as connection:
        assert await connection.fetchval(setting) == "0"


async def test_a_reader_can_have_one_snapshot(database: Database, admin: Any) -> None:
    async with database.transaction("repeatable_read", readonly=True) as connection:
        assert await connection.fetchval("SELECT count(*) FROM meta") == 0
        await admin.execute("INSERT INTO meta VALUES ('a', 'b')")
        assert await connection.fetchval("SELECT count(*) FROM meta") == 0


def test_migrations_are_numbered_without_gaps() -> None:
    import headrace_storage.catalog  # noqa: PLC0415

    folder = Path(headrace_storage.catalog.__file__).parent / "migrations"
    names = sorted(path.name for path in folder.iterdir())
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", name) for name in names)
