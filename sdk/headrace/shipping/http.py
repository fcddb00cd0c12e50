"""HTTP to a daemon, by the standard library: the only place of the SDK that speaks it.

A connection belongs to one thread. It is found through the tracking URI (``Link.http_address``), and anew
after a failure. Bodies go both ways in chunks.
"""

import contextlib
import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote, urlencode

from headrace.errors import (
    AlreadyExistsError,
    HeadraceError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from headrace.journal.room import is_full

PREFIX: Final = "/api/headrace/v1"
CHUNK: Final = 128 << 10
"""Bytes that are read, hashed, sent and written at a time.

Measured on ext4 (Linux 6.18): writing more at a time into a new file took up to four times as long, since the
kernel then looks for large pieces of memory.
"""

TIMEOUT: Final = 300.0
"""Seconds without a byte, or without an answer: the daemon's disk may be busy for long."""

FOREIGN: Final = "INTERNAL_ERROR"
"""The error code of an answer that tells none, as a daemon's does."""

_PASSING: Final = frozenset({401, 403, 408, 423, 425, 429, 500, 502, 503, 504, 507})
"""What may be otherwise next time."""


class Body(Protocol):
    """What a body is read from."""

    def read(self, count: int, /) -> bytes:
        """Up to so many bytes."""
        ...


class StatusError(HeadraceError):
    """An answer that is an error, for whoever knows what to do with it."""

    def __init__(self, status: int, headers: Mapping[str, str], code: str, message: str) -> None:
        super().__init__(message, code)
        self.status = status
        self.headers = headers

    @property
    def passing(self) -> bool:
        """Whether to try again later."""
        return self.status in _PASSING

    def typed(self) -> HeadraceError:
        """The error that a caller of the SDK knows."""
        if self.status == 404:
            return NotFoundError(self.message)
        if self.code_is("RESOURCE_ALREADY_EXISTS"):
            return AlreadyExistsError(self.message)
        if self.passing:
            return UnavailableError(self.message)
        if self.status in (400, 413):
            argument, _, problem = self.message.partition(" ")
            return InvalidArgumentError(argument, problem)
        return HeadraceError(self.message, self.error_code)

    def code_is(self, code: str) -> bool:
        """Whether the daemon gave this error code."""
        return self.error_code == code


class Head(NamedTuple):
    """What an answer begins with."""

    status: int
    headers: Mapping[str, str]


def run_path(run_id: str, what: str, path: str = "", query: Mapping[str, object] | None = None) -> str:
    """The target of a request about a run, or, ``KIND/ID`` in place of its id, what else has artifacts."""
    kind, _, id_ = run_id.rpartition("/")
    target = f"{PREFIX}/{kind or 'runs'}/{quote(id_, safe='')}/{what}" + (f"/{quote(path)}" if path else "")
    given = {name: value for name, value in (query or {}).items() if value}
    return f"{target}?{urlencode(given, quote_via=quote)}" if given else target


class Http:
    """A connection, made at first use. Every method raises UnavailableError when no daemon answers."""

    def __init__(self, locate: Callable[[], str]) -> None:
        """``locate``: ``HOST:PORT`` of the daemon's HTTP side; it may raise UnavailableError."""
        self._locate = locate
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[Head, bytes]:
        """One request, and its answer whole. StatusError: it is an error."""
        with self.open(method, target, body, len(body), headers) as (head, answer):
            return head, answer.read()

    def json(self, method: str, target: str, content: object = None) -> Any:
        """One request with JSON both ways."""
        body = b"" if content is None else json.dumps(content).encode()
        return json.loads(self.call(method, target, body)[1] or b"null")

    @contextlib.contextmanager
    def open(
        self, method: str, target: str, body: bytes | Body, size: int, headers: Mapping[str, str]
    ) -> Iterator[tuple[Head, http.client.HTTPResponse]]:
        """One request, and its answer to read. StatusError: it is an error; what is left unread costs the
        connection.
        """
        answer = self._send(method, target, body, size, headers)
        try:
            head = Head(answer.status, {name.lower(): value for name, value in answer.getheaders()})
            if answer.status >= 400:
                raise _error(head, answer.read(CHUNK))
            yield head, answer
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, HeadraceError) or (isinstance(error, OSError) and is_full(error)):
                raise  # the disk here is full, on which the answer is stored
            self.close()
            raise UnavailableError(f"the daemon's answer broke off: {error!r}") from error
        finally:
            if not answer.isclosed() or answer.will_close:
                self.close()

    def _send(
        self, method: str, target: str, body: bytes | Body, size: int, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        fresh = self._connection is None
        try:
            return self._try(method, target, body, size, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if isinstance(error, HeadraceError):
                raise
            # A connection that was kept may have been closed meanwhile; a body that is a file was read from.
            if fresh or not isinstance(body, bytes) or isinstance(error, TimeoutError):
                raise UnavailableError(f"the daemon does not answer over HTTP: {error!r}") from error
        return self._send(method, target, body, size, headers)

    def _try(
        self, method: str, target: str, body: bytes | Body, size: int, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            host, _, port = self._locate().rpartition(":")
            self._connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT)
        connection = self._connection
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", _address(connection))
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if size or method not in {"GET", "HEAD", "DELETE"}:
            connection.putheader("Content-Length", str(size))
        try:
            connection.endheaders(body if isinstance(body, bytes) else None)
            if not isinstance(body, bytes):
                left = size
                while left and (chunk := body.read(min(CHUNK, left))):
                    connection.send(chunk)
                    left -= len(chunk)
                if left:
                    raise OSError(f"{left} bytes of a body are missing")
        except (BrokenPipeError, ConnectionResetError) as error:
            # It may have refused, and not waited for the rest.
            with contextlib.suppress(OSError, http.client.HTTPException):
                if isinstance(connection.sock, socket.socket):
                    return connection.getresponse()
            raise UnavailableError(f"the daemon took no more: {error!r}") from error
        return connection.getresponse()

    def close(self) -> None:
        """Ends the connection; the next request finds the daemon anew."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _address(connection: http.client.HTTPConnection) -> str:
    """The daemon's address in digits: it answers to that, whatever names and forwarders lead to it."""
    if connection.sock is None:
        connection.connect()
    host, port, *_ = connection.sock.getpeername()
    return f"[{host.partition('%')[0]}]:{port}" if ":" in host else f"{host}:{port}"


def _error(head: Head, body: bytes) -> StatusError:
    try:
        told = json.loads(body)
        code, message = str(told["error_code"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        code, message = FOREIGN, f"HTTP status {head.status}"
    return StatusError(head.status, head.headers, code, message)
