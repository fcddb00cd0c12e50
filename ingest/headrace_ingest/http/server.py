"""The HTTP server: uvicorn in the daemon's loop, on a port that is reserved."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headrace_ingest.config import StartError

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 75
_CONNECTIONS: Final = 1000


HEAD_BYTES: Final = 64 << 10
"""What the head of a request may have: the parser itself keeps whatever comes."""


class _Protocol(HttpToolsProtocol):
    """Answers leave at once, with whatever loop: sockets that were made elsewhere may lack TCP_NODELAY."""

    _messages = 0
    _in_head = True
    _head = 0
    """Bytes that came of a head whose end is to come."""

    def connection_made(self, transport: Any) -> None:
        with contextlib.suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        before = self._messages
        super().data_received(data)
        if self._in_head and self._messages == before:
            self._head += len(data)
            if self._head > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"The head of a request may have {HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._messages += 1
        self._in_head, self._head = True, 0
        super().on_message_complete()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's (``signals.py``)."""
        yield


class HttpServer:
    """Serves an application on one address."""

    def __init__(self, app: ASGIApp, host: str, port: int, grace: float) -> None:
        """``port`` is reserved, and shared by the daemon's workers; ``grace``: seconds that the end may take.

        :class:`StartError` when it cannot serve there.
        """
        self._socket = _listening(host, port)
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=round(grace),
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Takes requests."""
        self._serving = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.001)

    async def stop(self) -> None:
        """Takes no new requests, and waits, bounded, until those that run have ended."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving
        self._socket.close()


def _listening(host: str, port: int) -> socket.socket:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # With its protocol: asyncio sets TCP_NODELAY on what such a socket accepts only.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # What it accepted and closed passes it on while in TIME_WAIT: the next daemon gets the port at once.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise StartError(f"cannot serve HTTP on {host} port {port}: {error.strerror}") from error
    return listening
