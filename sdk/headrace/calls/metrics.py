"""Questions about metrics, and about who wrote them and what was refused."""

from array import array
from collections.abc import Sequence

from headrace import values
from headrace.calls.call import Call, Question
from headrace.calls.messages import columns, order_bytes, page_size, summary
from headrace.calls.restrictions import MAX_BUCKETS, bounded, restrictions, step
from headrace.entities import Metric, MetricChart, MetricColumns, MetricSummary, Reject, RunWriter
from headrace_proto.v1 import tracking_pb2 as pb


def get_metric_columns(
    run_id: str,
    key: str,
    *,
    steps: tuple[int | None, int | None] | None = None,
    writer: str | Sequence[str] | None = None,
    rank: int | Sequence[int] | None = None,
) -> Question[MetricColumns]:
    """As :func:`get_metric_history`, as arrays: less memory and time than a list of a million objects."""
    return Call("GetMetricHistory", _history(run_id, key, steps, writer, rank), columns, streams=True)


def get_metric_history(
    run_id: str,
    key: str,
    *,
    steps: tuple[int | None, int | None] | None = None,
    writer: str | Sequence[str] | None = None,
    rank: int | Sequence[int] | None = None,
) -> Question[list[Metric]]:
    """The points of a metric, in logged order; an empty list when the run has none. Default: all.

    Args:
        run_id: the run.
        key: the metric.
        steps: the first and the last step, both of which are in it; ``None`` in it: no bound.
        writer: only points from this journal, or these (``list_writers`` names them).
        rank: only points from processes of this rank, or these.
    """

    def read(chunks: Sequence[pb.HistoryChunk]) -> list[Metric]:
        found = columns(chunks)
        points = zip(found.values, found.timestamps, found.steps, strict=True)
        return [Metric(key, value, timestamp, step) for value, timestamp, step in points]

    return Call("GetMetricHistory", _history(run_id, key, steps, writer, rank), read, streams=True)


def get_metric_chart(
    run_id: str,
    key: str,
    *,
    buckets: int = 1000,
    first_step: int | None = None,
    last_step: int | None = None,
) -> Question[MetricChart]:
    """A metric as a curve of at most so many buckets, however many points it has.

    Args:
        run_id: the run.
        key: the metric.
        buckets: at most so many, up to 10,000. With no more points than that, each has its own; a
            metric of more than a million points gets buckets of a thousand or more.
        first_step: of the window of steps; default: from the beginning.
        last_step: which belongs to the window; default: to the end.
    """
    request = pb.GetMetricChartRequest(
        run_id=values.run_to_ask(run_id),
        key=values.key(key),
        buckets=bounded("buckets", buckets, MAX_BUCKETS),
        first_step=step("first_step", first_step),
        last_step=step("last_step", last_step),
    )

    def read(chart: pb.MetricChart) -> MetricChart:
        curve = MetricChart(
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
        order_bytes(curve)
        return curve

    return Call("GetMetricChart", request, read)


def get_metric_summaries(
    run_id: str, keys: Sequence[str] | None = None
) -> Question[dict[str, MetricSummary]]:
    """Last, first, min, max and count of each of these metrics (default: all), by key."""
    if isinstance(keys, str):
        keys = [keys]
    request = pb.GetSummariesRequest(
        run_id=values.run_to_ask(run_id), keys=[values.key(key) for key in keys or ()]
    )

    def read(response: pb.GetSummariesResponse) -> dict[str, MetricSummary]:
        return {each.key: summary(each) for each in response.summaries}

    return Call("GetSummaries", request, read)


def list_writers(run_id: str) -> Question[list[RunWriter]]:
    """Which processes wrote the points of a run, and how many each; looks at all of its points."""

    def read(response: pb.ListWritersResponse) -> list[RunWriter]:
        return [RunWriter(e.writer_id, dict(e.labels), e.points) for e in response.writers]

    return Call("ListWriters", pb.ListWritersRequest(run_id=values.run_to_ask(run_id)), read)


def list_rejects(run_id: str | None = None, *, max_results: int = 100) -> Question[list[Reject]]:
    """The newest operations that the server refused, of this run or of all."""
    request = pb.ListRejectsRequest(
        run_id="" if run_id is None else values.run_to_ask(run_id), max_results=page_size(max_results)
    )

    def read(response: pb.ListRejectsResponse) -> list[Reject]:
        return [
            Reject(e.writer_id, e.first, e.end, e.code, e.message, e.timestamp, e.run_id)
            for e in response.rejects
        ]

    return Call("ListRejects", request, read)


def _history(
    run_id: str,
    key: str,
    steps: tuple[int | None, int | None] | None,
    writer: str | Sequence[str] | None,
    rank: int | Sequence[int] | None,
) -> pb.GetMetricHistoryRequest:
    return pb.GetMetricHistoryRequest(
        run_id=values.run_to_ask(run_id),
        key=values.key(key),
        packed=True,
        **restrictions(steps, writer, rank),
    )
