"""A network in memory: streams with delays, cut at any moment, whose last words may arrive late."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc
import grpc.aio

from headrace.errors import UnavailableError
from headrace_proto.v1.ingest_pb2 import ClientMessage, ServerMessage

CAPACITY = 4
"""Messages on their way; a sender of more waits."""


class Pipe:
    """Messages in one direction, in their order."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._messages: deque[Any] = deque()
        self._changed = asyncio.Event()
        self.ended = False

    def end(self) -> None:
        """Nothing more comes; what is on its way still arrives."""
        self.ended = True
        self._changed.set()

    def drop(self) -> None:
        """Nothing more comes, and what is on its way is lost."""
        self._messages.clear()
        self.end()

    async def put(self, message: Any) -> None:
        while len(self._messages) >= CAPACITY and not self.ended:
            self._changed.clear()
            await self._changed.wait()
        self._messages.append(message)
        self._changed.set()

    async def get(self) -> Any:
        """The next message, after its time on the way; ``None`` at the end."""
        while not self._messages:
            if self.ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        if delay := self._chance.choice((0, 0, 0, 0.0005, 0.003)):
            await asyncio.sleep(delay)
        message = self._messages.popleft() if self._messages else None
        self._changed.set()
        return message


class Wire:
    """One stream, seen from both ends: the client's :class:`IngestStream` and the server's context."""

    def __init__(self, chance: random.Random, serve: Callable[["Wire"], Coroutine[Any, Any, None]]) -> None:
        self._chance = chance
        self._up, self._down = Pipe(chance), Pipe(chance)
        self._is_lost = False
        self.server = asyncio.create_task(serve(self))
        self.server.add_done_callback(lambda _: self._down.end())

    # The client's end.

    async def send(self, message: ClientMessage) -> None:
        if self._is_lost or self._down.ended:
            raise UnavailableError("the connection is lost")
        await self._up.put(message)
        await asyncio.sleep(0)

    async def messages(self) -> AsyncIterator[ServerMessage]:
        while (message := await self._down.get()) is not None and not self._is_lost:
            yield message
        raise UnavailableError("the daemon ended the stream, or the connection is lost")

    def cancel(self) -> None:
        """The client is gone. The daemon hears of it now or later, and what was sent may still arrive."""
        self.cut()

    # The server's end.

    async def read(self) -> Any:
        message = await self._up.get()
        return grpc.aio.EOF if message is None else message

    async def write(self, message: ServerMessage) -> None:
        await self._down.put(message)

    async def abort(self, code: grpc.StatusCode, details: str = "") -> None:
        self._down.end()
        raise grpc.aio.AbortError(code, details)

    # The network.

    def cut(self) -> None:
        """Breaks it for the client at once, for the daemon sooner or later."""
        if not self._is_lost:
            self._lose()
            delay = self._chance.choice((0, 0, 0.001, 0.02, 0.1))
            asyncio.get_running_loop().call_later(delay, self.server.cancel)

    def kill(self) -> None:
        """The daemon is gone: nothing that it would have sent arrives any more."""
        self._lose()
        self.server.cancel()

    def _lose(self) -> None:
        self._is_lost = True
        self._down.drop()
        self._up.end()
