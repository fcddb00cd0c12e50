"""A core with a real journal and an imagined daemon, for tests of what stands on a core."""

import logging
import re
import struct
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from headrace.config import Settings
from headrace.errors import AlreadyExistsError, NotFoundError, UnavailableError
from headrace.journal.reader import JournalReader
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace.operation import RunOperation
from headrace.pending import Pending
from headrace_proto import wire
from headrace_proto.v1 import tracking_pb2 as pb


class Point(NamedTuple):
    run_id: str
    key: str
    value: float
    step: int
    timestamp: int | None
    """``None`` when it is the time of the call."""
    attempt: str = ""


class Change(NamedTuple):
    run_id: str
    attempt: str
    change: pb.RunChange


Ask = Callable[..., Any]
"""``ask("get_run", RUN)``: the answer of one client or the other (a fixture)."""


@dataclass
class FakeCore:
    """Speaks :class:`headrace.core.Core`'s language."""

    folder: Path
    uri: str = "headrace://fake:7070"
    answers: bool = True
    settings: Settings = field(default_factory=lambda: Settings(start_timeout=0.2, exit_timeout=0.2))
    process_id: str = "this-process"
    responses: dict[str, Any] = field(default_factory=dict)
    """By method; overrides the imagined daemon. An exception is raised, a function is called."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """Methods and requests, and "settle" and "flush", in order."""
    experiments: dict[str, pb.Experiment] = field(default_factory=dict)

    refusals: list[tuple[int, int, str, str]] = field(default_factory=list)
    """What the next commit refuses: (first, end, code, message)."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.writers: list[Writer] = []
        self.logs: dict[tuple[str, str], RunLog] = {}
        self.experiments["0"] = pb.Experiment(experiment_id="0", name="Default", lifecycle_stage="active")

    # What Core has.

    def run_log(self, run_id: str, attempt: str = "") -> RunLog:
        with self._lock:
            if (run_id, attempt) not in self.logs:
                writer = self.writers[0] if self.writers else self._writer()
                self.logs[run_id, attempt] = RunLog(writer, run_id, attempt)
            return self.logs[run_id, attempt]

    def call(self, method: str, request: Any, timeout: float | None = None) -> Any:
        assert timeout is not None
        self.asked.append((method, request))
        return self._answer(method, request)

    stream = call

    async def call_async(self, method: str, request: Any, timeout: float | None = None) -> Any:
        return self.call(method, request, timeout)

    stream_async = call_async

    def reachable(self, timeout: float) -> bool:
        assert timeout == self.settings.start_timeout
        if self.answers:
            self.commit()
        return self.answers

    def settle(self, timeout: float | None = None) -> None:
        self.asked.append(("settle", timeout))
        if self.answers:
            self.commit()

    async def settle_async(self, timeout: float | None = None) -> None:
        self.settle(timeout)

    def flush(self, timeout: float) -> Pending:
        self.asked.append(("flush", timeout))
        if self.answers:
            self.commit()
        return self.pending()

    def pending(self) -> Pending:
        left = [(writer.pending(), writer.folder) for writer in self.writers if writer.pending()]
        return Pending(sum(count for count, _ in left), tuple(folder for _, folder in left), self.uri)

    def deliver(self, timeout: float | None = None) -> None:
        self.flush(self.settings.exit_timeout if timeout is None else timeout)
        self.warn_of_pending()

    def warn_of_pending(self) -> None:
        if left := self.pending():
            logging.getLogger("headrace").warning("%s", left)

    def close(self, timeout: float | None = None) -> None:
        pass

    def after_fork(self) -> None:
        for writer in self.writers:
            writer.abandon()
        self.writers, self.logs, self.process_id = [], {}, "forked-child"
        self._lock = threading.Lock()

    # What tests ask and do.

    def commit(self, *rejects: tuple[int, int, str, str]) -> None:
        """Everything that is written is durable now, but for what is refused: (first, end, code, message)."""
        for writer in self.writers:
            reader = JournalReader(writer.folder)
            reader.store(reader.tail, [*self.refusals, *rejects])
            reader.close()
            writer.waiters.advance(writer.committed())
        self.refusals = []

    def points(self) -> list[Point]:
        return [record for record in self.written() if isinstance(record, Point)]

    def changes(self, run_id: str | None = None) -> list[Change]:
        return [
            record
            for record in self.written()
            if isinstance(record, Change) and run_id in (None, record.run_id)
        ]

    def kinds(self, run_id: str | None = None) -> list[str]:
        """Which changes were written, e.g. ["create", "start_attempt", "end"]."""
        return [str(change.change.WhichOneof("change")) for change in self.changes(run_id)]

    def end_of(self, run_id: str) -> pb.EndRun:
        return next(record.change.end for record in self.changes(run_id) if record.change.HasField("end"))

    def written(self) -> list[Point | Change]:
        return [record for writer in self.writers for record in read(writer.folder)]

    # The imagined daemon.

    def _answer(self, method: str, request: Any) -> Any:
        if not self.answers:
            raise UnavailableError("connection refused")
        response = self.responses.get(method)
        if isinstance(response, BaseException):
            raise response
        if callable(response):
            return response(request)
        return response if response is not None else getattr(self, f"_{method}")(request)

    def _GetExperiment(self, request: pb.GetExperimentRequest) -> pb.Experiment:  # noqa: N802
        for experiment in self.experiments.values():
            if request.experiment_id == experiment.experiment_id or request.name == experiment.name:
                return experiment
        raise NotFoundError(f"there is no experiment {request.experiment_id or request.name!r}")

    def _CreateExperiment(self, request: pb.CreateExperimentRequest) -> pb.Experiment:  # noqa: N802
        if any(request.name == experiment.name for experiment in self.experiments.values()):
            raise AlreadyExistsError(f"experiment {request.name!r} already exists")
        number = str(len(self.experiments))
        self.experiments[number] = pb.Experiment(
            experiment_id=number, name=request.name, lifecycle_stage="active", tags=request.tags
        )
        return self.experiments[number]

    def _GetRun(self, request: pb.GetRunRequest) -> pb.Run:  # noqa: N802
        for record in self.changes(request.run_id):
            if record.change.HasField("create"):
                create = record.change.create
                info = pb.RunInfo(
                    run_id=request.run_id,
                    run_name=create.run_name,
                    experiment_id=create.experiment_id or "0",
                    status=pb.RUNNING,
                    start_time=create.start_time,
                    lifecycle_stage="active",
                )
                return pb.Run(info=info, tags=create.tags)
        raise NotFoundError(f"there is no run {request.run_id!r}")

    def _writer(self, _: Writer | None = None) -> Writer:
        writer = Writer(self.folder, uuid.uuid4().hex, {"uri": self.uri, "boot": "b"}, 1.0, self._writer)
        self.writers.append(writer)
        return writer


