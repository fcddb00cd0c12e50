"""The connection to PostgreSQL: a pool, transactions, migrations.

There is no session state: every statement stands alone or in a transaction, and what is set is set for
the transaction, so that a pooler in transaction mode may stand between (PgBouncer from 1.21 on, which
knows prepared statements). What leaves this package by exception is a :class:`StorageError`.

All writing transactions take their locks in one global order, each kind sorted by its primary key::

    incarnations, writers, progress, experiments ("_recovered" last), runs, presences, keys of params
    and tags, the lock of what runs show (rewinds.py), unfolded, segments, summaries, datasets

so that two of them never deadlock; should PostgreSQL pick a victim all the same,
:meth:`Database.retrying` starts it again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import asyncpg

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.sqlstates import ContentionError, connecting, translated
from headrace_storage.errors import CatalogUnavailableError, ForeignStoreError, UnsuitableDatabaseError

Result = TypeVar("Result")

_QUERIES = Queries("database")
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x6865616472616365
"""The key of the advisory lock: "headrace" in ASCII."""

_OLDEST_SERVER: Final = 14_00_00

_CONNECT_TIMEOUT: Final = 10.0
_COMMAND_TIMEOUT: Final = 60.0
"""Seconds. Past it a half-open connection is given up: the outcome is unknown, the caller tries again."""
_MIGRATION_TIMEOUT: Final = 3600.0

_CONTENTION_ATTEMPTS: Final = 8


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, url: str, *, max_connections: int = 3, application_name: str = "headrace") -> Self:
        """Connect to ``url`` (``postgresql://...``) and check the server.

        Raises:
            UnsuitableDatabaseError: the server would lose commits (``fsync`` or ``synchronous_commit``
                off), is not UTF-8 or too old, or the URL is wrong.
            CatalogUnavailableError: it cannot be reached, or refuses the user or the database.
        """
        with connecting():
            pool = await asyncpg.create_pool(
                url,
                min_size=0,
                max_size=max_connections,
                max_queries=1_000_000,
                init=_check_server,
                reset=_nothing_to_reset,
                timeout=_CONNECT_TIMEOUT,
                command_timeout=_COMMAND_TIMEOUT,
                server_settings={"application_name": application_name},
            )
        database = cls(pool)
        async with database.acquire():
            return database

    async def close(self, grace: float = 5.0) -> None:
        """Close the connections; those still busy after ``grace`` seconds are cut."""
        try:
            async with asyncio.timeout(grace):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        """A connection for single statements, each of which is a transaction of its own.

        Raises:
            CatalogUnavailableError: also when the outcome of a statement is unknown.
        """
        with connecting():
            connection = await self._pool.acquire()
        try:
            with translated():
                yield connection
        except asyncpg.InterfaceError as error:
            if not _is_gone(connection):
                raise
            raise CatalogUnavailableError("the connection to the database was lost") from error
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(
        self,
        isolation: Literal["read_committed", "repeatable_read"] = "read_committed",
        *,
        readonly: bool = False,
    ) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits at the end of the block.

        ``repeatable_read`` with ``readonly`` gives a reader one snapshot for all its statements. Raises as
        :meth:`acquire` does.
        """
        async with (
            self.acquire() as connection,
            connection.transaction(isolation=isolation, readonly=readonly),
        ):
            await connection.execute(_QUERIES["end_when_abandoned"])
            yield connection

    async def retrying(
        self, work: Callable[[Connection], Awaitable[Result]], *, atomic: bool = True
    ) -> Result:
        """Run ``work`` in a transaction, again when PostgreSQL made it the victim of a conflict.

        With ``atomic=False`` there is no transaction around ``work``, whose one statement is a
        transaction by itself: this saves three round trips.
        """
        for _ in range(_CONTENTION_ATTEMPTS - 1):
            try:
                return await self._run(work, atomic)
            except ContentionError:
                continue
        return await self._run(work, atomic)

    async def _run(self, work: Callable[[Connection], Awaitable[Result]], atomic: bool) -> Result:
        async with self.transaction() if atomic else self.acquire() as connection:
            return await work(connection)


async def migrate(database: Database) -> None:
    """Bring the schema up to date. Any number of processes may do so at once: one does, the others wait.

    Raises:
        UnsuitableDatabaseError: a newer Headrace migrated this database.
    """
    migrations = {int(path.name[:4]): path for path in sorted(_MIGRATIONS.glob("[0-9]*.sql"))}
    async with database.acquire() as connection, connection.transaction(isolation="read_committed"):
        await connection.execute(_QUERIES["lock_migrations"], _MIGRATION_LOCK, timeout=_MIGRATION_TIMEOUT)
        await connection.execute(_QUERIES["create_migrations_table"])
        applied = {row["number"] for row in await connection.fetch(_QUERIES["applied_migrations"])}
        if unknown := applied - migrations.keys():
            raise UnsuitableDatabaseError(
                f"the database has migration {max(unknown)} of a newer Headrace; upgrade this one"
            )
        for number in sorted(migrations.keys() - applied):
            script = migrations[number].read_text(encoding="utf-8")
            await connection.execute(script, timeout=_MIGRATION_TIMEOUT)
            await connection.execute(_QUERIES["record_migration"], number, migrations[number].stem)


async def claim_store(database: Database, identity: str) -> None:
    """Remember that the catalog belongs to the object store ``identity``, or check that it does.

    Raises:
        ForeignStoreError: it belongs to another one.
    """
    async with database.acquire() as connection:
        await connection.execute(_QUERIES["claim_store"], identity)
        owner = await connection.fetchval(_QUERIES["store_identity"])
    if owner != identity:
        raise ForeignStoreError(expected=owner, found=identity)


async def store_identity(database: Database) -> str:
    """The object store that the catalog belongs to; "" when it was never used.

    Raises:
        UnsuitableDatabaseError: it is no catalog.
    """
    async with database.acquire() as connection:
        if not await connection.fetchval(_QUERIES["is_catalog"]):
            raise UnsuitableDatabaseError("there is no Headrace catalog in this database")
        return str(await connection.fetchval(_QUERIES["store_identity"]) or "")


def _is_gone(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool took it back when it broke
        return True


async def _check_server(connection: Connection) -> None:
    server = await connection.fetchrow(_QUERIES["server_settings"])
    if server["version"] < _OLDEST_SERVER:
        raise UnsuitableDatabaseError("PostgreSQL is older than 14; upgrade it")
    if server["encoding"] != "UTF8":
        raise UnsuitableDatabaseError(f"its encoding is {server['encoding']}; create it with UTF8")
    if server["fsync"] != "on":
        raise UnsuitableDatabaseError("PostgreSQL runs with fsync=off and would lose commits; turn it on")
    if server["synchronous_commit"] not in {"on", "remote_apply"}:
        raise UnsuitableDatabaseError(
            f"PostgreSQL runs with synchronous_commit={server['synchronous_commit']} and would lose commits; "
            "turn it on"
        )


async def _nothing_to_reset(_connection: Connection) -> None:
    """Spares asyncpg's round trip at each release: there is no session state."""
