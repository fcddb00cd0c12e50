"""The fluent API: MLflow's functions over the active run (``active.py`` says which one that is).

Each logging call returns at once, when what it logs is in the journal, with a :class:`RunOperation`;
``synchronous=True`` waits until it is durable and visible. Without an active run a logging call starts one,
as in MLflow.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from headrace import (
    active,
    active_model,
    experiment,
    lifecycle,
    lineage,
    machine,
    record,
    run_tags,
    values,
    waiting,
)
from headrace.active import ActiveRun
from headrace.calls import runs
from headrace.calls.metrics import get_metric_summaries
from headrace.calls.runs import run_with_id
from headrace.client import Client
from headrace.config import Settings
from headrace.core import Core, core_for
from headrace.entities import Metric, MetricSummary, Param, Run, RunStatus, RunTag
from headrace.errors import HeadraceError, InvalidArgumentError
from headrace.faces import ask
from headrace.files import names
from headrace.journal.run_log import RunLog
from headrace.links import link_to
from headrace.operation import RunOperation
from headrace.tracking_uri import get_tracking_uri

_current = active.context.get


def start_run(  # noqa: PLR0917 - MLflow's order
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: Mapping[str, object] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
    *,
    resume_from_step: int | None = None,
    fork_from: str | None = None,
    fork_step: int | None = None,
) -> ActiveRun:
    """Starts a run and makes it the active one; use it as a context manager, or call :func:`end_run`.

    If no daemon answers, the run starts all the same: what it logs is in the journal and delivered later.

    Args:
        run_id: continue this run, as a new attempt. Without it, and with ``HEADRACE_RUN_ID`` set, the call
            joins that run, which is how all ranks of a job log into one.
        experiment_id: of a new run; default: that of :func:`set_experiment`, else the one that
            ``HEADRACE_EXPERIMENT_NAME`` names, else "Default".
        run_name: of a new run; default: a random one. Renames a run that ``run_id`` continues.
        nested: allow a run inside the active one, which becomes its parent.
        parent_run_id: the parent of a new run.
        tags: set on the run; values become text.
        description: the run's note (the tag ``mlflow.note.content``).
        log_system_metrics: log what this machine does, every 10 s
            (``HEADRACE_SYSTEM_METRICS_SAMPLING_INTERVAL``), under MLflow's keys: processors, memory, disk and
            network of Linux, no GPUs. Default: ``HEADRACE_ENABLE_SYSTEM_METRICS_LOGGING``, else not.
        resume_from_step: with ``run_id``, hide all points from this step on that earlier attempts logged, or
            whose processes still deliver them. Nothing is lost: see ``headrace runs rewinds``. All processes
            of a launch may say so; they share one attempt (``HEADRACE_ATTEMPT``).
        fork_from: of a new run: the run whose metrics it inherits, as they are visible now. Params and tags
            are not inherited.
        fork_step: the last step that is inherited; default: all are.

    Raises:
        NotFoundError: there is no run (or experiment, or parent) with this id, says the daemon.
        InvalidArgumentError: a run is already active and ``nested`` is false, or an argument breaks a rule.
    """
    outer = active.find() if nested else None
    if not nested and (running := active.own()) is not None and not running.inherited:
        problem = f"is False and run {running.run.info.run_id} is active: call end_run(), or pass nested=True"
        raise InvalidArgumentError("nested", problem)
    given = run_tags.with_note(values.tags(tags), description)
    if run_name is not None:
        given.pop(run_tags.RUN_NAME, None)  # as in MLflow; its client refuses both
    settings = Settings.from_environment()
    core = core_for(get_tracking_uri())
    joins = run_id is None and bool(settings.run_id) and outer is None
    fork = _fork(core, fork_from, fork_step, continues=run_id is not None or joins)
    from_step = _step("resume_from_step", resume_from_step)
    if run_id is not None:
        given = run_tags.with_name(given, run_name)
        session = lifecycle.resume(core, settings, values.run_id(run_id), given, from_step)
    elif joins:
        values.run_id(settings.run_id, "HEADRACE_RUN_ID")
        session = lifecycle.join(core, settings, given, from_step)
    elif from_step is not None:
        raise InvalidArgumentError("resume_from_step", "needs run_id, the run that is resumed")
    else:
        given = run_tags.complete(given, run_name, _parent(core, outer, parent_run_id))
        target = experiment.target(core, settings, experiment_id)
        session = lifecycle.create(core, settings, target, given, fork)
    active.push(session)
    if settings.system_metrics if log_system_metrics is None else log_system_metrics:
        log = active_model.unlinked(session.log)
        session.sampler = machine.measure(log, settings, partial(_summaries, core, run_id))
    return session.run


def end_run(status: str | None = RunStatus.FINISHED) -> None:
    """Ends the active run, if there is one, and waits until everything that was logged is durable.

    The wait is bounded (``HEADRACE_EXIT_TIMEOUT`` seconds); a warning then says what is left, where it is,
    and how it will be delivered. Only the process that began the run's attempt ends the run for others.

    Args:
        status: FINISHED, FAILED, KILLED or SCHEDULED.
    """
    checked = values.end_status(RunStatus.FINISHED if status is None else status)
    session = active.to_end()
    if session is not None:
        session.finish(checked)


def active_run() -> ActiveRun | None:
    """The run that logging calls in this thread or task go to, or ``None``."""
    session = active.find()
    return None if session is None else session.run


def last_active_run() -> Run | None:
    """The run that is active here, else the one that this process ended last, as the daemon has it now."""
    running = active.find()
    if running is not None:
        return running.run
    ended = active.last()
    return None if ended is None else ask(ended.core, run_with_id(ended.run.info.run_id))


def get_parent_run(run_id: str | None = None) -> Run | None:
    """The run that this one (default: the active one) is nested in; ``None`` when it is in none."""
    if run_id is None:
        running = active.find()
        if running is None:
            return None
        run_id = running.run.info.run_id
    return ask(core_for(get_tracking_uri()), runs.get_parent_run(run_id))


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Where the files of the active run are, or one of them; starts a run when none is active."""
    session = active.find() or _start_automatically()
    base = session.run.info.artifact_uri
    if not base:  # no daemon was asked when the run began
        base = ask(session.core, run_with_id(session.run.info.run_id)).info.artifact_uri
    return f"{base}/{names.folder(artifact_path.strip('/'))}" if artifact_path else base


