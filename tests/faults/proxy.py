"""A TCP proxy that does to connections what networks do: cut, delay, swallow, starve, lose the answers.

Proxies live in one thread with an event loop of its own (plain asyncio streams); their methods are for any
other thread. A connection that was black-holed stays so for ever, as behind a firewall that forgot it; a
new one passes.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

_CHUNK: Final = 1 << 16
_STARVED: Final = 64
"""Bytes at a time for a slow reader."""


class Loop:
    """A thread that runs an event loop until :meth:`stop`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="proxies", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Runs it in the loop, and waits for that."""

        async def run() -> None:
            function()

        asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def stop(self) -> None:
        """Ends what runs in it, and the thread."""

        async def cancel() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


class Connection:
    """One connection through a proxy."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.label = b""
        """What the client sent first: PostgreSQL's clients say their name in it."""
        self.open = asyncio.Event()
        self.open.set()
        self.loses_answers = False
        self.left: int | None = None
        """After so many bytes more it is cut."""

    def heal(self) -> None:
        """Everything passes, unless an answer is lost already."""
        self.open.set()
        self.left = None

    def cut(self) -> None:
        """Resets both sides."""
        self.client.transport.abort()
        self.server.transport.abort()

    def detach(self) -> None:
        """Resets the client's side; the server's stays, with what it was sent."""
        self.open.clear()
        self.client.transport.abort()


class Proxy:
    """Listens on ``port`` of 127.0.0.1. ``target``: a port, or the path of a socket; may be changed."""

    def __init__(self, loop: Loop, target: int | str) -> None:
        self._loop = loop
        self.target = target
        self.connections: set[Connection] = set()
        self._forgotten: set[Connection] = set()  # the loop alone would let them be collected, and closed
        self.delay = 0.0
        self.slow_answers = False
        self.lose_answer_to = b""
        """Of a connection with this label, the answer to the next request is lost, and the connection."""
        self.cut_during = b""
        """A connection with this label is cut as soon as its next request has passed."""
        self.hits = 0
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), loop.loop).result(10)

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    # Faults, from any thread.

    def cut(self) -> None:
        """Cuts all connections."""
        self._each(Connection.cut)

    def cut_after(self, size: int) -> None:
        """Cuts each connection when ``size`` bytes more have passed, in the middle of whatever that is."""
        self._each(lambda connection: setattr(connection, "left", size))

    def hold(self) -> None:
        """Nothing passes on these connections until :meth:`heal`; never, when :meth:`forget` comes first."""
        self._each(lambda connection: connection.open.clear())

    def lose_answers(self) -> None:
        """What the server answers on these connections is lost from now on."""
        self._each(lambda connection: setattr(connection, "loses_answers", True))

    def detach(self) -> list[Connection]:
        """Resets the clients' sides only; the connections, whose other sides are to be cut later."""
        left = list(self.connections)
        self._each(Connection.detach)
        return left

    def forget(self) -> None:
        """What is held now stays held, whoever heals: only new connections pass."""

        def move() -> None:
            self._forgotten |= self.connections
            self.connections.clear()

        self._loop.call(move)

    def heal(self) -> None:
        """Everything passes again."""
        self.delay, self.slow_answers, self.lose_answer_to, self.cut_during = 0.0, False, b"", b""
        self._each(Connection.heal)

    def _each(self, action: Callable[[Connection], object]) -> None:
        def act() -> None:
            for connection in list(self.connections):
                action(connection)

        self._loop.call(act)

    # The loop's side.

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            if isinstance(self.target, str):
                from_server, server = await asyncio.open_unix_connection(self.target)
            else:
                from_server, server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            client.transport.abort()
            return
        connection = Connection(client, server)
        self.connections.add(connection)
        pumps = [
            asyncio.create_task(self._requests(connection, reader)),
            asyncio.create_task(self._answers(connection, from_server)),
        ]
        try:
            with contextlib.suppress(asyncio.CancelledError):  # the campaign ends
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            connection.cut()
            self.connections.discard(connection)
            self._forgotten.discard(connection)

    async def _requests(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK):
            if len(connection.label) < 300:
                connection.label += data
            if len(data) > 300 and self.lose_answer_to and self.lose_answer_to in connection.label:
                self.lose_answer_to = b""
                self.hits += 1
                connection.loses_answers = True
            await self._pass(connection, connection.server, data)
            if len(data) > 300 and self.cut_during and self.cut_during in connection.label:
                self.cut_during = b""
                self.hits += 1
                await asyncio.sleep(0.0005)  # the server begins
                return

    async def _answers(self, connection: Connection, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_STARVED if self.slow_answers else _CHUNK):
            if self.slow_answers:
                await asyncio.sleep(0.05)
            if not connection.loses_answers:
                await self._pass(connection, connection.client, data)
            elif connection.label.find(b"application_name") >= 0:
                return  # PostgreSQL's client waits for this one answer

    async def _pass(self, connection: Connection, to: asyncio.StreamWriter, data: bytes) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        await connection.open.wait()
        if connection.left is not None:
            data, connection.left = data[: connection.left], connection.left - len(data)
        with contextlib.suppress(ConnectionError):
            to.write(data)
            await to.drain()
        if connection.left is not None and connection.left <= 0:
            connection.cut()
