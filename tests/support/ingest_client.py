"""A shipper of the simplest kind: one ingest stream, messages by hand."""

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc
import grpc.aio
import numpy as np
from numpy.typing import NDArray

from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2 as pb
from headrace_proto.v1 import tracking_pb2

RUN = "ab" * 16
NOW = 1_700_000_000_000


def define(keys: Sequence[str], run_id: str = RUN, attempt: str = "") -> bytes:
    """The definitions of run 0 and of its series 0, 1, ..."""
    frames = [wire.run_frame(wire.RunDefinition(0, run_id, attempt))]
    frames += [wire.series_frame(wire.SeriesDefinition(number, 0, key)) for number, key in enumerate(keys)]
    return b"".join(frames)


def cells(
    values: Iterable[float], series: int = 0, first_step: int = 0, timestamp: int = NOW, flags: int = 0
) -> bytes:
    """One METRIC cell for each value, steps ascending."""
    return b"".join(
        wire.METRIC_CELL.pack(wire.METRIC, flags, 0, series, first_step + at, timestamp, value)
        for at, value in enumerate(values)
    )


def change(run: int = 0, timestamp: int = NOW, **fields: Any) -> bytes:
    """A blob record: ``change(tag=SetTag(...))``."""
    return wire.blob_record(run, tracking_pb2.RunChange(**fields).SerializeToString(), timestamp)


@dataclass
class Shipper:
    """An open ingest stream."""

    call: Any
    shipper_id: bytes = field(default_factory=lambda: uuid.uuid4().bytes)
    handles: int = 0

    async def send(self, **body: Any) -> None:
        await self.call.write(pb.ClientMessage(**body))

    async def receive(self) -> Any:
        """The next message's body, of whatever kind; ``None`` when the stream ended."""
        message = await self.call.read()
        if message is grpc.aio.EOF:
            return None
        return getattr(message, message.WhichOneof("body"))

    async def open(self, writer: UUID | None = None, number: int = 1, known_reject: int = -1) -> Any:
        """Opens a writer under the next handle; the answer."""
        self.handles += 1
        body = pb.Open(
            handle=self.handles,
            writer_id=(writer or uuid.uuid4()).bytes,
            shipper_id=self.shipper_id,
            open_number=number,
            known_reject=known_reject,
            format=wire.FORMAT,
        )
        await self.send(open=body)
        return await self.receive()

    async def append(self, first: int, data: bytes, definitions: bytes = b"", handle: int = 1) -> None:
        await self.send(append=pb.Append(handle=handle, first=first, definitions=definitions, cells=data))

    async def committed(self, end: int, handle: int = 1) -> list[Any]:
        """Waits until everything below ``end`` is acknowledged; the rejects on the way."""
        rejects: list[Any] = []
        while True:
            answer = await self.receive()
            assert isinstance(answer, pb.Ack), answer
            assert answer.handle == handle
            rejects += answer.rejects
            if answer.committed >= end:
                assert answer.committed == end
                return rejects

    async def status(self) -> tuple[grpc.StatusCode, str]:
        """How the stream ended."""
        return await self.call.code(), await self.call.details()


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Any]:
    """A channel to a daemon."""
    options = [("grpc.max_receive_message_length", 64 << 20), ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        yield channel


def ship(channel: Any) -> Shipper:
    """A new ingest stream."""
    method = channel.stream_stream(
        "/headrace.v1.Ingest/Stream",
        request_serializer=pb.ClientMessage.SerializeToString,
        response_deserializer=pb.ServerMessage.FromString,
    )
    return Shipper(method())


async def history(channel: Any, run_id: str, key: str) -> dict[str, NDArray[Any]]:
    """Steps, timestamps and values of a metric, as the daemon tells them."""
    method = channel.unary_stream(
        "/headrace.v1.Tracking/GetMetricHistory",
        request_serializer=tracking_pb2.GetMetricHistoryRequest.SerializeToString,
        response_deserializer=tracking_pb2.HistoryChunk.FromString,
    )
    request = tracking_pb2.GetMetricHistoryRequest(run_id=run_id, key=key)
    chunks = [chunk async for chunk in method(request)]
    return {
        name: np.frombuffer(b"".join(getattr(chunk, name) for chunk in chunks), dtype)
        for name, dtype in (("steps", "<i8"), ("timestamps", "<i8"), ("values", "<f8"))
    }
