"""Core: what the fluent functions and the clients are thin faces of; one per tracking URI and process.

It owns the process's journals for that URI, has them shipped (by a thread, or by the agent), and carries
the reads. It is aware of forks: a child has writers of its own and uses no gRPC (grpc issue 19158).
"""

import asyncio
import contextlib
import functools
import logging
import os
import threading
import time
import uuid
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from typing import Any

from headrace import surroundings, waiting
from headrace.config import Settings
from headrace.endings import at_end
from headrace.errors import HeadraceError, UnavailableError
from headrace.file_side import FileSide
from headrace.journal.folder import boot_folder, boot_id, let_locks_go
from headrace.journal.ordered_log import OrderedLog
from headrace.journal.room import Dropped
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace.operation import RunOperation
from headrace.pending import Pending
from headrace.shipping import agent
from headrace.shipping.address import normalize
from headrace.shipping.carrier import Carrier
from headrace.shipping.link import Link
from headrace.shipping.runtime import forget, forked, keep_for_ever, runtime, stop
from headrace.shipping.shipper import Shipper
from headrace.shipping.watcher import Watcher
from headrace.spool.spool import Spool
from headrace_proto.v1.tracking_pb2 import RunChange

logger = logging.getLogger("headrace")

LEFTOVER_SECONDS = 30.0
TIDY_SECONDS = 5.0
END_SECONDS = 5.0
"""Seconds for which closing the connection may take: gRPC may have other plans."""

ABSENT_PATIENCE = 2.0
"""Seconds for which a flush hopes for a daemon that does not answer: an absent one is no reason to hang."""


