"""Which run is active where.

A run belongs to the *context* that started it (``contextvars``): a thread, an asyncio task and the tasks
it starts. So parallel tasks and threads may each have a run of their own, as MLflow's threads do.

A context without a run of its own uses the run of the main thread. Worker threads, callbacks and notebook
cells therefore log where one expects; in MLflow each such thread would start another run. If the main
thread's tasks have several runs side by side, there is no telling which is meant, and that is an error.
"""

import os
import threading
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from headrace import active_model, record
from headrace.core import Core
from headrace.entities import Run, RunStatus
from headrace.errors import HeadraceError
from headrace.journal.run_log import RunLog
from headrace.machine import Sampler


class ActiveRun(Run):
    """A run that this process logs to. As a context manager: ends the run, as FAILED on an exception.

    ``info`` and ``data`` are as of the start, and partly empty when no daemon was asked.
    """

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session = next((session for session in _open if session.run is self), None)
        if session is not None:
            session.finish(RunStatus.FINISHED if error_type is None else RunStatus.FAILED)


class Session:
    """A run that this process started or joined, until it ends it."""

    __slots__ = ("below", "core", "ended", "log", "pid", "run", "sampler", "shared")

    def __init__(self, run: ActiveRun, core: Core, log: RunLog) -> None:
        self.run = run
        self.core = core
        self.log = active_model.linked(log)
        self.pid = os.getpid()
        self.shared = threading.current_thread() is threading.main_thread()
        self.below: Session | None = None
        self.sampler: Sampler | None = None
        self.ended = False

    @property
    def inherited(self) -> bool:
        """Whether a fork brought the run here: it is the parent's to end."""
        return self.pid != os.getpid()

    def end(self, status: RunStatus) -> None:
        """Ends the run, or this process's part in it."""
        remove(self)
        if self.sampler is not None and not self.inherited:
            self.sampler.end()
        if self.log.attempt and not self.inherited:
            record.end(self.log, self.core.process_id, status)

    def finish(self, status: RunStatus) -> None:
        """Ends the run and those nested in it; waits, bounded, until all that was logged is durable."""
        for session in [*_nested_in(self), self]:
            session.end(status)
        self.core.deliver()


context: ContextVar[Session | None] = ContextVar("headrace_run", default=None)
"""The run of this context. The hot path reads it; everything else goes through the functions below."""

starting = threading.RLock()
"""Held while a logging call starts a run, so that threads do not each start one."""

_lock = threading.RLock()
_open: tuple[Session, ...] = ()
_common: Session | None = None
_rivals: tuple[Session, ...] = ()
_last: Session | None = None


def last() -> Session | None:
    """The run that this process ended last."""
    return _last


def own() -> Session | None:
    """This context's innermost run that has not ended."""
    session = context.get()
    while session is not None and session.ended:  # in a copy of a context: ended elsewhere
        session = session.below
    return session


def find() -> Session | None:
    """The run that a call without a run id means; ``None`` when there is none."""
    session = own()
    if session is None and _rivals:
        names = " and ".join(rival.run.info.run_id for rival in _rivals)
        raise HeadraceError(
            f"this thread has no run of its own, and the runs {names} are active side by side: "
            "name one with run_id=..., or start the thread with contextvars.copy_context().run"
        )
    return session or _common


def to_end() -> Session | None:
    """The run that ``end_run()`` means: this context's, or the main thread's when called there."""
    session = own()
    if session is None and threading.current_thread() is threading.main_thread():
        return _rivals[-1] if _rivals else _common
    return session


def push(session: Session) -> None:
    """Makes a run the active one of this context."""
    session.below = own()
    context.set(session)
    with _lock:
        _settle((*_open, session))


def share(session: Session) -> None:
    """Lets every context without a run use this one, as it may the main thread's."""
    session.shared = True
    with _lock:
        _settle(_open)


def remove(session: Session) -> None:
    """Ends a run's being active, everywhere."""
    global _last  # noqa: PLW0603
    session.ended = True
    _last = session
    context.set(own())
    with _lock:
        _settle(tuple(other for other in _open if other is not session))


def attempt_of(core: Core, run_id: str) -> str:
    """The attempt in which this process, or the one it was forked from, has the run active; else ""."""
    for session in _open:
        if session.run.info.run_id == run_id and session.core is core:
            return session.log.attempt
    return ""


def open_sessions() -> list[Session]:
    """The runs that this very process started and has not ended, newest first."""
    return [session for session in reversed(_open) if not session.inherited]


def _after_fork() -> None:
    global _lock, starting
    _lock, starting = threading.RLock(), threading.RLock()  # a thread of the parent may have held them


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _nested_in(session: Session) -> list[Session]:
    """The runs of this context that were started inside ``session`` and are still active, innermost first."""
    inner, top = [], own()
    while top is not None and top is not session:
        inner.append(top)
        top = top.below
    return inner if top is session else []


def _settle(sessions: tuple[Session, ...]) -> None:
    global _open, _common, _rivals  # noqa: PLW0603
    _open = sessions
    shared = [session for session in _open if session.shared]
    newest = shared[-1] if shared else None
    stack, session = [], newest
    while session is not None:
        stack.append(session)
        session = session.below
    alone = all(session in stack for session in shared)
    _common = newest if alone else None
    _rivals = () if alone else tuple(shared)
