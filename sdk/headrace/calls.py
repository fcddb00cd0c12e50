"""The questions that both clients ask the daemon: method, request, and how to read the answer."""

import asyncio
import sys
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from headrace import record, run_tags, values
from headrace.core import Core
from headrace.entities import (
    Experiment,
    Metric,
    MetricChart,
    MetricColumns,
    MetricSummary,
    PagedList,
    Reject,
    Run,
    RunData,
    RunInfo,
    RunWriter,
)
from headrace.errors import AlreadyExistsError, HeadraceError, InvalidArgumentError, NotFoundError
from headrace_proto.v1 import tracking_pb2 as pb

T = TypeVar("T")

MAX_RESULTS = 50_000
"""The largest page that a listing gives."""


MAX_BUCKETS = 10_000
"""The most buckets that a chart has."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One RPC of the Tracking service. ``streams``: the answer is a list of messages."""

    method: str
    request: Any
    read: Callable[[Any], T]
    streams: bool = False

    def ask(self, core: Core, timeout: float) -> T:
        """The daemon's answer, within ``timeout`` seconds."""
        return self.read((core.stream if self.streams else core.call)(self.method, self.request, timeout))

    def ask_at_start(self, core: Core) -> T | None:
        """The daemon's answer if it comes soon; else ``None``, as in a forked child, which cannot ask."""
        try:
            return self.ask(core, core.settings.start_timeout)
        except (NotFoundError, AlreadyExistsError, InvalidArgumentError):
            raise
        except HeadraceError:
            return None

    async def ask_async(self, core: Core, timeout: float) -> T:
        """The daemon's answer, within ``timeout`` seconds; on the caller's loop."""
        answer = core.stream_async if self.streams else core.call_async
        response = await answer(self.method, self.request, timeout)
        return await asyncio.to_thread(self.read, response) if self.streams else self.read(response)


def create_experiment(
    name: str, artifact_location: str | None, tags: Mapping[str, object] | None
) -> Call[Experiment]:
    """An experiment with a name that is not taken."""
    request = pb.CreateExperimentRequest(
        name=values.name("name", name), artifact_location=artifact_location or "", tags=values.tags(tags)
    )
    return Call("CreateExperiment", request, _experiment)


def get_experiment(experiment_id: str) -> Call[Experiment]:
    """The experiment with an id."""
    request = pb.GetExperimentRequest(experiment_id=values.experiment_id(experiment_id))
    return Call("GetExperiment", request, _experiment)


def get_experiment_by_name(name: str) -> Call[Experiment]:
    """The experiment with a name."""
    return Call("GetExperiment", pb.GetExperimentRequest(name=values.name("name", name)), _experiment)


def search_experiments(max_results: int, page_token: str | None) -> Call[PagedList[Experiment]]:
    """A page of all experiments."""
    request = pb.ListExperimentsRequest(max_results=page_size(max_results), page_token=page_token or "")

    def read(response: pb.ListExperimentsResponse) -> PagedList[Experiment]:
        return PagedList(map(_experiment, response.experiments), response.next_page_token or None)

    return Call("ListExperiments", request, read)


def create_run(experiment_id: str, start_time: int | None, tags: Mapping[str, str]) -> Call[Run]:
    """A new run with complete ``tags`` (``run_tags.py``), its name among them."""
    create = pb.CreateRun(
        experiment_id=values.experiment_id(experiment_id),
        run_name=tags[run_tags.RUN_NAME],
        user_id=tags[run_tags.USER],
        start_time=record.now() if start_time is None else values.milliseconds("start_time", start_time),
        tags=tags,
    )
    return Call("CreateRun", pb.CreateRunRequest(run=create), run)


def get_run(run_id: str) -> Call[Run]:
    """The run with an id."""
    return Call("GetRun", pb.GetRunRequest(run_id=values.run_id(run_id)), run)


def get_metric_columns(run_id: str, key: str) -> Call[MetricColumns]:
    """A metric's history, as columns."""
    request = pb.GetMetricHistoryRequest(run_id=values.run_id(run_id), key=values.key(key), packed=True)
    return Call("GetMetricHistory", request, _columns, streams=True)


def get_metric_history(run_id: str, key: str) -> Call[list[Metric]]:
    """A metric's history."""

    def read(chunks: Sequence[pb.HistoryChunk]) -> list[Metric]:
        columns = _columns(chunks)
        points = zip(columns.values, columns.timestamps, columns.steps, strict=True)
        return [Metric(key, value, timestamp, step) for value, timestamp, step in points]

    return Call("GetMetricHistory", get_metric_columns(run_id, key).request, read, streams=True)


def get_metric_chart(
    run_id: str, key: str, buckets: int, first_step: int | None, last_step: int | None
) -> Call[MetricChart]:
    """A metric as a curve."""
    if type(buckets) is not int or not 1 <= buckets <= MAX_BUCKETS:
        raise InvalidArgumentError("buckets", f"is {buckets!r}, the bounds are 1 and {MAX_BUCKETS}")
    request = pb.GetMetricChartRequest(
        run_id=values.run_id(run_id),
        key=values.key(key),
        buckets=buckets,
        first_step=_step("first_step", first_step),
        last_step=_step("last_step", last_step),
    )

    def read(chart: pb.MetricChart) -> MetricChart:
        columns = MetricChart(
            first_steps=array("q", chart.first_steps),
            last_steps=array("q", chart.last_steps),
            counts=array("q", chart.counts),
            nan_counts=array("q", chart.nan_counts),
            mins=array("d", chart.mins),
            maxs=array("d", chart.maxs),
            means=array("d", chart.means),
            first_values=array("d", chart.first_values),
            last_values=array("d", chart.last_values),
        )
        _order_bytes(columns)
        return columns

    return Call("GetMetricChart", request, read)