class Core:
    """See the module. Get one from :func:`core_for`."""

    def __init__(self, uri: str, settings: Settings, *, attends: bool = True) -> None:
        """``attends``: whether runs go on because this process does; else only who ends them ends them."""
        self.uri = uri
        self.settings = settings
        self._attends = attends
        self.process_id = uuid.uuid4().hex
        self._lock = threading.RLock()
        self._logs: dict[tuple[str, str], RunLog] = {}
        self._writers: list[Writer] = []
        self._writer: Writer | None = None
        self.files = FileSide(self)
        self._link: Link | None = None
        self._shipper: Shipper | None = None
        self._watcher: Watcher | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = False
        self._warned_of: Pending | None = None

    # Logging.

    def run_log(self, run_id: str, attempt: str = "") -> RunLog:
        """Where the points of a run go. Cheap, and the same one for the same arguments."""
        log = self._logs.get((run_id, attempt))
        if log is None:
            try:
                # Not the settings of the first run: each may have its own.
                ordered = Settings.from_environment().step_policy == "reject"
                kind = OrderedLog if ordered else RunLog
                log = self._logs[run_id, attempt] = kind(self.current_writer(), run_id, attempt)
            except Dropped as full:
                # Said at once, rather than a training of hours of which nothing is kept.
                raise full.error from full
        return log

    def change(self, run_id: str, change: RunChange, attempt: str = "") -> RunOperation:
        """Journals a change of a run, in order with the points around it."""
        return self.run_log(run_id, attempt).change(change.SerializeToString())

    def header(self) -> dict[str, Any]:
        """What is told of this process beside what it logs."""
        return {
            "uri": self.uri,
            "boot": boot_id(),
            "created": time.time_ns() // 1_000_000,
            "labels": surroundings.labels(),
            "shipper": "agent" if self.uses_agent else "thread",
            "attends": self._attends,
        }

    def current_writer(self) -> Writer:
        """The journal that this process writes now."""
        with self._lock:
            if self._writer is None:
                self._writer = self._new_writer()
            return self._writer

    def _new_writer(self) -> Writer:
        """Another journal of this process: its first, a spare, or the first after a fork."""
        root = boot_folder(self.settings.journal_dir)
        header = self.header()
        name, bound = uuid.uuid4().hex, self.settings.journal_max
        if not self._attends:
            # It may give all times itself, as imports do: such points are ordered by their journal's name.
            name = f"{time.time_ns() // 1_000_000:012x}{name[12:]}"
        writer = Writer(root, name, header, bound, self._successor, on_full=self.settings.on_full)
        self._writers.append(writer)
        at_end(_close_all, priority=100)
        if self.ended:  # no thread and no process can be started any more
            logger.warning(
                "what is logged after the end of the process stays in %s, for the next process here that "
                "logs to %s, or: headrace sync %s",
                writer.folder,
                self.uri,
                root.parent,
            )
        elif self.uses_agent:
            self.watch(writer)
        else:
            self._thread_shipper().add(writer)
        return writer

    def _successor(self, after: Writer) -> Writer:
        """Where calls go instead of ``after``: interrupted ones to a spare, a forked child's to its own."""
        return self.current_writer() if after.abandoned else self._new_writer()

    # Shipping.

    @property
    def uses_agent(self) -> bool:
        """Whether another process ships what this one logs."""
        return forked() or self.settings.shipper == "agent"

    def _thread_shipper(self) -> Shipper:
        with self._lock:
            if self._shipper is None:
                self._shipper = runtime().submit(self._start_shipping()).result()
            return self._shipper

    def http_address(self) -> str:
        """``HOST:PORT`` where the daemon speaks HTTP. From any thread but that of the loop."""
        timeout = self.settings.read_timeout
        address: str = self._submit(self._the_link().http_address(timeout)).result(2 * timeout)
        return address

    async def _start_shipping(self) -> Shipper:
        keep = self.settings.journal_keep
        shipper = Shipper(self._the_link(), uuid.uuid4().bytes, keep, hand_over=self.watch)
        root = boot_folder(self.settings.journal_dir).parent
        carrier = Carrier(
            root,
            keep,
            lambda uri: shipper if uri == self.uri else None,
            courier_for=lambda uri: self.files.courier() if uri == self.uri else None,
        )
        self._tasks = [
            asyncio.create_task(shipper.run()),
            asyncio.create_task(shipper.tidy_every(TIDY_SECONDS)),
            asyncio.create_task(carrier.run(LEFTOVER_SECONDS)),
        ]
        return shipper

    def end_shipping(self) -> None:
        """Ships no more, and closes the connection."""
        self.files.stop()
        if self._shipper is not None:
            with contextlib.suppress(TimeoutError):
                runtime().submit(self._end_shipping()).result(END_SECONDS)
            self._shipper = None

    async def _end_shipping(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._shipper is not None:
            self._shipper.let_go()
        if self._link is not None:
            await self._link.close()
            self._link = None

    def watch(self, writer: Writer | Spool) -> None:
        """Has a journal watched that another process ships: the agent, which is started if need be."""
        with self._lock:
            if self._watcher is None:
                root = boot_folder(self.settings.journal_dir).parent
                self._watcher = Watcher(lambda: agent.start(root) if self.uses_agent else None)
            self._watcher.add(writer)

    def _look_after(self, writer: Writer | Spool) -> None:
        writer.watch = _nothing
        self.watch(writer)
        writer.watch()

    def _the_link(self) -> Link:
        if self._link is None:
            self._link = Link(self.uri, brief=self.uses_agent)
        return self._link

    # Reads.

    def call(self, method: str, request: Any, timeout: float | None = None) -> Any:
        """Calls a method of the tracking service and returns its response; raises typed errors."""
        return self._submit(self._unary(method, request, timeout)).result()

    def call_all(self, method: str, requests: Iterable[Any], timeout: float | None = None) -> list[Any]:
        """The responses to several requests, which are all on their way at once."""
        asked = [self._submit(self._unary(method, request, timeout)) for request in requests]
        return [future.result() for future in asked]

    def call_async(self, method: str, request: Any, timeout: float | None = None) -> Awaitable[Any]:
        """:meth:`call` for the caller's event loop."""
        return asyncio.wrap_future(self._submit(self._unary(method, request, timeout)))

    def stream(self, method: str, request: Any, timeout: float | None = None) -> list[Any]:
        """All messages of a streaming method of the tracking service."""
        result: list[Any] = self._submit(self._collect(method, request, timeout)).result()
        return result

    def stream_async(self, method: str, request: Any, timeout: float | None = None) -> Awaitable[list[Any]]:
        """:meth:`stream` for the caller's event loop."""
        return asyncio.wrap_future(self._submit(self._collect(method, request, timeout)))

    async def _unary(self, method: str, request: Any, timeout: float | None) -> Any:
        return await self._the_link().unary(method, request, timeout or self.settings.read_timeout)

    async def _collect(self, method: str, request: Any, timeout: float | None) -> Any:
        return await self._the_link().collect(method, request, timeout or self.settings.read_timeout)

    def _submit(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if forked():
            coroutine.close()
            raise UnavailableError(
                "a forked child logs, but cannot read: gRPC does not survive a fork; start the process with "
                "the 'spawn' method, or read in the parent"
            )
        return runtime().submit(coroutine)

    def reachable(self, timeout: float = 5.0) -> bool:
        """Whether a daemon answers within ``timeout`` seconds."""
        from headrace_proto.v1.tracking_pb2 import ListExperimentsRequest  # noqa: PLC0415 - a cheap question

        try:
            self.call("ListExperiments", ListExperimentsRequest(max_results=1), timeout)
        except HeadraceError:
            return False
        return True

    # Waiting.

    def flush(self, timeout: float) -> Pending:
        """Waits, up to ``timeout`` seconds, until all that was logged is durable; says what is left."""
        self._flush(timeout, [*self._writers, *self.files.spools])
        return self.pending()

    def _flush(self, timeout: float, carried: Sequence[Writer | Spool]) -> None:
        begun = time.monotonic()
        with self.files.shown() as look:
            for writer, end in _unsettled(carried):
                event = threading.Event()
                writer.when_committed(end, event.set)
                while not event.wait(min(0.05, timeout)):
                    look()
                    waited = time.monotonic() - begun
                    if waited >= timeout or (writer.daemon_absent() and waited >= ABSENT_PATIENCE):
                        return

    def pending(self) -> Pending:
        """What is not durable now."""
        carried: list[Writer | Spool] = [*self._writers, *self.files.spools]
        left = [(writer.pending(), writer.folder) for writer in carried if writer.pending()]
        return Pending(sum(count for count, _ in left), tuple(folder for _, folder in left), self.uri)

    def settle(self, timeout: float | None = None, *, files: bool = False) -> None:
        """Before a read: waits, bounded, for what this process logged; ``files``: for uploads too."""
        timeout = self.settings.read_timeout if timeout is None else timeout
        self._flush(timeout, [*self._writers, *(self.files.spools if files else ())])

    async def settle_async(self, timeout: float | None = None, *, files: bool = False) -> None:
        """:meth:`settle` for an event loop."""
        timeout = self.settings.read_timeout if timeout is None else timeout
        carried = [*self._writers, *(self.files.spools if files else ())]
        operations = [RunOperation(writer, end, end) for writer, end in _unsettled(carried)]
        if operations:
            with contextlib.suppress(TimeoutError):
                absent = any(writer.daemon_absent() for writer in carried)
                await asyncio.wait_for(_all(operations), ABSENT_PATIENCE if absent else timeout)

    # Fork and end.

    def after_fork(self) -> None:
        """In the child: nothing of the parent's is used any more."""
        carried: list[Writer | Spool] = [*self._writers, *self.files.spools]
        for writer in carried:
            writer.abandon()
            # An operation of the parent's may be waited for: whoever ships it, the control page is shared.
            writer.watch = functools.partial(self._look_after, writer)
        self.ended = False
        self._lock = threading.RLock()
        self.process_id = uuid.uuid4().hex
        keep_for_ever(self._link, self._shipper, self._tasks)
        self._logs, self._writers, self._writer = {}, [], None
        self.files = FileSide(self)
        self._link = self._shipper = self._watcher = None
        self._tasks = []

    def deliver(self, timeout: float | None = None) -> None:
        """:meth:`flush`, by default for ``HEADRACE_EXIT_TIMEOUT``; warns of what is left."""
        self.flush(self.settings.exit_timeout if timeout is None else timeout)
        self.warn_of_pending()

    def warn_of_pending(self) -> None:
        """Says, once for the same, what is not durable and how it will be delivered."""
        left = self.pending()
        if left and left != self._warned_of:
            self._warned_of = left
            logger.warning("%s", left)

    def end(self) -> None:
        """At the end of the process: :meth:`close`; what is logged later only goes to a journal."""
        timeout = None
        while not self.ended:
            with contextlib.suppress(KeyboardInterrupt):  # asked not to wait any longer
                self.close(timeout, last=True)
                self.end_shipping()
            timeout = 0.0

    def close(self, timeout: float | None = None, *, last: bool = False) -> None:
        """Delivers what there is, bounded, and closes the journals."""
        self.deliver(timeout)
        self.ended = last
        writers, self._writers, self._writer, self._logs = self._writers, [], None, {}
        for writer in writers:
            writer.close()
        self.files.close()


def _unsettled(carried: Sequence[Writer | Spool]) -> list[tuple[Writer | Spool, int]]:
    return [(writer, writer.written()) for writer in carried if writer.pending()]


async def _all(operations: list[RunOperation]) -> None:
    for operation in operations:
        await operation


def _nothing() -> None:
    pass


_cores: dict[str, Core] = {}
_cores_lock = threading.Lock()


def core_for(uri: str | None = None, settings: Settings | None = None, *, attends: bool = True) -> Core:
    """The process's core for a tracking URI, by default the one of the environment.

    The one that does not attend (see :class:`Core`) is another.
    """
    if settings is None:
        settings = Settings.from_environment()
        waiting.follow(settings.async_logging)
    uri = normalize(uri or settings.tracking_uri)
    with _cores_lock:
        name = uri if attends else f"{uri} (does not attend)"
        core = _cores.get(name)
        if core is None:
            core = _cores[name] = Core(uri, settings, attends=attends)
        return core


def _close_all() -> None:
    for core in list(_cores.values()):
        core.end()
    with contextlib.suppress(KeyboardInterrupt):
        stop()


def _after_fork() -> None:
    global _cores_lock  # noqa: PLW0603
    _cores_lock = threading.Lock()
    forget()
    for core in _cores.values():
        core.after_fork()
    if _cores:
        let_locks_go()


os.register_at_fork(after_in_child=_after_fork)
