"""The routes of artifacts, by run. What else has artifacts has the same routes (``artifacts.Artifacts``).

:func:`send_file` and :func:`take_file` are what routes of other names share.

=========================================== ==================================================================
``GET    runs/RUN/artifacts?path=&deep=``   what is in a folder, or all files below it
``GET    runs/RUN/artifacts/PATH``          a file, or a range of it; ``ETag`` is its SHA-256
``PUT    runs/RUN/artifacts/PATH``          a file in one body
``DELETE runs/RUN/artifacts[/PATH]``        a file, a folder, or all
``POST   runs/RUN/artifact-pack``           many small files in one body (``packs.py``)
``GET    runs/RUN/artifact-archive``        a folder as a tar archive, made on the way
``GET    runs/RUN/uploads/ID``              how much of an upload is there: ``Upload-Offset``
``PATCH  runs/RUN/uploads/ID``              its next bytes, from ``Upload-Offset`` on
``POST   runs/RUN/uploads/ID``              makes a whole upload the file ``path`` with ``size``, ``sha256``
=========================================== ==================================================================
"""

import asyncio
import base64
import binascii
import uuid
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from headrace_ingest.artifacts import Artifacts, checked, type_of
from headrace_ingest.http.archive import archive
from headrace_ingest.http.gate import LIMIT
from headrace_ingest.http.packs import MAX_BYTES, unpacked
from headrace_ingest.http.problems import Problem
from headrace_ingest.http.transfer import FileResponse, parts_of, receive, stream
from headrace_proto.paths import path_problem
from headrace_storage.errors import InvalidArgumentError, NotFoundError, UploadOffsetError
from headrace_storage.objects import Listed, Place

PREFIX: Final = "/api/headrace/v1"

OFFSET: Final = "Upload-Offset"

_PACKS: Final = 8
"""Packs that are in memory at a time."""


