"""One serving process, put together: the only place that names concrete classes."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

import structlog

from headrace_ingest.activity import Activity
from headrace_ingest.artifacts import Artifacts
from headrace_ingest.attendance import Attendance
from headrace_ingest.committer import Committer
from headrace_ingest.config import Config, StartError
from headrace_ingest.histories import Histories
from headrace_ingest.housekeeping import Lease, Task, bury_predecessors, keep_house
from headrace_ingest.http.app import application
from headrace_ingest.http.artifacts import ArtifactRoutes, not_served
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.mlflow.routes import Parts, mlflow_routes
from headrace_ingest.http.mlflow.served import Serves
from headrace_ingest.http.mlflow.shapes import THEIR_SCHEME
from headrace_ingest.http.server import HttpServer
from headrace_ingest.incarnation import Incarnation
from headrace_ingest.memory import return_freed_memory
from headrace_ingest.models import ModelsService
from headrace_ingest.own_writer import OwnWriter
from headrace_ingest.presence import Presence
from headrace_ingest.server import Server
from headrace_ingest.service import IngestService
from headrace_ingest.tracking import TrackingService
from headrace_storage.catalog.commit import Commits
from headrace_storage.catalog.database import Database, claim_store, migrate
from headrace_storage.catalog.erase import Eraser
from headrace_storage.catalog.experiments import Experiments
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.lineage import Datasets
from headrace_storage.catalog.logged_models import LoggedModels
from headrace_storage.catalog.logged_models_search import ModelSearch
from headrace_storage.catalog.presences import Presences
from headrace_storage.catalog.registry import Registry
from headrace_storage.catalog.registry_search import RegistrySearch
from headrace_storage.catalog.rewinds import Rewinds
from headrace_storage.catalog.runs import Runs
from headrace_storage.catalog.search import RunSearch, prune_touched
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.catalog.writers import Writers
from headrace_storage.charts import Charts
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.downsample import Downsampler
from headrace_storage.errors import CatalogUnavailableError, StorageError
from headrace_storage.fold import Fold
from headrace_storage.history import History
from headrace_storage.objects import LocalStore, Locations
from headrace_storage.periodic import repeat
from headrace_storage.publish import Publisher
from headrace_storage.scan import Scans
from headrace_storage.segments.write import SegmentWriter
from headrace_storage.sweep import Sweeper

log = structlog.get_logger("headrace")

DRAIN_SECONDS: Final = 10.0
"""How long the end may take."""

PRUNE_INTERVAL: Final = 60.0

_LAST_COMMITS_SECONDS: Final = 2.0
"""What of it is left for commits when streams do not end."""


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
        # A connection for each, so that a commit waits neither for a read nor for a fold, and no other call
        # for a search.
        store = LocalStore(config.data)
        try:
            for_commits, for_calls, for_search, for_background = databases = [
                await stack.enter_async_context(_database(database_url, name))
                for name in ("headrace commits", "headrace calls", "headrace search", "headrace background")
            ]
            incarnation = Incarnation(
                Incarnations(for_background), lambda number: SegmentWriter(store, number)
            )
            await incarnation.register()
        except StorageError as error:
            raise StartError(f"the database cannot be used: {error}") from error

        activity, attendance = Activity(), Attendance()
        committer = Committer(Commits(for_commits), incarnation, config.bounds)
        runs, writers = Runs(for_calls), Writers(for_calls)
        ingest = IngestService(writers, committer, activity, attendance, config.bounds)
        history = History(Segments(for_calls), store)
        summaries = Summaries(for_calls, store)
        charts = Charts(Segments(for_calls), store)
        search = RunSearch(for_search, Summaries(for_search, store), config.bounds.search)
        scans = Scans(Segments(for_calls), store, writers.labels)
        locations = _locations(config)
        owners = {"runs": runs.artifact_uri, "models": LoggedModels(for_calls).artifact_uri}
        artifacts = Artifacts(locations, owners)
        tracking = TrackingService(
            runs,
            writers,
            summaries,
            history,
            charts,
            histories=Histories(
                runs,
                writers,
                summaries,
                history=history,
                scans=scans,
                downsampler=Downsampler(scans, charts),
            ),
            experiments=Experiments(for_calls),
            search=search,
            eraser=Eraser(for_calls),
            rewinds=Rewinds(for_calls),
            locations=locations,
            sweeper=Sweeper(Eraser(for_calls), locations),
            http_port=config.http_port,
            activity=activity,
            bounds=config.bounds,
        )
        own_writer = OwnWriter(writers, committer, config.bounds)
        models = ModelsService(
            Datasets(for_calls),
            LoggedModels(for_calls),
            ModelSearch(for_calls),
            Registry(for_calls),
            RegistrySearch(for_calls),
            activity=activity,
            bounds=config.bounds,
        )
        parts = Parts(tracking, runs, history, own_writer, artifacts, models, config.bounds.artifact, scans)
        http = _http(config, parts, activity) if config.http_port else None
        services: list[IngestService | TrackingService | ModelsService] = []
        if not config.artifacts_only:
            services = [ingest, tracking, models]
        server = Server(
            target,
            [service.handler() for service in services],
            [service.NAME for service in services],
            config.bounds,
        )

        async with asyncio.TaskGroup() as tasks:
            commits = tasks.create_task(committer.run())
            others = [
                tasks.create_task(incarnation.beat()),
                tasks.create_task(
                    keep_house(
                        incarnation,
                        partial(
                            _background,
                            for_background,
                            store,
                            locations,
                            attendance,
                            config.run_lease,
                            pressed=committer.pressed,
                        ),
                    )
                ),
                tasks.create_task(_stop_when_idle(config, activity, stop)),
                tasks.create_task(return_freed_memory()),
            ]
            await server.start()
            if http is not None:
                await http.start()
            ready()
            await stop.wait()
            draining = tasks.create_task(
                _drain(ingest, server, http, own_writer, committer, commits, incarnation)
            )
            _, late = await asyncio.wait({draining}, timeout=DRAIN_SECONDS)
            if late:
                log.warning("the end takes too long, journals keep what is not committed")
                # Now, because a task that waits for an answer of the database cannot be cancelled.
                for database in databases:
                    await database.close(grace=0)
            for task in (draining, commits, *others):
                task.cancel()


async def _drain(  # noqa: PLR0917
    ingest: IngestService,
    server: Server,
    http: HttpServer | None,
    own_writer: OwnWriter,
    committer: Committer,
    commits: asyncio.Task[None],
    incarnation: Incarnation,
) -> None:
    """No new calls; streams end when what they sent is acknowledged; the last commit; goodbye."""
    ingest.drain()
    http_stops = asyncio.create_task(http.stop()) if http is not None else None
    await server.stop(DRAIN_SECONDS - _LAST_COMMITS_SECONDS)
    own_writer.close()
    committer.close()
    await commits
    if http_stops is not None:
        await http_stops
    with contextlib.suppress(CatalogUnavailableError):
        await incarnation.retire()


def _background(  # noqa: PLR0917
    database: Database,
    store: LocalStore,
    locations: Locations,
    attendance: Attendance,
    run_lease: float | None,
    incarnation: int,
    *,
    pressed: Callable[[], bool],
) -> Sequence[Task]:
    """What an incarnation does beside serving; ``pressed``: when it had better wait."""
    incarnations, segments = Incarnations(database), Segments(database)
    lease = Lease(incarnations, incarnation).held

    async def prune() -> None:
        if await lease():
            await Writers(database).prune()
            await prune_touched(database)

    return [
        Fold(Summaries(database, store)).run,
        Compactor(segments, store, incarnation, lease=lease, pressed=pressed).run,
        Publisher(segments, store, lease=lease).run,
        Collector(segments, incarnations, store, incarnation, lease=lease).run,
        Sweeper(Eraser(database), locations, lease=lease).run,
        Presence(Presences(database), attendance, run_lease, keeps_house=lease).run,
        partial(repeat, "prune", prune, PRUNE_INTERVAL),
    ]


def _locations(config: Config) -> Locations:
    try:
        return Locations(config.artifacts, config.artifact_roots)
    except OSError as error:
        problem = f"artifacts cannot be stored in {error.filename}: {error.strerror}"
        raise StartError(problem) from error


def _http(config: Config, parts: Parts, activity: Activity) -> HttpServer:
    names = (*config.allowed_hosts, socket.gethostname(), socket.getfqdn())
    files = THEIR_SCHEME if config.serve_artifacts else f"{config.artifacts.as_uri()}/"
    serves = Serves(tracking=not config.artifacts_only, artifacts=config.serve_artifacts, files=files)
    artifacts = ArtifactRoutes(parts.artifacts, config.bounds.artifact)
    routes = artifacts.routes() if config.serve_artifacts else not_served()
    routes += mlflow_routes(parts, serves)
    application_ = application(routes, parts.runs.reachable, Hosts(names), activity)
    return HttpServer(application_, config.host, config.http_port, _LAST_COMMITS_SECONDS)


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
