"""A daemon in memory that keeps the protocol's promises to the letter, and breaks streams when told to."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from headrace.config import Settings
from headrace.core import Core
from headrace_ingest.columnar import Columns
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2, ingest_pb2_grpc, tracking_pb2, tracking_pb2_grpc


@dataclass
class Stored:
    """A writer in the memory daemon's catalog."""

    cells: bytearray = field(default_factory=bytearray)
    definitions: dict[int, wire.SeriesDefinition] = field(default_factory=dict)
    epoch: int = 0
    open_number: int = 0
    shipper: bytes = b""
    rejects: list[ingest_pb2.Reject] = field(default_factory=list)

    @property
    def committed(self) -> int:
        return len(self.cells) // wire.CELL_SIZE


class MemoryDaemon(ingest_pb2_grpc.IngestServicer, tracking_pb2_grpc.TrackingServicer):  # type: ignore[misc]
    """Commits at once; with ``chaos`` cuts streams before or after a commit, before or after an answer."""

    def __init__(self) -> None:
        self.writers: dict[bytes, Stored] = {}
        self.chaos: random.Random | None = None
        self.cuts = 0
        self.credit = 1 << 20
        self.columns = True
        self.reject_every = 0
        self.labels: dict[bytes, dict[str, str]] = {}
        self.closed: list[bytes] = []
        self._lock = threading.Lock()

    def Stream(self, requests: Any, context: Any) -> Iterator[ingest_pb2.ServerMessage]:  # noqa: N802
        handles: dict[int, tuple[bytes, int]] = {}
        dictionaries: dict[bytes, dict[int, Any]] = {}
        for message in requests:
            self._perhaps_cut(context)
            if message.HasField("close"):
                self.closed.append(handles.pop(message.close.handle)[0])
                continue
            with self._lock:  # streams have a thread each
                if message.HasField("open"):
                    answer = self._open(message.open, handles)
                    dictionaries[message.open.writer_id] = {}
                else:
                    answer = self._append(message.append, handles, dictionaries)
            self._perhaps_cut(context)
            yield answer
            self._perhaps_cut(context)

    def _perhaps_cut(self, context: Any) -> None:
        if self.chaos is not None and self.chaos.random() < 0.05:
            self.cuts += 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    def _open(self, message: Any, handles: Any) -> ingest_pb2.ServerMessage:
        stored = self.writers.setdefault(message.writer_id, Stored())
        self.labels[message.writer_id] = dict(message.labels)
        if stored.shipper == message.shipper_id and message.open_number <= stored.open_number:
            code = ingest_pb2.Refused.STALE
            return ingest_pb2.ServerMessage(refused=ingest_pb2.Refused(handle=message.handle, code=code))
        stored.epoch += 1
        stored.shipper, stored.open_number = message.shipper_id, message.open_number
        handles[message.handle] = message.writer_id, stored.epoch
        rejects = [reject for reject in stored.rejects if reject.first > message.known_reject]
        return ingest_pb2.ServerMessage(
            opened=ingest_pb2.Opened(
                handle=message.handle,
                epoch=stored.epoch,
                committed=stored.committed,
                rejects=rejects,
                credit=self.credit,
                columns=self.columns,
            )
        )

    def _append(self, message: Any, handles: Any, dictionaries: Any) -> ingest_pb2.ServerMessage:
        writer, epoch = handles[message.handle]
        stored = self.writers[writer]
        if epoch != stored.epoch:
            refused = ingest_pb2.Refused(handle=message.handle, code=ingest_pb2.Refused.FENCED)
            return ingest_pb2.ServerMessage(refused=refused)
        dictionary = dictionaries[writer]
        for definition in wire.parse_definitions(message.definitions):
            if isinstance(definition, wire.SeriesDefinition):
                dictionary[definition.series] = definition
                stored.definitions[definition.series] = definition
        assert message.first <= stored.committed, "a gap"
        cells = bytes(Columns.of(message.columns).cells()) if message.HasField("columns") else message.cells
        fresh = cells[(stored.committed - message.first) * wire.CELL_SIZE :]
        rejects = []
        for at in range(0, len(fresh), wire.CELL_SIZE):
            sequence = stored.committed + at // wire.CELL_SIZE
            series = wire.METRIC_CELL.unpack_from(fresh, at)[3]
            assert fresh[at] != wire.METRIC or series in dictionary, (
                "used before it was defined on this stream"
            )
            if self.reject_every and sequence % self.reject_every == 0:
                rejects.append(
                    ingest_pb2.Reject(first=sequence, end=sequence + 1, code="NO", message="refused")
                )
        stored.cells += fresh
        stored.rejects += rejects
        return ingest_pb2.ServerMessage(
            ack=ingest_pb2.Ack(
                handle=message.handle, committed=stored.committed, rejects=rejects, credit=self.credit
            )
        )

    def ListExperiments(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return tracking_pb2.ListExperimentsResponse()

    def GetRun(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.NOT_FOUND, f"there is no run {request.run_id!r}")

    def points(self, writer: bytes) -> list[tuple[str, int, float]]:
        stored = self.writers[writer]
        result = []
        for at in range(0, len(stored.cells), wire.CELL_SIZE):
            kind, _, _, series, step, _, value = wire.METRIC_CELL.unpack_from(stored.cells, at)
            if kind == wire.METRIC:
                result.append((stored.definitions[series].key, step, value))
        return result


class Served:
    """A memory daemon behind a port; can go away and come back.

    Served by threads: one event loop of a process may own gRPC, and that is the shipper's.
    """

    def __init__(self) -> None:
        self.daemon = MemoryDaemon()
        self.port = 0
        self._server: grpc.Server
        self.start()

    @property
    def uri(self) -> str:
        return f"headrace://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(32))
        ingest_pb2_grpc.add_IngestServicer_to_server(self.daemon, self._server)
        tracking_pb2_grpc.add_TrackingServicer_to_server(self.daemon, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.stop()


@pytest.fixture
def daemon(served: Served) -> MemoryDaemon:
    served.daemon.__init__()  # type: ignore[misc]
    return served.daemon


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(journal_dir=tmp_path / "journals", exit_timeout=20.0)


@pytest.fixture
def core(served: Served, daemon: MemoryDaemon, settings: Settings) -> Iterator[Core]:  # noqa: ARG001
    core = Core(served.uri, settings)
    yield core
    core.close(5.0)
    core.end_shipping()