class ArtifactRoutes:
    """See the module."""

    def __init__(self, artifacts: Artifacts, largest: int) -> None:
        """``largest``: bytes that a file may have."""
        self._artifacts = artifacts
        self._largest = largest
        self._packs = asyncio.Semaphore(_PACKS)

    def routes(self) -> list[BaseRoute]:
        """What ``app.application`` serves."""
        run = PREFIX + "/{kind}/{owner}"
        return [
            Route(f"{run}/artifacts", self.listing, methods=["GET"]),
            Route(f"{run}/artifacts", self.remove, methods=["DELETE"]),
            Route(run + "/artifacts/{path:path}", self.download, methods=["GET"]),
            Route(run + "/artifacts/{path:path}", self.upload, methods=["PUT"]),
            Route(run + "/artifacts/{path:path}", self.remove, methods=["DELETE"]),
            Route(f"{run}/artifact-pack", self.take_pack, methods=["POST"]),
            Route(f"{run}/artifact-archive", self.download_archive, methods=["GET"]),
            Route(run + "/uploads/{upload}", self.offset, methods=["GET"]),
            Route(run + "/uploads/{upload}", self.append, methods=["PATCH"]),
            Route(run + "/uploads/{upload}", self.finish, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """The files of a run, by name."""
        place, deep = await self._place(request), request.query_params.get("deep") == "1"
        found = await place.store.list(place.at(_folder(request)), deep=deep)
        files = [entry for entry in map(_told(place), found) if not path_problem(entry["path"])]
        return JSONResponse({"files": files})

    async def download(self, request: Request) -> Response:
        """A file."""
        path = checked(request.path_params["path"])
        return await send_file(await self._place(request), path)

    async def upload(self, request: Request) -> Response:
        """Stores a file that comes in one body."""
        path = checked(request.path_params["path"])
        request.scope[LIMIT] = self._largest
        return await take_file(request, await self._place(request), path)

    async def remove(self, request: Request) -> Response:
        """Deletes; whether there was anything."""
        path = request.path_params.get("path", "")
        place = await self._place(request)
        there = await place.store.delete(place.at(checked(path) if path else ""))
        return JSONResponse({"deleted": there})

    async def take_pack(self, request: Request) -> Response:
        """Stores many small files; each is whole or not there."""
        request.scope[LIMIT] = MAX_BYTES
        place = await self._place(request)
        async with self._packs:
            body = b"".join([part async for parts in parts_of(request) for part in parts])
            files = [
                file._replace(
                    path=place.at(checked(file.path)), content_type=type_of(file.path, file.content_type)
                )
                for file in unpacked(body)
            ]
            await place.store.put(files)
        return JSONResponse({"files": len(files)})

    async def download_archive(self, request: Request) -> Response:
        """A folder as a tar archive; ``after`` and ``below`` leave out what the client has, or gets alone."""
        place = await self._place(request)
        found = await place.store.list(place.at(_folder(request)), deep=True)
        after, below = request.query_params.get("after", ""), _number(request, "below")
        if after:
            names = [place.below(file.path) for file in found]
            found = found[names.index(after) + 1 :] if after in names else found
        fit = [
            file
            for file in found
            if (below is None or file.size < below) and not path_problem(place.below(file.path))
        ]
        return _Archive(place, fit, f"{request.path_params['owner'][:64]}.tar")

    async def offset(self, request: Request) -> Response:
        """How much of an upload is there."""
        place = await self._place(request)
        size = await place.store.uploaded(request.path_params["upload"])
        return Response(status_code=204, headers={OFFSET: str(size)})

    async def append(self, request: Request) -> Response:
        """The next bytes of an upload. What arrives before a cut stays."""
        place = await self._place(request)
        try:
            offset = int(request.headers.get(OFFSET, ""))
        except ValueError:
            raise InvalidArgumentError(OFFSET, "is no number") from None
        request.scope[LIMIT] = max(0, self._largest - offset)
        size = await receive(request, place.store, request.path_params["upload"], offset)
        return Response(status_code=204, headers={OFFSET: str(size)})

    async def finish(self, request: Request) -> Response:
        """Makes an upload a file. Once more for the same is answered as the first time."""
        place, body = await self._place(request), await _json(request)
        path, sha256, size = checked(str(body.get("path"))), str(body.get("sha256")), body.get("size")
        if type(size) is not int:
            raise InvalidArgumentError("size", "is no number")
        content_type = type_of(path, str(body.get("type", "")))
        at = place.at(path)
        try:
            await place.store.finish(request.path_params["upload"], at, sha256, size, content_type)
        except UploadOffsetError:
            if not await _is_there(place, path, sha256):
                raise
        return JSONResponse({"path": path, "sha256": sha256})

    async def _place(self, request: Request) -> Place:
        return await self._artifacts.place(request.path_params["kind"], request.path_params["owner"])


def not_served() -> list[BaseRoute]:
    """What a daemon serves instead that was told not to serve artifacts."""
    return [Route(PREFIX + "/{path:path}", _not_served, methods=["GET", "PUT", "DELETE", "POST", "PATCH"])]


async def _not_served(_: Request) -> Response:
    # Nothing that clients would send again: this daemon will not serve it later either.
    message = "artifacts are not served: the daemon was started with --no-serve-artifacts"
    raise Problem(403, "PERMISSION_DENIED", message)


async def send_file(place: Place, path: str) -> Response:
    """A file, with ranges."""
    reading = await place.store.open(place.at(path))
    name = quote(path.rpartition("/")[2], safe="")
    return FileResponse(reading, type_of(path, reading.content_type), name)


async def take_file(request: Request, place: Place, path: str) -> Response:
    """Stores the body as a file; ``Repr-Digest`` is checked where it tells a SHA-256."""
    upload = uuid.uuid4().hex
    try:
        size = await receive(request, place.store, upload, 0)
        await place.store.finish(
            upload,
            place.at(path),
            _digest(request),
            size,
            type_of(path, request.headers.get("content-type", "")),
        )
    except BaseException:
        await place.store.discard(upload)
        raise
    return JSONResponse({"path": path, "size": size})


class _Archive(Response):
    def __init__(self, place: Place, files: list[Listed], name: str) -> None:
        self._place = place
        self._files = files
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {
            "Content-Type": "application/x-tar",
            "Content-Disposition": f'attachment; filename="{quote(self._name)}"',
        }
        await stream(scope, receive, send, headers, archive(self._place, self._files))


def _folder(request: Request) -> str:
    path = request.query_params.get("path", "")
    return checked(path) if path else ""


def _told(place: Place) -> Any:
    def told(entry: Listed) -> dict[str, Any]:
        size = None if entry.is_folder else entry.size
        return {"path": place.below(entry.path), "is_dir": entry.is_folder, "file_size": size}

    return told


async def _is_there(place: Place, path: str, sha256: str) -> bool:
    try:
        with await place.store.open(place.at(path)) as reading:
            return reading.sha256 == sha256
    except NotFoundError:
        return False


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidArgumentError("body", "is no JSON object")
    return body


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:
        raise InvalidArgumentError(name, "is no number")
    return int(text)


def _digest(request: Request) -> str:
    """The SHA-256 of RFC 9530's ``Repr-Digest``, as hex digits; "" when none was told."""
    for item in request.headers.get("repr-digest", "").split(","):
        name, _, value = item.strip().partition("=")
        if name == "sha-256":
            try:
                return base64.b64decode(value.strip(":"), validate=True).hex()
            except binascii.Error:
                raise InvalidArgumentError("Repr-Digest", "is none") from None
    return ""