def read(folder: Path) -> list[Point | Change]:
    """What is in a journal, in order."""
    reader = JournalReader(folder)
    tail = reader.tail  # first: what cells name is defined before they are written
    definitions, complete = reader.definitions(0, 1 << 30)
    assert complete
    runs: dict[int, tuple[str, str]] = {}
    series: dict[int, tuple[int, str]] = {}
    for definition in wire.parse_definitions(definitions):
        if isinstance(definition, wire.RunDefinition):
            runs[definition.run] = definition.run_id, definition.attempt
        else:
            series[definition.series] = definition.run, definition.key
    records: list[Point | Change] = []
    at = 0
    while at < tail:
        cell = reader.cells(at, 1)
        at += 1
        if cell[0] == wire.METRIC:
            _, flags, _, number, step, timestamp, value = struct.unpack("<BBHIqqd", cell)
            run, key = series[number]
            given = timestamp if flags & wire.TIMESTAMP_GIVEN else None
            records.append(Point(runs[run][0], key, value, step, given, runs[run][1]))
        elif cell[0] == wire.BLOB:
            _, _, cells, run, length, *_ = wire.BLOB_HEAD.unpack(cell)
            payload = reader.cells(at, cells - 1)[:length]
            records.append(Change(*runs[run], pb.RunChange.FromString(payload)))
            at += cells - 1
    reader.close()
    return records


def done(operation: RunOperation) -> bool:
    """Whether waiting for the operation ends at once."""
    return operation.done()


def finding(runs: Iterable[pb.Run], **latest: Any) -> Callable[[pb.SearchRunsRequest], pb.SearchRunsResponse]:
    """Answers searches: all of the runs, or those of a name or of the beginning of an id."""
    every = list(runs)

    def found(request: pb.SearchRunsRequest) -> pb.SearchRunsResponse:
        named = re.fullmatch("run_name = '(.*?)'(?: OR run_id LIKE '(.*)%')?", request.filter)
        runs = [run for run in every if named is None or _is_called(run, *named.groups())]
        values = [pb.LatestMetrics(**latest)] * len(runs)
        return pb.SearchRunsResponse(runs=runs, metric_keys=["loss"], latest=values)

    return found


def _is_called(run: pb.Run, name: str, begin: str | None) -> bool:
    return run.info.run_name == name or (begin is not None and run.info.run_id.startswith(begin))
