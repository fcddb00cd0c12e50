"""What the fluent API and both clients write: arguments checked, then handed to a run's log.

Everything that a call brings is checked before anything of it is written.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from headrace import lineage, values
from headrace.entities import DatasetInput, LoggedModelOutput, Metric, Param, RunStatus, RunTag
from headrace.journal.run_log import RunLog
from headrace.links import Link, link
from headrace.operation import RunOperation
from headrace.together import together
from headrace_proto import limits
from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb

Row = tuple[str, float, int, int]
"""Key, value, timestamp and step of a point."""

_used: set[tuple[str, str | None, str | None]] = set()
"""Run, name and digest of datasets of which was said, beside a metric, that the run uses them."""

_MOST_USED = 10_000


def metric(
    log: RunLog,
    key: str,
    value: values.Number,
    step: values.Whole | None = None,
    timestamp: values.Whole | None = None,
) -> RunOperation:
    """Writes one point. The hot path: four type checks away from the journal."""
    if type(key) is not str:
        key = values.key(key)
    if type(value) is not float:
        value = values.number("value", value)
    if type(step) is not int:
        step = 0 if step is None else values.whole("step", step)
    if timestamp is not None:
        timestamp = values.milliseconds("timestamp", timestamp)
    return log.log_metric(key, value, step, timestamp)


def metrics(
    log: RunLog,
    points: Mapping[str, values.Number],
    step: values.Whole | None = None,
    timestamp: values.Whole | None = None,
) -> RunOperation:
    """Writes one point of each key, as one operation."""
    if type(step) is not int:
        step = 0 if step is None else values.whole("step", step)
    if timestamp is not None:
        timestamp = values.milliseconds("timestamp", timestamp)
    if not _are_numbers(points):
        points = {values.key(key): values.number(f"metric {key!r}", value) for key, value in points.items()}
    return log.log_metrics(points, step, timestamp)  # type: ignore[arg-type]


def _are_numbers(points: Mapping[str, Any]) -> bool:
    """Whether all values are floats and integers that a float holds; perhaps False though they are.

    Their sum is a float then. Looking at each type takes four times as long, as long as packing them.
    """
    try:
        return type(sum(points.values(), 0.0)) is float
    except Exception:  # noqa: BLE001 - whatever a value's own addition raises
        return False


def series(
    log: RunLog,
    key: str,
    points: Iterable[values.Number],
    steps: Iterable[values.Whole] | None = None,
    timestamps: Iterable[values.Whole] | None = None,
) -> RunOperation:
    """Writes many points of one key, as one operation. Whole arrays are copied as they lie."""
    times = None if timestamps is None else values.all_milliseconds("timestamps", timestamps)
    arrays: tuple[Any, Any, Any] = points, steps, times
    return log.log_series(values.key(key), *arrays)


def linked(  # noqa: PLR0917 - as metrics, and what they are linked to
    log: RunLog,
    link: Link,
    points: Mapping[str, values.Number],
    step: values.Whole | None = None,
    timestamp: values.Whole | None = None,
    datasets: Sequence[object] = (),
) -> RunOperation:
    """Writes one point of each key, and what they are linked to, as one operation.

    ``datasets`` are said to be used by the run, if that was not said yet.
    """
    at = 0 if step is None else values.whole("step", step)
    time = now() if timestamp is None else values.milliseconds("timestamp", timestamp)
    rows = [
        (values.key(key), values.number(f"metric {key!r}", value), time, at) for key, value in points.items()
    ]
    changes = [_linking(link, row) for row in rows]
    used = (log.run_id, link.dataset_name, link.dataset_digest)
    if used not in _used:
        changes += [_use(lineage.dataset_input(dataset, None, None)) for dataset in datasets]
    written = log.log_batch(rows, [change.SerializeToString() for change in changes])
    if datasets:
        if len(_used) >= _MOST_USED:
            _used.clear()  # it is no error to say it again
        _used.add(used)
    return written


def param(log: RunLog, key: str, value: object) -> RunOperation:
    """Writes a param. Another value for the same key is refused by the server."""
    return _write(log, _param(key, value))


def params(log: RunLog, given: Mapping[str, object]) -> RunOperation:
    """Writes several params."""
    return log.log_batch((), [_param(*item).SerializeToString() for item in given.items()])


def tag(log: RunLog, key: str, value: object) -> RunOperation:
    """Writes a tag."""
    return _write(log, _tag(key, value))


def tags(log: RunLog, given: Mapping[str, object]) -> RunOperation:
    """Writes several tags."""
    return log.log_batch((), [_tag(*item).SerializeToString() for item in given.items()])


def untag(log: RunLog, key: str) -> RunOperation:
    """Deletes a tag."""
    return _write(log, pb.RunChange(delete_tag=pb.DeleteTag(key=values.key(key))))


def batch(
    log: RunLog,
    points: Sequence[Metric] = (),
    given_params: Sequence[Param] = (),
    given_tags: Sequence[RunTag] = (),
) -> RunOperation:
    """Writes metrics, params and tags together, in this order."""
    rows = [_row(point) for point in points]
    changes = [_param(item.key, item.value) for item in given_params]
    changes += [_tag(item.key, item.value) for item in given_tags]
    changes += _links(points, rows)
    return log.log_batch(rows, [change.SerializeToString() for change in changes])


class Fork(NamedTuple):
    """The run whose history another one inherits, and the last step of it (``None``: all)."""

    run_id: str = ""
    step: int | None = None


NO_FORK = Fork()


def creation(  # noqa: PLR0917 - what a run is
    log: RunLog,
    experiment: tuple[str, str],
    run_name: str,
    user_id: str,
    run_tags: Mapping[str, str],
    fork: Fork = NO_FORK,
) -> RunOperation:
    """Writes that the run exists, in the experiment with this id or else this name."""
    create = pb.CreateRun(
        experiment_id=experiment[0],
        experiment_name=experiment[1],
        run_name=run_name,
        user_id=user_id,
        start_time=now(),
        tags=run_tags,
        fork_from=fork.run_id,
        fork_step=fork.step,
    )
    return _write(log, pb.RunChange(create=create))


def attempt(log: RunLog, process_id: str, resume_from_step: int | None = None) -> RunOperation:
    """Writes that a launch begins or continues the run: the attempt is the log's.

    With ``resume_from_step``, it hides what earlier attempts logged from that step on.
    """
    start = pb.StartAttempt(
        token=log.attempt, process_id=process_id, start_time=now(), resume_from_step=resume_from_step
    )
    return _write(log, pb.RunChange(start_attempt=start))


def end(log: RunLog, process_id: str, status: RunStatus, end_time: int | None = None) -> RunOperation:
    """Writes that the run ended. Has an effect only if ``process_id`` created the log's attempt."""
    change = pb.EndRun(
        status=status.value,
        end_time=now() if end_time is None else end_time,
        token=log.attempt,
        process_id=process_id,
    )
    return log.last_change(pb.RunChange(end=change).SerializeToString())


