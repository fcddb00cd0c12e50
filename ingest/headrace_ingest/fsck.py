"""``headrace fsck``: checks a data folder, beside a running daemon or without one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from headrace_ingest import logs
from headrace_ingest.config import StartError
from headrace_ingest.folder import in_use, locked
from headrace_ingest.postgres import EmbeddedPostgres, PostgresError
from headrace_storage.catalog.database import Database, store_identity
from headrace_storage.catalog.segments import Segments
from headrace_storage.check import Check, Damage, Findings
from headrace_storage.errors import StorageError
from headrace_storage.objects import LocalStore

Progress = Callable[[int, int], None]

__all__ = ["Damage", "Findings", "StartError", "check"]


def check(
    data: Path, database_url: str | None, progress: Progress, *, drop_damaged: bool = False
) -> Findings:
    """Checks the folder ``data``; ``progress`` gets the bytes that are checked, and all bytes.

    ``drop_damaged``: then gives damaged segments up, so that the rest of their runs can be read.
    :class:`StartError` when its catalog cannot be read.
    """
    logs.configure()
    return asyncio.run(_check(data.expanduser().resolve(), database_url, progress, drop_damaged))


async def _check(data: Path, database_url: str | None, progress: Progress, drop_damaged: bool) -> Findings:
    if not (data / "store-id").exists():
        raise StartError(f"{data} is no data folder of Headrace")
    store = LocalStore(data)
    try:
        async with _catalog(data, database_url) as url:
            database = await Database.connect(url, application_name="headrace fsck")
            try:
                owner = await store_identity(database)
                if owner != store.identity:
                    raise StartError(
                        f"the database belongs to the data folder {owner}, and {data} is {store.identity}"
                    )
                look = Check(Segments(database), store)
                findings = await look.run(progress)
                if drop_damaged:
                    await look.drop_damaged(findings)
                return findings
            finally:
                await database.close()
    except (StorageError, PostgresError) as error:
        raise StartError(f"the catalog of {data} cannot be read: {error}") from error


@asynccontextmanager
async def _catalog(data: Path, database_url: str | None) -> AsyncIterator[str]:
    """The URL of the folder's catalog: that of the running daemon, or of a server started for the check."""
    server = EmbeddedPostgres(data)
    if database_url is not None:
        yield database_url
    elif not (data / "postgres").exists():
        raise StartError(f"{data} has no database of its own; name it with --database-url")
    elif in_use(data):
        if (url := server.running_url()) is None:
            raise StartError(f"the database of the daemon that uses {data} does not run (yet); try again")
        yield url
    else:
        with locked(data):
            await server.start()
            try:
                yield server.url
            finally:
                await server.stop()
