"""A proxy before PostgreSQL that loses answers: the statement ran, the client never learns of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit, urlunsplit


class LossyProxy:
    """Forwards connections and counts requests. :meth:`lose_answer_to` cuts one after the server answered."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._needle = b""
        self.lost = 0
        self.requests = 0

    @property
    def url(self) -> str:
        """The server's URL, through the proxy."""
        port = self._listener.sockets[0].getsockname()[1]
        parts = urlsplit(self._server)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(("postgresql", f"{user}@127.0.0.1:{port}", parts.path, "", ""))

    def lose_answer_to(self, needle: bytes) -> None:
        """Cut the connection that next sends ``needle`` in place of passing the answer on."""
        self._needle = needle

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        self._listener.close()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await self._connect()
        losing = asyncio.Event()

        async def forward_requests() -> None:
            while data := await client.read(65536):
                if self._needle and self._needle in data:
                    self._needle = b""
                    losing.set()
                self.requests += 1
                to_server.write(data)
                await to_server.drain()

        async def forward_answers() -> None:
            while data := await server.read(65536):
                if losing.is_set():
                    self.lost += 1
                    return
                to_client.write(data)
                await to_client.drain()

        tasks = [asyncio.create_task(forward_requests()), asyncio.create_task(forward_answers())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        to_client.close()
        to_server.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self._server)
        query = parse_qs(parts.query)
        host = query["host"][0] if "host" in query else parts.hostname or "127.0.0.1"
        port = int(query["port"][0]) if "port" in query else parts.port or 5432
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)


@contextlib.asynccontextmanager
async def lossy_proxy(server: str) -> AsyncIterator[LossyProxy]:
    """A running proxy before ``server``, a PostgreSQL URL."""
    proxy = LossyProxy(server)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