def termination(log: RunLog, process_id: str, status: RunStatus, end_time: int | None = None) -> RunOperation:
    """Ends a run from outside, whoever began it: as an attempt of its own (the log's), begun and ended."""
    checked = None if end_time is None else values.milliseconds("end_time", end_time)
    return together([attempt(log, process_id), end(log, process_id, status, checked)])


def now() -> int:
    """The time, in milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


def inputs(log: RunLog, used: Sequence[DatasetInput], model_ids: Sequence[str] = ()) -> RunOperation:
    """Writes which datasets and models a run uses."""
    changes = [_use(one) for one in used]
    if model_ids:
        steps = [lineage.step(model_id) for model_id in model_ids]
        changes.append(pb.RunChange(models=models_pb2.LogModels(inputs=steps)))
    return log.log_batch((), [change.SerializeToString() for change in changes])


def outputs(log: RunLog, made: Sequence[LoggedModelOutput]) -> RunOperation:
    """Writes which models a run made."""
    steps = [lineage.step(one.model_id, one.step) for one in made]
    return _write(log, pb.RunChange(models=models_pb2.LogModels(outputs=steps)))


def _use(used: DatasetInput) -> pb.RunChange:
    return pb.RunChange(dataset=models_pb2.LogDataset(input=lineage.message(used)))


def _links(points: Sequence[Metric], rows: Sequence[Row]) -> list[pb.RunChange]:
    """What points are linked to."""
    said = []
    for point, row in zip(points, rows, strict=True):
        names = [getattr(point, name, None) for name in Link._fields]
        if any(names) and (found := link(*names)):
            said.append(_linking(found, row))
    return said


def _linking(link: Link, row: Row) -> pb.RunChange:
    key, value, timestamp, step = row
    if link.model_id is None:
        name, text = link.tag(key, step)
        return pb.RunChange(tag=pb.SetTag(key=name, value=text))
    return pb.RunChange(
        link_metric=models_pb2.LinkMetric(
            key=key,
            value=value,
            timestamp=timestamp,
            step=step,
            model_id=link.model_id,
            dataset_name=link.dataset_name or "",
            dataset_digest=link.dataset_digest or "",
        )
    )


def _write(log: RunLog, change: pb.RunChange) -> RunOperation:
    return log.change(change.SerializeToString())


def _param(key: str, value: object) -> pb.RunChange:
    key = values.key(key)
    text = values.text(f"param {key!r}", value, limits.MAX_PARAM_LENGTH)
    return pb.RunChange(param=pb.SetParam(key=key, value=text))


def _tag(key: str, value: object) -> pb.RunChange:
    key = values.key(key)
    text = values.text(f"tag {key!r}", value, limits.MAX_TAG_LENGTH)
    return pb.RunChange(tag=pb.SetTag(key=key, value=text))


def _row(point: Metric) -> Row:
    key = values.key(point.key)
    return (
        key,
        values.number(f"value of {key!r}", point.value),
        values.milliseconds(f"timestamp of {key!r}", point.timestamp),
        values.whole(f"step of {key!r}", point.step),
    )
