"""One serving process, from its start to its end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog

from headrace_ingest.activity import Activity
from headrace_ingest.assembly import LAST_COMMITS_SECONDS, Daemon, Databases, assemble
from headrace_ingest.config import Config, StartError
from headrace_ingest.housekeeping import bury_predecessors, keep_house
from headrace_ingest.memory import return_freed_memory
from headrace_storage.catalog.database import Database, claim_store, migrate
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import CatalogUnavailableError, StorageError
from headrace_storage.objects import LocalStore

log = structlog.get_logger("headrace")

DRAIN_SECONDS: Final = 10.0
"""How long the end may take."""


async def prepare_catalog(config: Config, database_url: str) -> None:
    """Brings the catalog up to date, once per daemon, before its processes serve.

    :class:`StartError` when the database refuses, or belongs to another object store.
    """
    try:
        async with _database(database_url, "headrace start") as database:
            await migrate(database)
            await claim_store(database, LocalStore(config.data).identity)
            if config.database_url is None:
                # The folder's lock says that nobody else uses the embedded server.
                await bury_predecessors(Incarnations(database))
    except (StorageError, OSError) as error:
        raise StartError(f"the database cannot be used: {error}") from error


async def serve(
    config: Config, database_url: str, target: str, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serves on ``target`` until ``stop``, then drains. ``ready`` is called when it takes calls.

    HTTP is served on the same host at ``config.http_port``, which is reserved too; 0: it is not served.
    """
    async with AsyncExitStack() as stack:
        store, activity = LocalStore(config.data), Activity()
        try:
            databases = Databases(
                *[
                    await stack.enter_async_context(_database(database_url, f"headrace {name}"))
                    for name in Databases._fields
                ]
            )
            daemon = assemble(config, target, databases, store, activity)
            await daemon.incarnation.register()
        except StorageError as error:
            raise StartError(f"the database cannot be used: {error}") from error

        async with asyncio.TaskGroup() as tasks:
            commits = tasks.create_task(daemon.committer.run())
            others = [
                tasks.create_task(daemon.incarnation.beat()),
                tasks.create_task(keep_house(daemon.incarnation, daemon.housework)),
                tasks.create_task(_stop_when_idle(config, activity, stop)),
                tasks.create_task(return_freed_memory()),
            ]
            await daemon.server.start()
            if daemon.http is not None:
                await daemon.http.start()
            ready()
            await stop.wait()
            draining = tasks.create_task(_drain(daemon, commits))
            _, late = await asyncio.wait({draining}, timeout=DRAIN_SECONDS)
            if late:
                log.warning("the end takes too long, journals keep what is not committed")
                # Now, because a task that waits for an answer of the database cannot be cancelled.
                for database in databases:
                    await database.close(grace=0)
            for task in (draining, commits, *others):
                task.cancel()


async def _drain(daemon: Daemon, commits: asyncio.Task[None]) -> None:
    """No new calls; streams end when what they sent is acknowledged; the last commit; goodbye."""
    daemon.ingest.drain()
    http_stops = asyncio.create_task(daemon.http.stop()) if daemon.http is not None else None
    await daemon.server.stop(DRAIN_SECONDS - LAST_COMMITS_SECONDS)
    daemon.own_writer.close()
    daemon.committer.close()
    await commits
    if http_stops is not None:
        await http_stops
    with contextlib.suppress(CatalogUnavailableError):
        await daemon.incarnation.retire()


@asynccontextmanager
async def _database(url: str, name: str) -> AsyncIterator[Database]:
    database = await Database.connect(url, max_connections=1, application_name=name)
    try:
        yield database
    finally:
        await database.close(grace=1.0)


async def _stop_when_idle(config: Config, activity: Activity, stop: asyncio.Event) -> None:
    if config.exit_idle is None:
        return
    while (left := config.exit_idle - activity.idle_seconds()) > 0:  # noqa: ASYNC110 -- time passes
        await asyncio.sleep(left)
    log.info("nobody uses the daemon, it ends", idle_seconds=config.exit_idle)
    stop.set()
