"""How a run begins and ends: created, resumed by id, or joined; ended by its owner; delivered.

A run is written to the journal first and confirmed by the daemon, if it answers, second. So a training
starts with or without a daemon, and mistakes still come out at once when there is one.
"""

import contextlib
import logging
import multiprocessing.process
import sys
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from headrace import active, record, run_tags, surroundings
from headrace.active import ActiveRun, Session
from headrace.calls.runs import run_with_id
from headrace.config import Settings
from headrace.core import Core
from headrace.endings import at_end
from headrace.entities import LifecycleStage, Run, RunData, RunInfo, RunStatus
from headrace.errors import InvalidArgumentError, OperationTimeoutError, UnavailableError
from headrace.experiment import Target
from headrace.journal.run_log import RunLog
from headrace.together import together

logger = logging.getLogger("headrace")


def create(
    core: Core,
    settings: Settings,
    target: Target,
    tags: Mapping[str, str],
    fork: record.Fork = record.NO_FORK,
) -> Session:
    """Starts a new run, whose name is among its tags; perhaps one that inherits another's history."""
    run_id, run_name, user = uuid4().hex, tags[run_tags.RUN_NAME], tags[run_tags.USER]
    log = core.run_log(run_id, surroundings.attempt_token(settings.attempt) or uuid4().hex)
    creation = record.creation(log, target, run_name, user, tags, fork)
    written = together([creation, record.attempt(log, core.process_id)])
    run, timeout = None, core.settings.start_timeout
    if core.reachable(timeout):
        with contextlib.suppress(OperationTimeoutError, UnavailableError):
            written.wait(timeout)
            run = run_with_id(run_id).ask(core, timeout)
    if run is not None and (reason := run.data.tags.get(run_tags.RECOVERED)):
        logger.warning("run %s went to experiment %s: %s", run_id, run.info.experiment_id, reason)
    if run is not None and (reason := run.data.tags.get(run_tags.NOT_INHERITED)):
        logger.warning("run %s is no fork: %s", run_id, reason)
    at_end(_end_all, priority=200)  # before the core's journals are closed
    return Session(
        _active(run) if run else _unconfirmed(run_id, run_name, target.experiment_id, user, tags), core, log
    )


def existing(core: Core, run_id: str, argument: str = "run_id") -> Run | None:
    """The run with this id; ``None`` when no daemon answers. ``NotFoundError`` when it says there is none."""
    core.settle(core.settings.start_timeout)
    run = run_with_id(run_id).ask_at_start(core)
    if run is not None and run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise InvalidArgumentError(argument, f"is {run_id}, a deleted run; restore it first")
    return run


def resume(
    core: Core, settings: Settings, run_id: str, tags: Mapping[str, str], from_step: int | None = None
) -> Session:
    """Continues a run as a new attempt, or as part of a launch's or a parent process's; sets ``tags``.

    A new attempt hides what earlier ones logged ``from_step`` on. ``NotFoundError`` when there is none.
    """
    run = existing(core, run_id)
    # A child forked inside the run takes part in its parent's attempt, which the parent ends.
    token = surroundings.attempt_token(settings.attempt) or active.attempt_of(core, run_id)
    if not token and not _is_part_of_its_parents(run):
        token = uuid4().hex
    log = core.run_log(run_id, token)
    _begin_attempt(core, log, from_step)
    if tags:
        record.tags(log, tags)
    at_end(_end_all, priority=200)  # before the core's journals are closed
    return Session(_resumed(run, tags) if run else _unconfirmed(run_id, tags=tags), core, log)


def _is_part_of_its_parents(run: Run | None) -> bool:
    """Whether this is a child of ``multiprocessing`` and the run goes on: not for the child to end."""
    spawned = multiprocessing.process.parent_process() is not None
    return spawned and (run is None or run.info.status == RunStatus.RUNNING)


def _begin_attempt(core: Core, log: RunLog, from_step: int | None) -> None:
    """Begins the log's attempt, or takes part in it; a rewind that is refused is said at once."""
    if not log.attempt:
        if from_step is not None:
            problem = "needs a name for this launch, which all of its processes share: set HEADRACE_ATTEMPT"
            raise InvalidArgumentError("resume_from_step", problem)
        return
    begun = record.attempt(log, core.process_id, from_step)
    if from_step is not None and core.reachable(core.settings.start_timeout):
        with contextlib.suppress(OperationTimeoutError, UnavailableError):
            begun.wait(core.settings.start_timeout)


def join(core: Core, settings: Settings, tags: Mapping[str, str], from_step: int | None = None) -> Session:
    """Logs into the run of ``HEADRACE_RUN_ID`` without asking anybody; sets ``tags``.

    With a token of the launch it takes part in that attempt, which whoever came first ends; without one, it
    only logs. A new attempt hides what earlier ones logged ``from_step`` on.
    """
    log = core.run_log(settings.run_id, surroundings.attempt_token(settings.attempt))
    _begin_attempt(core, log, from_step)
    if tags:
        record.tags(log, tags)
    at_end(_end_all, priority=200)  # before the core's journals are closed
    return Session(_unconfirmed(settings.run_id, tags=tags), core, log)


def _end_all() -> None:
    """Ends the runs that the program left open: as FAILED when an exception ended it."""
    fatal = sys.exc_info()[1] or (None if hasattr(sys, "ps1") else getattr(sys, "last_value", None))
    failed = fatal is not None and not (isinstance(fatal, SystemExit) and not fatal.code)
    for session in active.open_sessions():
        session.end(RunStatus.FAILED if failed else RunStatus.FINISHED)


def _active(run: Run) -> ActiveRun:
    return ActiveRun(run.info, run.data)


def _resumed(run: Run, tags: Mapping[str, str]) -> ActiveRun:
    """A run as it is with ``tags``, going on."""
    name = tags.get(run_tags.RUN_NAME, run.info.run_name)
    info = replace(run.info, run_name=name, status=RunStatus.RUNNING, end_time=None)
    return ActiveRun(info, replace(run.data, tags={**run.data.tags, **tags}))


def _unconfirmed(
    run_id: str,
    run_name: str = "",
    experiment_id: str = "",
    user: str = "",
    tags: Mapping[str, str] | None = None,
) -> ActiveRun:
    info = RunInfo(
        run_id=run_id,
        run_name=run_name,
        experiment_id=experiment_id,
        user_id=user,
        status=RunStatus.RUNNING,
        start_time=record.now(),
        end_time=None,
        lifecycle_stage=LifecycleStage.ACTIVE,
        artifact_uri="",
    )
    return ActiveRun(info, RunData(tags=dict(tags or {})))
