"""Bytes between the network and a store, in chunks: never a whole file in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headrace_ingest.http.ranges import span
from headrace_storage.objects import FileStore, Reading

CHUNK: Final = 1 << 20
"""Bytes between two visits to a thread."""

SILENCE_SECONDS: Final = 60.0
"""For so long a client may send nothing of a body. Then what came is kept, and it may go on."""


async def parts_of(request: Request) -> AsyncIterator[list[bytes]]:
    """The body, in lists of parts of about a chunk. TimeoutError: the client is silent."""
    parts: list[bytes] = []
    size = 0
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                part = await anext(stream)
        except (StopAsyncIteration, ClientDisconnect, TimeoutError) as end:
            if parts:
                yield parts
            if isinstance(end, StopAsyncIteration):
                return
            raise
        parts.append(part)
        size += len(part)
        if size >= CHUNK:
            yield parts
            parts, size = [], 0


async def receive(request: Request, store: FileStore, id_: str, offset: int) -> int:
    """Appends the request's body to an upload; its size then. What arrives before a cut is kept."""
    appending = store.append(id_, offset)
    upload = await asyncio.to_thread(appending.__enter__)
    writing, syncing = _Later(), _Later()
    try:
        async for parts in parts_of(request):
            await writing.then(asyncio.to_thread(upload.write, parts))  # while the next ones arrive
            if syncing.done():
                await syncing.then(asyncio.to_thread(upload.sync))
    finally:
        try:
            await writing.end()
            await syncing.end()
        finally:
            await asyncio.shield(asyncio.to_thread(appending.__exit__, None, None, None))
    return upload.size


class _Later:
    """At most one thing that is being done while others go on."""

    def __init__(self) -> None:
        self._task: asyncio.Future[Any] | None = None

    def done(self) -> bool:
        return self._task is None or self._task.done()

    async def then(self, work: Awaitable[Any]) -> None:
        """Begins ``work`` once what was begun before is done; raises what that raised."""
        await self.end()
        self._task = asyncio.ensure_future(work)

    async def end(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await asyncio.shield(task)


class FileResponse(Response):
    """A file, or the part of it that was asked for, which is closed in the end."""

    def __init__(self, reading: Reading, content_type: str, name: str) -> None:
        self._reading = reading
        self._type = content_type
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it."""
        with self._reading:
            request, etag = Headers(scope=scope), f'"{self._reading.sha256}"'
            headers = {
                "Accept-Ranges": "bytes",
                "Content-Type": self._type,
                "Content-Disposition": "attachment; filename*=UTF-8''" + self._name,
                "ETag": etag,
                "Cache-Control": "private, no-cache",
            }
            if request.get("if-none-match") == etag:
                await _start(send, 304, headers)
                await send({"type": "http.response.body"})
                return
            # A part of another file than this one is not asked for, be it beyond this one's end.
            same = request.get("if-range") in {None, etag}
            wanted = span(request.get("range") if same else None, self._reading.size)
            first, end = wanted or (0, self._reading.size)
            if wanted:
                headers["Content-Range"] = f"bytes {first}-{end - 1}/{self._reading.size}"
            headers["Content-Length"] = str(end - first)
            body = chunks(self._reading, first, end)
            await stream(scope, receive, send, headers, body, status=206 if wanted else 200)


async def chunks(reading: Reading, first: int, end: int) -> AsyncIterator[bytes]:
    """The bytes of a file from ``first`` up to ``end``; OSError when it is shorter than it was."""
    while first < end:
        data = await asyncio.to_thread(reading.read, first, min(CHUNK, end - first))
        if not data:
            raise OSError("a stored file is shorter than it was")
        first += len(data)
        yield data


async def stream(
    scope: Scope, receive: Receive, send: Send, headers: dict[str, str], body: Any, *, status: int = 200
) -> None:
    """Sends an answer, until the client is gone; where its length is unknown, the last chunk says that it is
    whole.
    """
    await _start(send, status, headers)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        if scope["method"] != "HEAD":
            async for data in body:
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body"})
    finally:
        gone.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        await body.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
