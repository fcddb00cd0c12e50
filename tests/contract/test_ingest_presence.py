"""What a stream says of the runs that its writers name, by a shipper without the SDK."""

import queue
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import grpc
import pytest

from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2 as pb
from headrace_proto.v1 import ingest_pb2_grpc, tracking_pb2, tracking_pb2_grpc
from ingest_client import cells, define
from ingest_daemon import DaemonProcess, eventually

SHIPPER = uuid.uuid4().bytes


@pytest.fixture
def address(start_daemon: Callable[..., DaemonProcess]) -> str:
    return start_daemon("--run-lease", "3").ready()


class Writer:
    """A journal without a folder."""

    def __init__(self, address: str) -> None:
        self.run = uuid.uuid4().hex
        self._address = address
        self._id = uuid.uuid4().bytes
        self._opens = 0

    @contextmanager
    def stream(self, data: bytes = b"", *, orphaned: bool = False) -> Iterator[None]:
        """Opens it on a stream of its own, and names its run."""
        self._opens += 1
        opened = pb.Open(
            handle=1,
            writer_id=self._id,
            shipper_id=SHIPPER,
            open_number=self._opens,
            known_reject=-1,
            format=wire.FORMAT,
            orphaned=orphaned,
        )
        messages: queue.SimpleQueue[pb.ClientMessage | None] = queue.SimpleQueue()
        with grpc.insecure_channel(self._address) as channel:
            answers = ingest_pb2_grpc.IngestStub(channel).Stream(iter(messages.get, None))
            messages.put(pb.ClientMessage(open=opened))
            first = next(answers).opened.committed
            append = pb.Append(handle=1, first=first, definitions=define(["loss"], self.run), cells=data)
            messages.put(pb.ClientMessage(append=append))
            if data:
                assert next(answers).ack.committed == first + len(data) // wire.CELL_SIZE
            yield
            messages.put(None)

    def status(self) -> int:
        with grpc.insecure_channel(self._address) as channel:
            request = tracking_pb2.GetRunRequest(run_id=self.run)
            status: int = tracking_pb2_grpc.TrackingStub(channel).GetRun(request, timeout=30).info.status
            return status


def test_an_open_writer_keeps_its_runs_alive_unless_it_is_orphaned(address: str) -> None:
    there, left, orphan = (Writer(address) for _ in range(3))
    with there.stream(cells([1.0])):
        with left.stream(cells([1.0])), orphan.stream(cells([1.0])):
            pass
        with orphan.stream(cells([2.0]), orphaned=True):
            eventually(lambda: left.status() == orphan.status() == tracking_pb2.KILLED)
        assert there.status() == tracking_pb2.RUNNING
        with orphan.stream(cells([3.0]), orphaned=True), left.stream():
            eventually(lambda: left.status() == tracking_pb2.RUNNING)
            assert orphan.status() == tracking_pb2.KILLED