def log_metric(  # noqa: PLR0917 - MLflow's order
    key: str,
    value: values.Number,
    step: values.Whole | None = None,
    synchronous: bool | None = None,
    timestamp: values.Whole | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> RunOperation:
    """Logs one value of a metric.

    Args:
        key: the metric: 1 to 250 characters.
        value: one number of any kind: int, float, bool, a NumPy scalar, a tensor of one element. NaN and
            the infinities are data.
        step: a 64-bit integer, also negative, repeated or out of order; default 0.
        synchronous: wait until it is durable and visible; default: as
            :func:`headrace.config.enable_async_logging` says, which is not to wait.
        timestamp: milliseconds since the Unix epoch; default: the time of this call.
        run_id: the run; default: the active one.
        model_id: the logged model that it belongs to; default: that of :func:`headrace.set_active_model`.
        dataset: what it was measured on: a dataset of ``headrace.data``, which the run uses from now on, or
            anything with a ``name`` and a ``digest``.

    Raises:
        InvalidArgumentError: an argument breaks one of these rules; nothing was logged.
    """
    if model_id is not None or dataset is not None:
        return _linked({key: value}, step, timestamp, run_id, synchronous, model_id, dataset)
    session = _current() if run_id is None else None
    log = session.log if session is not None else _log(run_id)
    if type(value) is float and type(step) is int and timestamp is None and type(key) is str:
        operation = log.log_metric(key, value, step)
    else:
        operation = record.metric(log, key, value, step, timestamp)
    if synchronous or waiting.always:
        _finished(operation, synchronous)
    return operation


def log_metrics(  # noqa: PLR0917 - MLflow's order
    metrics: Mapping[str, values.Number],
    step: values.Whole | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: values.Whole | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> RunOperation:
    """Logs one value of each of several metrics, as one operation. Arguments as in :func:`log_metric`."""
    if model_id is not None or dataset is not None:
        return _linked(metrics, step, timestamp, run_id, synchronous, model_id, dataset)
    return _finished(record.metrics(_log(run_id), metrics, step, timestamp), synchronous)


def log_series(  # noqa: PLR0917 - as log_metrics
    key: str,
    values: Iterable[values.Number],
    steps: Iterable[values.Whole] | None = None,
    timestamps: Iterable[values.Whole] | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
) -> RunOperation:
    """Logs many values of one metric, as one operation. The fastest way in: arrays are copied whole.

    Args:
        key: the metric: 1 to 250 characters.
        values: n numbers: a NumPy array, ``array``, tensor, data frame column or list.
        steps: n 64-bit integers; default 0 to n-1.
        timestamps: n times in milliseconds since the Unix epoch; default: the time of this call, for all.
        synchronous: wait until all are durable and visible.
        run_id: the run; default: the active one.
    """
    return _finished(record.series(_log(run_id), key, values, steps, timestamps), synchronous)


def log_param(key: str, value: object, synchronous: bool | None = None) -> RunOperation:
    """Logs a param; the value becomes text. The server refuses another value for a key that has one.

    Args:
        key: 1 to 250 characters.
        value: anything with a ``str()`` of at most 6000 characters.
        synchronous: wait until it is durable and visible; raises ``RejectedError`` when it is refused.
    """
    return _finished(record.param(_log(None), key, value), synchronous)


def log_params(
    params: Mapping[str, object], synchronous: bool | None = None, run_id: str | None = None
) -> RunOperation:
    """Logs several params. Arguments as in :func:`log_param`."""
    return _finished(record.params(_log(run_id), params), synchronous)


def set_tag(key: str, value: object, synchronous: bool | None = None) -> RunOperation:
    """Sets a tag, anew or over its old value; the value becomes text of at most 8000 characters.

    ``mlflow.runName`` renames the run.
    """
    return _finished(record.tag(_log(None), key, value), synchronous)


def set_tags(tags: Mapping[str, object], synchronous: bool | None = None) -> RunOperation:
    """Sets several tags. Arguments as in :func:`set_tag`."""
    return _finished(record.tags(_log(None), tags), synchronous)


def delete_tag(key: str, synchronous: bool | None = None) -> RunOperation:
    """Deletes a tag; one that does not exist is no error."""
    return _finished(record.untag(_log(None), key), synchronous)


def log_batch(
    metrics: Sequence[Metric] = (),
    params: Sequence[Param] = (),
    tags: Sequence[RunTag] = (),
    run_id: str | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs metrics, params and tags, in this order. All of it is checked before any of it is logged."""
    return _finished(record.batch(_log(run_id), metrics, params, tags), synchronous)


def flush(timeout: float | None = None) -> None:
    """Waits until everything that this process logged to the tracking URI is durable and visible.

    Args:
        timeout: seconds; default ``HEADRACE_EXIT_TIMEOUT`` (20).

    Raises:
        OperationTimeoutError: something is left; it stays in the journal, on its way.
    """
    Client().flush(timeout)


flush_async_logging = flush


def meant(run_id: str | None) -> tuple[Core, str]:
    """The core and the id of the run that a call is for: ``run_id``, else the active one, maybe begun now."""
    if run_id is not None:
        return core_for(get_tracking_uri()), values.run_id(run_id)
    session = active.find() or _start_automatically()
    return session.core, session.run.info.run_id


def _log(run_id: str | None) -> RunLog:
    if run_id is not None:
        core = core_for(get_tracking_uri())
        return active_model.linked(core.run_log(values.run_id(run_id), active.attempt_of(core, run_id)))
    return (active.find() or _start_automatically()).log


def _start_automatically() -> active.Session:
    with active.starting:
        session = active.find()  # another thread may have been faster
        if session is None:
            start_run()
            session = active.own()
            assert session is not None  # noqa: S101 - start_run pushed it
            active.share(session)
        return session


def _finished(operation: RunOperation, synchronous: bool | None) -> RunOperation:
    if waiting.wanted(synchronous):
        operation.wait()
    return operation


def _linked(  # noqa: PLR0917 - what log_metrics was given
    points: Mapping[str, values.Number],
    step: values.Whole | None,
    timestamp: values.Whole | None,
    run_id: str | None,
    synchronous: bool | None,
    model_id: str | None,
    dataset: Any,
) -> RunOperation:
    to = link_to(active_model.chosen() if model_id is None else model_id, dataset)
    log = active_model.unlinked(_log(run_id))
    if to is None:
        return _finished(record.metrics(log, points, step, timestamp), synchronous)
    used = [] if dataset is None or not lineage.is_described(dataset) else [dataset]
    return _finished(record.linked(log, to, points, step, timestamp, used), synchronous)


def _fork(core: Core, run_id: str | None, step: int | None, *, continues: bool) -> record.Fork:
    if run_id is None:
        if step is not None:
            raise InvalidArgumentError("fork_step", "needs fork_from, the run whose history is inherited")
        return record.NO_FORK
    if continues:
        raise InvalidArgumentError("fork_from", "is for a new run, and run_id or HEADRACE_RUN_ID names one")
    lifecycle.existing(core, values.run_id(run_id, "fork_from"), "fork_from")
    return record.Fork(run_id, _step("fork_step", step))


def _step(name: str, step: int | None) -> int | None:
    if step is None:
        return None
    whole = values.whole(name, step)
    if not -(1 << 63) < whole < 1 << 63:
        raise InvalidArgumentError(name, f"is {whole}; expected an integer of 64 bits, and not the least one")
    return whole


def _summaries(core: Core, run_id: str | None) -> Mapping[str, MetricSummary]:
    """What a run that is continued has; nothing when no daemon answers."""
    if run_id is not None:
        with contextlib.suppress(HeadraceError):
            return get_metric_summaries(run_id).ask(core, core.settings.start_timeout)
    return {}


def _parent(core: Core, outer: active.Session | None, parent_run_id: str | None) -> str | None:
    inherited = None if outer is None else outer.run.info.run_id
    if parent_run_id is None or parent_run_id == inherited:
        return inherited
    values.run_id(parent_run_id, "parent_run_id")
    if inherited is not None:
        problem = f"is {parent_run_id}, but the active run is {inherited}; end that one first"
        raise InvalidArgumentError("parent_run_id", problem)
    lifecycle.existing(core, parent_run_id, "parent_run_id")
    return parent_run_id
