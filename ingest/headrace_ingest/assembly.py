"""One serving process, put together: the only place that names concrete classes."""

import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from headrace_ingest.activity import Activity
from headrace_ingest.artifacts import Artifacts
from headrace_ingest.attendance import Attendance
from headrace_ingest.committer import Committer
from headrace_ingest.config import Config, StartError
from headrace_ingest.histories import Histories
from headrace_ingest.housekeeping import Lease, Task
from headrace_ingest.http.app import application
from headrace_ingest.http.artifacts import ArtifactRoutes, not_served
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.mlflow.routes import Parts, mlflow_routes
from headrace_ingest.http.mlflow.served import Serves
from headrace_ingest.http.mlflow.shapes import THEIR_SCHEME
from headrace_ingest.http.server import HttpServer
from headrace_ingest.incarnation import Incarnation
from headrace_ingest.models import ModelsService
from headrace_ingest.own_writer import OwnWriter
from headrace_ingest.presence import Presence
from headrace_ingest.server import Server
from headrace_ingest.service import IngestService
from headrace_ingest.tracking import TrackingService
from headrace_storage.catalog.commit import Commits
from headrace_storage.catalog.database import Database
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
from headrace_storage.fold import Fold
from headrace_storage.history import History
from headrace_storage.objects import LocalStore, Locations
from headrace_storage.periodic import repeat
from headrace_storage.publish import Publisher
from headrace_storage.scan import Scans
from headrace_storage.segments.write import SegmentWriter
from headrace_storage.sweep import Sweeper

PRUNE_INTERVAL: Final = 60.0

LAST_COMMITS_SECONDS: Final = 2.0
"""What of the end is left for commits when streams do not end."""


class Databases(NamedTuple):
    """One connection each: a commit waits neither for a read nor a fold, and no other call for a search."""

    commits: Database
    calls: Database
    search: Database
    background: Database


class Daemon(NamedTuple):
    """What serves, and what ends in an order."""

    incarnation: Incarnation
    committer: Committer
    ingest: IngestService
    own_writer: OwnWriter
    server: Server
    http: HttpServer | None
    housework: Callable[[int], Sequence[Task]]
    """What an incarnation does beside serving."""


class _Reading(NamedTuple):
    """What several services read with."""

    runs: Runs
    writers: Writers
    history: History
    scans: Scans

    @classmethod
    def of(cls, database: Database, store: LocalStore) -> "_Reading":
        segments, writers = Segments(database), Writers(database)
        return cls(Runs(database), writers, History(segments, store), Scans(segments, store, writers.labels))


def assemble(
    config: Config, target: str, databases: Databases, store: LocalStore, activity: Activity
) -> Daemon:
    """A daemon that is not started. :class:`StartError`: artifacts cannot be stored."""
    incarnation = Incarnation(Incarnations(databases.background), partial(SegmentWriter, store))
    committer = Committer(Commits(databases.commits), incarnation, config.bounds)
    locations, attendance = _locations(config), Attendance()
    reading = _Reading.of(databases.calls, store)
    runs, writers, history, scans = reading
    ingest = IngestService(writers, committer, activity, attendance, config.bounds)
    own_writer = OwnWriter(writers, committer, config.bounds)
    tracking = _tracking(config, databases, store, reading, locations=locations, activity=activity)
    models = _models(config, databases.calls, activity)
    owners = {"runs": runs.artifact_uri, "models": LoggedModels(databases.calls).artifact_uri}
    artifacts = Artifacts(locations, owners)
    parts = Parts(tracking, runs, history, own_writer, artifacts, models, config.bounds.artifact, scans)
    services: list[IngestService | TrackingService | ModelsService] = []
    if not config.artifacts_only:
        services = [ingest, tracking, models]
    return Daemon(
        incarnation,
        committer,
        ingest,
        own_writer,
        Server(
            target,
            [service.handler() for service in services],
            [service.NAME for service in services],
            config.bounds,
        ),
        _http(config, parts, activity) if config.http_port else None,
        partial(
            _background,
            databases.background,
            store,
            locations,
            attendance,
            config.run_lease,
            pressed=committer.pressed,
        ),
    )


def _tracking(
    config: Config,
    databases: Databases,
    store: LocalStore,
    reading: _Reading,
    *,
    locations: Locations,
    activity: Activity,
) -> TrackingService:
    database = databases.calls
    runs, writers, history, scans = reading
    summaries, charts = Summaries(database, store), Charts(Segments(database), store)
    return TrackingService(
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
        experiments=Experiments(database),
        search=RunSearch(databases.search, Summaries(databases.search, store), config.bounds.search),
        eraser=Eraser(database),
        rewinds=Rewinds(database),
        locations=locations,
        sweeper=Sweeper(Eraser(database), locations),
        http_port=config.http_port,
        activity=activity,
        bounds=config.bounds,
    )


def _models(config: Config, database: Database, activity: Activity) -> ModelsService:
    return ModelsService(
        Datasets(database),
        LoggedModels(database),
        ModelSearch(database),
        Registry(database),
        RegistrySearch(database),
        activity=activity,
        bounds=config.bounds,
    )


def _http(config: Config, parts: Parts, activity: Activity) -> HttpServer:
    names = (*config.allowed_hosts, socket.gethostname(), socket.getfqdn())
    files = THEIR_SCHEME if config.serve_artifacts else f"{config.artifacts.as_uri()}/"
    serves = Serves(tracking=not config.artifacts_only, artifacts=config.serve_artifacts, files=files)
    artifacts = ArtifactRoutes(parts.artifacts, config.bounds.artifact)
    routes = artifacts.routes() if config.serve_artifacts else not_served()
    routes += mlflow_routes(parts, serves)
    application_ = application(routes, parts.runs.reachable, Hosts(names), activity)
    return HttpServer(application_, config.host, config.http_port, LAST_COMMITS_SECONDS)


def _locations(config: Config) -> Locations:
    try:
        return Locations(config.artifacts, config.artifact_roots)
    except OSError as error:
        problem = f"artifacts cannot be stored in {error.filename}: {error.strerror}"
        raise StartError(problem) from error


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
