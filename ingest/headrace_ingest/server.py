"""The gRPC server: its options, its health, and how it ends."""

from collections.abc import Sequence
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.config import StartError

_OPTIONS: Final = [
    ("grpc.so_reuseport", 1),
    # The bound of a message counts its bytes on the way: a few kilobytes could become gigabytes.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    ("grpc.max_send_message_length", 64 << 20),
    # A peer that vanished without a word is noticed within 40 s, and clients may ask as often as every 5 s.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
]


class Server:
    """A gRPC server on one address, with the standard health service."""

    def __init__(
        self,
        target: str,
        handlers: Sequence[grpc.GenericRpcHandler],
        names: Sequence[str],
        bounds: Bounds = DEFAULTS,
    ) -> None:
        """``target``: ``host:port`` of a port that is reserved. ``names``: of the services, for health.

        :class:`StartError` when it cannot serve there.
        """
        self._names = ["", *names]
        self._server = grpc.aio.server(
            options=[*_OPTIONS, ("grpc.max_receive_message_length", bounds.message)]
        )
        self._health: Any = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers(tuple(handlers))
        try:
            self._server.add_insecure_port(target)
        except RuntimeError as error:
            raise StartError(f"cannot serve on {target}: {error}") from error

    async def start(self) -> None:
        """Takes calls."""
        await self._server.start()
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace: float) -> None:
        """Takes no new calls, and waits until those that run have ended; ``grace`` seconds at most."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace)