def get_metric_summaries(run_id: str, keys: Sequence[str] | None) -> Call[dict[str, MetricSummary]]:
    """Summaries of a run's metrics by key; ``None``: of all its keys."""
    if isinstance(keys, str):
        keys = [keys]
    request = pb.GetSummariesRequest(
        run_id=values.run_id(run_id), keys=[values.key(key) for key in keys or ()]
    )

    def read(response: pb.GetSummariesResponse) -> dict[str, MetricSummary]:
        return {summary.key: _summary(summary) for summary in response.summaries}

    return Call("GetSummaries", request, read)


def list_writers(run_id: str) -> Call[list[RunWriter]]:
    """Who wrote the points of a run, the most points first."""

    def read(response: pb.ListWritersResponse) -> list[RunWriter]:
        return [RunWriter(e.writer_id, dict(e.labels), e.points) for e in response.writers]

    return Call("ListWriters", pb.ListWritersRequest(run_id=values.run_id(run_id)), read)


def list_rejects(run_id: str | None, max_results: int) -> Call[list[Reject]]:
    """Refused operations, newest first; ``None``: of all runs."""
    request = pb.ListRejectsRequest(
        run_id="" if run_id is None else values.run_id(run_id), max_results=page_size(max_results)
    )

    def read(response: pb.ListRejectsResponse) -> list[Reject]:
        return [
            Reject(e.writer_id, e.first, e.end, e.code, e.message, e.timestamp, e.run_id)
            for e in response.rejects
        ]

    return Call("ListRejects", request, read)


def page_size(max_results: int) -> int:
    """A page's size."""
    if type(max_results) is not int or not 1 <= max_results <= MAX_RESULTS:
        raise InvalidArgumentError("max_results", f"is {max_results!r}, the bounds are 1 and {MAX_RESULTS}")
    return max_results


def _experiment(message: pb.Experiment) -> Experiment:
    return Experiment(
        message.experiment_id,
        message.name,
        message.artifact_location,
        message.lifecycle_stage,
        dict(message.tags),
        message.creation_time,
        message.last_update_time,
    )


def run(message: pb.Run, metrics: Mapping[str, float] | None = None) -> Run:
    """A run as the daemon tells it; ``metrics``, if they are told apart."""
    if metrics is None:
        metrics = {metric.key: metric.value for metric in message.metrics}
    info = message.info
    return Run(
        RunInfo(
            run_id=info.run_id,
            run_name=info.run_name,
            experiment_id=info.experiment_id,
            user_id=info.user_id,
            status=pb.RunStatus.Name(info.status),
            start_time=info.start_time,
            end_time=info.end_time if info.HasField("end_time") else None,
            lifecycle_stage=info.lifecycle_stage,
            artifact_uri=info.artifact_uri,
        ),
        RunData(metrics, dict(message.params), dict(message.tags)),
    )


def _metric(message: pb.Metric, key: str) -> Metric:
    return Metric(key, message.value, message.timestamp, message.step)


def _summary(message: pb.MetricSummary) -> MetricSummary:
    return MetricSummary(
        message.key,
        _metric(message.last, message.key),
        _metric(message.first, message.key),
        message.min,
        message.max,
        message.count,
        message.nan_count,
    )


def _columns(chunks: Sequence[pb.HistoryChunk]) -> MetricColumns:
    count = sum(chunk.packed or len(chunk.steps) // 8 for chunk in chunks)
    # Arrays that grow would be copied over and over.
    columns = MetricColumns(array("q", [0]) * count, array("q", [0]) * count, array("d", [0.0]) * count)
    views = [memoryview(columns.steps), memoryview(columns.timestamps), memoryview(columns.values)]
    for view, name in zip(views, ("steps", "timestamps", "values"), strict=True):
        octets, at = view.cast("B"), 0
        for chunk in chunks:
            part = _unpacked(getattr(chunk, name), chunk.packed)
            octets[at : at + len(part)] = part
            at += len(part)
    _order_bytes(columns)
    return columns


def _unpacked(column: bytes, count: int) -> "bytes | bytearray | memoryview":
    """``count`` 8-byte values (0: they are not packed) of a column as ``HistoryChunk`` describes it."""
    if not count:
        return column
    varying, at = column[8], 9
    if varying == 0xFF:
        return memoryview(column)[at:]
    numbers = bytearray(column[:8] * count)
    for place in range(8):
        if varying >> place & 1:
            numbers[place::8] = column[at : at + count]
            at += count
    return numbers


def _order_bytes(columns: Iterable["array[Any]"]) -> None:
    """Messages hold little-endian numbers, arrays this machine's."""
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()


def _step(name: str, step: int | None) -> int | None:
    if step is None:
        return None
    if type(step) is not int or not -(1 << 63) <= step < 1 << 63:
        raise InvalidArgumentError(name, f"is {step!r}; expected an integer of 64 bits")
    return step
