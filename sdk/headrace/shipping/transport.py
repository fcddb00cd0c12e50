"""gRPC: the only place that the SDK speaks it. One event loop per process owns it (``runtime.py``)."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

# Before gRPC is loaded: a forked child of ours leaves gRPC alone, so its fork handlers have nothing to do
# but to complain on stderr at each fork of a training that loads data in processes.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc
import grpc.aio

from headrace.errors import (
    AlreadyExistsError,
    HeadraceError,
    InvalidArgumentError,
    NotFoundError,
    OperationTimeoutError,
    UnavailableError,
)
from headrace_proto.v1 import ingest_pb2, ingest_pb2_grpc, models_pb2_grpc, tracking_pb2_grpc

OPTIONS = [
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # gRPC also pings by itself, to measure the connection, waits a minute for that answer, and holds its
    # keepalive back meanwhile: without this, a black-holed connection counts as alive for over a minute.
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long an attempt to connect may take, whatever its name says: a busy machine needs more than 100 ms.
    ("grpc.min_reconnect_backoff_ms", 2_000),
    # The shipper has pauses of its own: on top of them, attempts would fail without being made.
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_http_proxy", 0),
]


class IngestStream:
    """One ingest stream, open until an error or :meth:`cancel`."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def send(self, message: ingest_pb2.ClientMessage) -> None:
        """Sends a message; waits while the peer takes no more. :class:`UnavailableError` when it is gone."""
        try:
            await self._call.write(message)
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error
        except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
            raise UnavailableError("the daemon ended the stream") from error

    async def messages(self) -> AsyncIterator[ingest_pb2.ServerMessage]:
        """The daemon's messages, until it ends the stream. :class:`UnavailableError` when it breaks."""
        try:
            async for message in self._call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error

    def cancel(self) -> None:
        """Ends the stream at once."""
        self._call.cancel()


class Connection:
    """A channel to one daemon. Made and used in the one loop."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._stubs = tracking_pb2_grpc.TrackingStub(self._channel), models_pb2_grpc.ModelsStub(self._channel)

    def ingest(self) -> IngestStream:
        """A new ingest stream."""
        stub = ingest_pb2_grpc.IngestStub(self._channel)
        return IngestStream(stub.Stream())

    async def unary(self, method: str, request: Any, timeout: float | None) -> Any:
        """Calls a method of a service. Raises the typed errors of :func:`translate`."""
        try:
            return await self._method(method)(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error

    async def collect(self, method: str, request: Any, timeout: float | None) -> list[Any]:
        """All messages of a streaming method of a service."""
        try:
            return [message async for message in self._method(method)(request, timeout=timeout)]
        except grpc.aio.AioRpcError as error:
            raise translate(error) from error

    def _method(self, name: str) -> Any:
        """A method of the tracking or the models service: no name is in both."""
        return next(getattr(stub, name) for stub in self._stubs if hasattr(stub, name))

    async def close(self) -> None:
        """Closes the channel and everything on it."""
        await self._channel.close()


def translate(error: grpc.aio.AioRpcError) -> HeadraceError:
    """The typed error for a gRPC status."""
    code, details = error.code(), error.details() or ""
    if code is grpc.StatusCode.NOT_FOUND:
        return NotFoundError(details)
    if code is grpc.StatusCode.ALREADY_EXISTS:
        return AlreadyExistsError(details)
    if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.OUT_OF_RANGE):
        argument, _, problem = details.partition(" ")
        return InvalidArgumentError(argument, problem)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return OperationTimeoutError(f"no answer in time: {details}")
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED):
        return UnavailableError(details)
    return HeadraceError(f"{code.name}: {details}")
