"""From the engine's values to the tracking protocol's messages. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Final

from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage import model
from headrace_storage.catalog.rewinds import StoredRewind
from headrace_storage.catalog.search_page import FoundRun
from headrace_storage.charts import means
from headrace_storage.lineage import LogDataset
from headrace_storage.segments.rollups import Rollups

_STATUS: Final = {
    model.RunStatus.RUNNING: pb.RUNNING,
    model.RunStatus.SCHEDULED: pb.SCHEDULED,
    model.RunStatus.FINISHED: pb.FINISHED,
    model.RunStatus.FAILED: pb.FAILED,
    model.RunStatus.KILLED: pb.KILLED,
}


def experiment(found: model.Experiment) -> pb.Experiment:
    """An experiment."""
    return pb.Experiment(
        experiment_id=found.experiment_id,
        name=found.name,
        artifact_location=found.artifact_location,
        lifecycle_stage=found.lifecycle_stage,
        creation_time=found.creation_time,
        last_update_time=found.last_update_time,
        tags=found.tags,
    )


def run(found: model.Run, summaries: Iterable[model.Summary]) -> pb.Run:
    """A run with the latest value of each key."""
    info = pb.RunInfo(
        run_id=found.run_id,
        run_name=found.run_name,
        experiment_id=found.experiment_id,
        user_id=found.user_id,
        status=_STATUS[found.status],
        start_time=found.start_time,
        end_time=found.end_time,
        lifecycle_stage=found.lifecycle_stage,
        artifact_uri=found.artifact_uri,
    )
    latest = (_metric(summary.key, summary.last) for summary in summaries)
    lineage = found.lineage
    return pb.Run(
        info=info,
        metrics=latest,
        params=found.params,
        tags=found.tags,
        dataset_inputs=map(_dataset_input, lineage.datasets),
        model_inputs=[models_pb2.ModelStep(**step._asdict()) for step in lineage.inputs],
        model_outputs=[models_pb2.ModelStep(**step._asdict()) for step in lineage.outputs],
    )


def found_runs(found: Sequence[FoundRun], token: str) -> pb.SearchRunsResponse:
    """A page of runs that were searched for."""
    places: dict[str, int] = {}
    latest = [
        pb.LatestMetrics(
            keys=[places.setdefault(key, len(places)) for key in each.latest.keys],
            values=each.latest.values,
            timestamps=each.latest.timestamps,
            steps=each.latest.steps,
        )
        for each in found
    ]
    runs = (run(each.run, ()) for each in found)
    return pb.SearchRunsResponse(runs=runs, next_page_token=token, metric_keys=places, latest=latest)


def summary(found: model.Summary) -> pb.MetricSummary:
    """A key of a run at a glance."""
    return pb.MetricSummary(
        key=found.key,
        last=_metric(found.key, found.last),
        first=_metric(found.key, found.first),
        min=found.minimum,
        max=found.maximum,
        count=found.count,
        nan_count=found.nan_count,
    )


def rewind(found: StoredRewind) -> pb.ListRewindsResponse.Entry:
    """What was hidden of a run."""
    number, step, created_at, undone_at = found.rewind
    return pb.ListRewindsResponse.Entry(
        number=number, step=step, token=found.token, created_at=created_at, undone_at=undone_at
    )


def chart(found: Rollups) -> pb.MetricChart:
    """A chart's buckets."""
    columns = {
        "first_steps": found["step_first"],
        "last_steps": found["step_last"],
        "counts": found["count"],
        "nan_counts": found["nan_count"],
        "mins": found["min"],
        "maxs": found["max"],
        "means": means(found),
        "first_values": found["first"],
        "last_values": found["last"],
    }
    return pb.MetricChart(**{name: column.tobytes() for name, column in columns.items()})


def reject(found: model.StoredReject) -> pb.ListRejectsResponse.Entry:
    """A refused operation."""
    refused = found.reject
    return pb.ListRejectsResponse.Entry(
        writer_id=refused.writer.hex,
        first=refused.first,
        end=refused.end,
        code=refused.code,
        message=refused.message,
        timestamp=found.created_at,
        run_id=refused.run_id or "",
    )


def _dataset_input(used: LogDataset) -> models_pb2.DatasetInput:
    return models_pb2.DatasetInput(dataset=models_pb2.Dataset(**used.dataset._asdict()), tags=used.tags)


def _metric(key: str, point: model.Point) -> pb.Metric:
    return pb.Metric(key=key, value=point.value, timestamp=point.timestamp, step=point.step)
