"""All routes of the daemon, behind the one gate."""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp

from headrace_ingest.activity import Activity
from headrace_ingest.http.gate import Authorise, Gate, everyone
from headrace_ingest.http.hosts import Hosts
from headrace_storage.errors import StorageError

Ready = Callable[[], Awaitable[object]]
"""Raises a StorageError while the daemon cannot work."""


def application(
    routes: Sequence[BaseRoute],
    ready: Ready,
    hosts: Hosts,
    activity: Activity,
    authorise: Authorise = everyone,
) -> ASGIApp:
    """What the HTTP server serves: ``routes``, and what tells schedulers how the daemon is."""
    router = Router([*_probes(ready), *routes], redirect_slashes=False)
    return Gate(router, hosts, activity, authorise)


def _probes(ready: Ready) -> list[Route]:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_: Request) -> Response:
        try:
            await ready()
        except StorageError as error:
            return JSONResponse({"status": "not ready", "reason": str(error)}, 503)
        return JSONResponse({"status": "ready"})

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
