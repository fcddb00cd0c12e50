"""The tracking service: metadata and reads. Translation only."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc

from headrace_ingest import changes, messages, unary
from headrace_ingest.activity import Activity
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.histories import Histories
from headrace_ingest.history_questions import MAX_BUCKETS
from headrace_ingest.status import told
from headrace_proto.limits import text_problem
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.catalog.erase import Deleted, Eraser
from headrace_storage.catalog.experiments import ACTIVE, DELETED, ExperimentQuery, Experiments
from headrace_storage.catalog.rewinds import Rewinds
from headrace_storage.catalog.runs import Runs
from headrace_storage.catalog.search import Query, RunSearch
from headrace_storage.catalog.search_look import Scope
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.catalog.writers import Writers
from headrace_storage.charts import Charts, Wanted
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.history import History
from headrace_storage.objects import Locations
from headrace_storage.sweep import Sweeper

Stream = Callable[[Any], AsyncGenerator[bytes, None]]

DEFAULT_RESULTS: Final = 1000
MAX_RESULTS: Final = 50_000

DEFAULT_BUCKETS: Final = 1000

_STAGES: Final = {
    pb.VIEW_TYPE_UNSPECIFIED: (True, False),
    pb.ACTIVE_ONLY: (True, False),
    pb.DELETED_ONLY: (False, True),
    pb.ALL: (True, True),
}
"""Whether a view has active runs, and whether deleted ones."""

_MANY_RUNS: Final = 200
"""So many runs become a message in a thread, which leaves the loop to others: it takes 20 us each."""


class TrackingService:
    """``headrace.v1.Tracking``."""

    NAME = "headrace.v1.Tracking"

    def __init__(
        self,
        runs: Runs,
        writers: Writers,
        summaries: Summaries,
        history: History,
        charts: Charts,
        *,
        histories: Histories,
        experiments: Experiments,
        search: RunSearch,
        eraser: Eraser,
        rewinds: Rewinds,
        locations: Locations,
        sweeper: Sweeper,
        http_port: int = 0,
        activity: Activity,
        bounds: Bounds = DEFAULTS,
    ) -> None:
        self._experiments = experiments
        self._runs = runs
        self._writers = writers
        self._summaries = summaries
        self._history = history
        self._charts = charts
        self._histories = histories
        self._search = search
        self._eraser = eraser
        self._rewinds = rewinds
        self._locations = locations
        self._sweeper = sweeper
        self._http_port = http_port
        self._activity = activity
        self._bounds = bounds

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server serves."""
        requests: dict[type[Any], unary.Unary] = {
            pb.CreateExperimentRequest: self.create_experiment,
            pb.GetExperimentRequest: self.get_experiment,
            pb.ListExperimentsRequest: self.list_experiments,
            pb.ChangeExperimentRequest: self.change_experiment,
            pb.CreateRunRequest: self.create_run,
            pb.ChangeRunRequest: self.change_run,
            pb.EraseDeletedRequest: self.erase_deleted,
            pb.GetRunRequest: self.get_run,
            pb.SearchRunsRequest: self.search_runs,
            pb.GetSummariesRequest: self.get_summaries,
            pb.GetMetricChartRequest: self.get_metric_chart,
            pb.ListRejectsRequest: self.list_rejects,
            pb.ListWritersRequest: self.list_writers,
            pb.ListRewindsRequest: self.list_rewinds,
            pb.ChangeRewindRequest: self.change_rewind,
            pb.GetServerInfoRequest: self.get_server_info,
        }
        methods = unary.handlers(
            {_name(request): (request, method) for request, method in requests.items()}, self._activity
        )
        for request, stream in (
            (pb.GetMetricHistoryRequest, self._histories.one),
            (pb.GetMetricHistoriesRequest, self._histories.many),
        ):
            methods[_name(request)] = grpc.unary_stream_rpc_method_handler(
                self._streaming(stream),
                request_deserializer=request.FromString,
                response_serializer=None,  # they are bytes already
            )
        return grpc.method_handlers_generic_handler(self.NAME, methods)

    async def create_experiment(self, request: pb.CreateExperimentRequest) -> pb.Experiment:
        """A new experiment."""
        location = request.artifact_location
        if problem := text_problem(location, 4096):
            raise InvalidArgumentError("artifact_location", problem)
        self._locations.check(location)
        name, tags = changes.experiment_name(request.name), changes.tags(request.tags)
        changes.check_time("creation_time", request.creation_time)
        made = await self._experiments.create(
            name,
            location,
            tags,
            experiment_id=request.experiment_id,
            creation_time=request.creation_time,
        )
        return messages.experiment(made)

    async def get_experiment(self, request: pb.GetExperimentRequest) -> pb.Experiment:
        """An experiment by id or name."""
        if request.WhichOneof("by") == "name":
            return messages.experiment(await self._experiments.get_by_name(request.name))
        return messages.experiment(await self._experiments.get(request.experiment_id))

    async def list_experiments(self, request: pb.ListExperimentsRequest) -> pb.ListExperimentsResponse:
        """A page of the experiments that match."""
        unary.check_filter(self._bounds, request.filter, *request.order_by)
        active, deleted = _stages(request.view_type)
        query = ExperimentQuery(
            [ACTIVE] * active + [DELETED] * deleted,
            request.filter,
            request.order_by,
            _limit(request.max_results),
            request.page_token,
        )
        found, token = await self._experiments.search(query)
        return pb.ListExperimentsResponse(experiments=map(messages.experiment, found), next_page_token=token)

    async def change_experiment(self, request: pb.ChangeExperimentRequest) -> pb.Experiment:
        """An experiment after a change."""
        experiment_id, experiments = request.experiment_id, self._experiments
        match request.WhichOneof("change"):
            case "name":
                changed = await experiments.rename(experiment_id, changes.experiment_name(request.name))
            case "set_tags":
                changed = await experiments.set_tags(experiment_id, changes.tags(request.set_tags.tags))
            case "delete_tag":
                changed = await experiments.delete_tag(experiment_id, changes.tag_key(request.delete_tag))
            case _:
                change = experiments.delete if _is_deleted(request.lifecycle_stage) else experiments.restore
                changed = await change(experiment_id)
        return messages.experiment(changed)

    async def create_run(self, request: pb.CreateRunRequest) -> pb.Run:
        """A new run, outside any journal."""
        run = await self._runs.create_run(request.run_id or None, changes.create_run(request.run))
        return messages.run(run, ())

    async def get_run(self, request: pb.GetRunRequest) -> pb.Run:
        """A run with the latest value of each key."""
        run = await self._runs.get_run(request.run_id)
        return messages.run(run, await self._summaries.get(run.run_id, None))

    async def change_run(self, request: pb.ChangeRunRequest) -> pb.Run:
        """A run, without its metrics, after it was deleted or restored."""
        change = self._runs.delete if _is_deleted(request.lifecycle_stage) else self._runs.restore
        return messages.run(await change(request.run_id), ())

    async def erase_deleted(self, request: pb.EraseDeletedRequest) -> pb.EraseDeletedResponse:
        """What was erased."""
        deleted = Deleted(
            request.run_ids, request.experiment_ids, request.deleted_before, _limit(request.max_runs)
        )
        erased = await self._eraser.erase(deleted, dry_run=request.dry_run)
        if (erased.run_ids or erased.experiment_ids) and not request.dry_run:
            self._sweeper.soon()
        return pb.EraseDeletedResponse(
            run_ids=erased.run_ids, experiment_ids=erased.experiment_ids, more=erased.more
        )

    async def search_runs(self, request: pb.SearchRunsRequest) -> pb.SearchRunsResponse:
        """A page of the runs that match, with their latest values."""
        unary.check_filter(self._bounds, request.filter, *request.order_by)
        query = Query(
            scope=Scope(request.experiment_ids, *_stages(request.view_type, "run_view_type")),
            filter=request.filter,
            order_by=request.order_by,
            limit=_limit(request.max_results),
            page_token=request.page_token,
        )
        found, token = await self._search.find(query)
        if len(found) < _MANY_RUNS:
            return messages.found_runs(found, token)
        return await asyncio.to_thread(messages.found_runs, found, token)

    async def get_summaries(self, request: pb.GetSummariesRequest) -> pb.GetSummariesResponse:
        """Keys of a run at a glance."""
        run = await self._runs.get_run(request.run_id)
        found = await self._summaries.get(run.run_id, list(request.keys) or None)
        return pb.GetSummariesResponse(summaries=map(messages.summary, found))

    async def get_metric_chart(self, request: pb.GetMetricChartRequest) -> pb.MetricChart:
        """A key as a curve."""
        if not 0 <= request.buckets <= MAX_BUCKETS:
            raise InvalidArgumentError("buckets", f"is {request.buckets}, the bounds are 0 and {MAX_BUCKETS}")
        run = await self._runs.get_run(request.run_id)
        window = {
            name: getattr(request, name) for name in ("first_step", "last_step") if request.HasField(name)
        }
        wanted = Wanted(run.run_id, request.key, request.buckets or DEFAULT_BUCKETS, **window)
        return messages.chart(await self._charts.get(wanted))

    async def list_rejects(self, request: pb.ListRejectsRequest) -> pb.ListRejectsResponse:
        """Refused operations."""
        found = await self._runs.list_rejects(request.run_id or None, _limit(request.max_results))
        return pb.ListRejectsResponse(rejects=map(messages.reject, found))

    async def list_writers(self, request: pb.ListWritersRequest) -> pb.ListWritersResponse:
        """Who wrote the points of a run."""
        run = await self._runs.get_run(request.run_id)
        counts = await self._history.writers(run.run_id)
        labels = await self._writers.labels(counts)
        return pb.ListWritersResponse(
            writers=[
                pb.ListWritersResponse.Entry(
                    writer_id=writer.hex, labels=labels.get(writer, {}), points=points
                )
                for writer, points in counts.most_common()
            ]
        )

    async def list_rewinds(self, request: pb.ListRewindsRequest) -> pb.ListRewindsResponse:
        """What was hidden of a run."""
        found = await self._rewinds.list(request.run_id)
        return pb.ListRewindsResponse(rewinds=map(messages.rewind, found))

    async def change_rewind(self, request: pb.ChangeRewindRequest) -> pb.ListRewindsResponse.Entry:
        """A rewind that hides no more, or again."""
        number, undone = request.number, request.undone
        return messages.rewind(await self._rewinds.change(request.run_id, number, undone=undone))

    async def get_server_info(self, _: pb.GetServerInfoRequest) -> pb.ServerInfo:
        """Where else this daemon can be asked."""
        return pb.ServerInfo(http_port=self._http_port)

    def _streaming(self, method: Stream) -> Callable[[Any, Any], Awaitable[None]]:
        async def answer(request: Any, context: Any) -> None:
            with self._activity.busy():
                async with told(context), aclosing(method(request)) as chunks:
                    async for chunk in chunks:
                        await context.write(chunk)

        return answer


def _name(request: type[Any]) -> str:
    return str(request.DESCRIPTOR.name.removesuffix("Request"))


def _stages(view_type: pb.ViewType, argument: str = "view_type") -> tuple[bool, bool]:
    if view_type not in _STAGES:
        raise InvalidArgumentError(argument, f"is {view_type}, which is none")
    return _STAGES[view_type]


def _is_deleted(lifecycle_stage: str) -> bool:
    if lifecycle_stage not in (ACTIVE, DELETED):
        raise InvalidArgumentError(
            "lifecycle_stage", f"is {lifecycle_stage[:50]!r}, and can be {ACTIVE} or {DELETED}"
        )
    return lifecycle_stage == DELETED


def _limit(max_results: int) -> int:
    return unary.limit(max_results, DEFAULT_RESULTS, MAX_RESULTS)
