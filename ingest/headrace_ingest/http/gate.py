"""The one door: every request passes it, whatever route it is for.

Names (``hosts.py``), authorisation, the size of bodies, how errors are told, and what browsers are told to do
with answers. Nothing behind it has to think of these.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final

import structlog
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace_ingest.activity import Activity
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.problems import Problem, problem_of

log = structlog.get_logger("headrace")

Authorise = Callable[[Scope], Awaitable[bool]]
"""Whether a request may do what it asks for."""

LIMIT: Final = "headrace.limit"
"""The key in a request's scope of the bytes that its body may have; a route that takes more says so."""

BODY_BYTES: Final = 8 << 20
"""What a body may have otherwise."""

_PROBES: Final = frozenset({"/healthz", "/readyz"})
"""What load balancers and schedulers ask, by whatever name: these tell nobody anything."""

_SAFE_HEADERS: Final = {
    # Whatever a file says, a browser neither guesses its type, nor runs it as a page of this daemon.
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"sandbox; default-src 'none'; frame-ancestors 'self'",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
}


async def everyone(_: Scope) -> bool:
    """There are no tokens yet: who reaches the daemon may use it, and only this machine does by default."""
    return True


class Gate:
    """An ASGI application in front of another one."""

    def __init__(
        self, app: ASGIApp, hosts: Hosts, activity: Activity, authorise: Authorise = everyone
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._activity = activity
        self._authorise = authorise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":  # websockets and lifespans
            raise RuntimeError(f"{scope['type']} is not served")
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = _with_safe(message.get("headers", ()))
            await send(message)

        with self._activity.busy():
            try:
                await self._check(scope)
                scope[LIMIT] = BODY_BYTES
                scope["app"] = self
                await self._app(scope, _bounded(scope, receive), sending)
            except ClientDisconnect:
                pass  # nobody is there to be told
            except Exception as error:  # the border of the process
                problem = problem_of(error)
                if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                    log.exception("a request failed", method=scope["method"], path=scope["path"])
                if begun:
                    raise  # the connection ends, and the client sees that the answer is not whole
                response = problem.response()
                response.headers["connection"] = "close"  # nobody reads what is left of the body
                await response(scope, receive, sending)

    async def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if scope["path"] not in _PROBES and not self._hosts.knows(host):
            raise Problem(
                403,
                "PERMISSION_DENIED",
                f"the name {host[:200]!r} is none of this daemon's; start it with --allowed-host NAME",
            )
        if len(headers.getlist("host")) > 1:
            raise Problem(400, "BAD_REQUEST", "more than one Host")
        self._check_origin(headers, host)
        if not await self._authorise(scope):
            raise Problem(401, "UNAUTHENTICATED", "give a token that may do this")

    def _check_origin(self, headers: Mapping[str, str], host: str) -> None:
        origin = headers.get("origin")
        foreign = origin is not None and not self._hosts.trusts(origin, host)
        if foreign or headers.get("sec-fetch-site") in {"cross-site", "same-site"}:
            raise Problem(403, "PERMISSION_DENIED", "pages of other sites may not use this daemon")


def _bounded(scope: Scope, receive: Receive) -> Receive:
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > scope[LIMIT]:
            raise Problem(413, "REQUEST_TOO_LARGE", f"the body has more than {scope[LIMIT]} bytes")
        return message

    return receiving


def _with_safe(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    given = list(headers)
    names = {name.lower() for name, _ in given}
    return given + [(name, value) for name, value in _SAFE_HEADERS.items() if name not in names]
