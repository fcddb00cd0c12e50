"""A peer of a daemon that may do anything: synchronous gRPC, every waiting bounded."""

import queue
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np

from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2 as pb
from headrace_proto.v1 import tracking_pb2
from ingest_client import cells, define

PATIENCE = 90.0
"""Seconds after which something that must happen counts as not happening."""

_OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]


class Peer:
    """One ingest stream on a channel of its own."""

    def __init__(
        self,
        address: str,
        compression: grpc.Compression = grpc.Compression.NoCompression,
        patience: float = PATIENCE,
    ) -> None:
        self._channel = grpc.insecure_channel(address, options=_OPTIONS, compression=compression)
        self._outgoing: queue.Queue[bytes | None] = queue.Queue(8)
        self._shipper = uuid.uuid4().bytes
        self._handles = 0
        method = self._channel.stream_stream("/headrace.v1.Ingest/Stream")
        self.call = method(iter(self._outgoing.get, None), timeout=patience)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call.cancel()
        self._channel.close()
        # The thread that takes what is to be sent has to end too.
        while not self._outgoing.empty():
            self._outgoing.get_nowait()
        self._outgoing.put(None)

    def send_bytes(self, data: bytes) -> None:
        """Sends a message; ``queue.Full`` when the daemon took none for too long."""
        self._outgoing.put(data, timeout=PATIENCE)

    def send(self, **body: Any) -> None:
        self.send_bytes(pb.ClientMessage(**body).SerializeToString())

    def open(self, writer: uuid.UUID | None = None, **fields: Any) -> int:
        """Opens a writer without waiting for the answer; its handle."""
        self._handles += 1
        body: dict[str, Any] = {
            "handle": self._handles,
            "writer_id": (writer or uuid.uuid4()).bytes,
            "shipper_id": self._shipper,
            "open_number": 1,
            "known_reject": -1,
            "format": wire.FORMAT,
        }
        self.send(open=pb.Open(**body | fields))
        return self._handles

    def opened(self) -> int:
        """Opens a writer; its handle."""
        handle = self.open()
        answer = self.answer()
        assert isinstance(answer, pb.Opened), answer
        return handle

    def append(self, first: int, data: bytes, definitions: bytes = b"", handle: int = 1) -> None:
        self.send(append=pb.Append(handle=handle, first=first, definitions=definitions, cells=data))

    def answer(self) -> Any:
        """The next answer, of whatever kind. ``grpc.RpcError`` at the end of the stream."""
        message = pb.ServerMessage.FromString(next(self.call))
        return getattr(message, message.WhichOneof("body"))

    def refusal(self) -> Any:
        """The next Refused; what comes before does not matter."""
        while True:
            answer = self.answer()
            if isinstance(answer, pb.Refused):
                return answer

    def committed(self, end: int) -> list[Any]:
        """Waits for the acknowledgement of ``end``; the rejects on the way."""
        rejects: list[Any] = []
        while True:
            answer = self.answer()
            assert isinstance(answer, pb.Ack), answer
            rejects += answer.rejects
            if answer.committed >= end:
                assert answer.committed == end
                return rejects

    def ended(self) -> tuple[grpc.StatusCode, str]:
        """How the daemon ends the stream."""
        try:
            while True:
                self.answer()
        except grpc.RpcError:
            return self.call.code(), self.call.details()
        except StopIteration:
            return grpc.StatusCode.OK, ""


class Neighbour(threading.Thread):
    """A writer that behaves: logs, waits until it is acknowledged, and goes on, until told to stop."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.run_id = uuid.uuid4().hex
        self.acknowledged = 0
        self.slowest = 0.0
        self.failure: BaseException | None = None
        self._address = address
        self._stop_asked = threading.Event()

    def run(self) -> None:
        try:
            with Peer(self._address, patience=600) as peer:
                peer.open()
                assert isinstance(peer.answer(), pb.Opened)
                names = define(["loss"], self.run_id)
                while not self._stop_asked.wait(0.005):
                    asked = time.monotonic()
                    at = self.acknowledged
                    peer.append(at, cells([float(at)], first_step=at), names)
                    assert peer.committed(at + 1) == []
                    self.acknowledged, names = at + 1, b""
                    self.slowest = max(self.slowest, time.monotonic() - asked)
        except BaseException as error:
            self.failure = error
            raise

    def goes_on(self) -> None:
        """Waits until more is acknowledged than now."""
        before, deadline = self.acknowledged, time.monotonic() + PATIENCE
        while self.acknowledged < before + 2:
            assert self.failure is None, self.failure
            assert time.monotonic() < deadline, "the neighbour is not acknowledged any more"
            time.sleep(0.01)

    def stop(self) -> int:
        """Ends it; how many points were acknowledged."""
        self._stop_asked.set()
        self.join(PATIENCE)
        assert not self.is_alive(), "the neighbour still waits for an acknowledgement"
        assert self.failure is None, self.failure
        return self.acknowledged


def read_values(address: str, run_id: str, key: str) -> list[float]:
    """The values of a metric in logged order."""
    with grpc.insecure_channel(address, options=_OPTIONS) as channel:
        method = channel.unary_stream(
            "/headrace.v1.Tracking/GetMetricHistory",
            request_serializer=tracking_pb2.GetMetricHistoryRequest.SerializeToString,
            response_deserializer=tracking_pb2.HistoryChunk.FromString,
        )
        chunks: Iterator[Any] = method(
            tracking_pb2.GetMetricHistoryRequest(run_id=run_id, key=key), timeout=PATIENCE
        )
        values: list[float] = np.frombuffer(b"".join(chunk.values for chunk in chunks), "<f8").tolist()
        return values


def peak_memory(pid: int) -> int:
    """The most bytes that a process had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def memory(pid: int) -> int:
    """The bytes that a process has in memory now."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10
