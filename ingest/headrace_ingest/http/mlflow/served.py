"""What of MLflow's API is served: ``--artifacts-only``, ``--no-serve-artifacts``, and what does not work.

Whatever is not served answers, as MLflow's server does: 503 where another daemon may, 501 where none does.
"""

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headrace_ingest.http.mlflow.given import Given, announced
from headrace_ingest.http.mlflow.shapes import FILES, THEIR_SCHEME
from headrace_ingest.http.problems import Problem
from headrace_ingest.http.room import Room

BODIES: Final = 64 << 20
"""Bytes of requests' bodies that are in memory at a time, beside small ones; parsed they take several times
as much. Others wait."""

Method = Callable[[Given], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Serves(NamedTuple):
    """What a daemon was started to serve."""

    tracking: bool = True
    artifacts: bool = True
    files: str = THEIR_SCHEME
    """Where clients are told that artifacts are: if not served, a folder that they reach themselves."""


ALL: Final = Serves()


class Endpoints:
    """Makes endpoints of what the routes do."""

    def __init__(self, serves: Serves) -> None:
        self._serves = serves
        self._room = Room(BODIES)

    def of(self, method: Method) -> Endpoint:
        """One that takes proto3 JSON, or a query."""

        async def endpoint(request: Request) -> Response:
            async with self._room.held(announced(request)):
                return await method(await Given.of(request))

        return self.tracking(endpoint)

    def tracking(self, endpoint: Endpoint) -> Endpoint:
        """One that is no endpoint of a daemon with ``--artifacts-only``."""
        if not self._serves.tracking:
            return _refused("--artifacts-only")

        async def told(request: Request) -> Response:
            FILES.set(self._serves.files)  # for this request: each has a context of its own
            return await endpoint(request)

        return told

    def files(self, endpoint: Endpoint) -> Endpoint:
        """One that is no endpoint of a daemon with ``--no-serve-artifacts``."""
        return endpoint if self._serves.artifacts else _refused("--no-serve-artifacts")


def not_implemented(prefix: str, endpoints: Endpoints) -> list[BaseRoute]:
    """What clients fall back from, if they are told in these words. ``prefix``: that of MLflow's API."""
    files = prefix.removesuffix("/") + "-artifacts/"
    upload = endpoints.files(_unsupported("Multipart upload"))
    return [
        *(
            Route(files + f"mpu/{each}/{{path:path}}", upload, methods=["POST"])
            for each in ("create", "complete", "abort")
        ),
        Route(
            files + "presigned/{path:path}",
            endpoints.files(_unsupported("Multipart download")),
            methods=["GET"],
        ),
        *(
            Route(
                prefix + f"artifacts/presigned-{each}-url",
                endpoints.tracking(_unsupported(f"Presigned {each}")),
                methods=["POST"],
            )
            for each in ("upload", "download")
        ),
    ]


def _refused(option: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        message = f"{request.url.path[:200]} is not served: the daemon was started with {option}"
        raise Problem(503, "TEMPORARILY_UNAVAILABLE", message)

    return endpoint


def _unsupported(what: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        await request.body()  # or who still sends it hears of a cut connection, not of this
        message = f"{what} is not supported for the current artifact repository"
        raise Problem(501, "NOT_IMPLEMENTED", message)

    return endpoint
