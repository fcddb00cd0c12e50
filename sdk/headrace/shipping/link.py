"""Link: the connection to the daemon of one tracking URI, shared by the stream and the reads."""

import asyncio
from typing import TYPE_CHECKING, Any

from headrace.errors import UnavailableError
from headrace.shipping.address import resolve

if TYPE_CHECKING:
    from headrace.shipping.transport import Connection


class Link:
    """Connects at first use, and anew after a failure (a folder's daemon may come back elsewhere)."""

    def __init__(self, uri: str, *, brief: bool = False) -> None:
        """Made and used in the one loop.

        Args:
            uri: a normalized tracking URI.
            brief: hold a connection only while a read needs it.
        """
        self._brief = brief
        self.uri = uri
        self._calls = 0
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    async def connection(self, *, start: bool = True) -> "Connection":
        """The connection. :class:`UnavailableError` when there is no address to connect to.

        ``start``: whether to start a folder's daemon when none runs.
        """
        from headrace.shipping.transport import Connection  # noqa: PLC0415 - loads gRPC

        async with self._lock:
            if self._connection is None:
                self._connection = Connection(await resolve(self.uri, start=start))
            return self._connection

    async def failed(self, connection: "Connection") -> None:
        """It does not work: a folder's daemon is looked up again, a channel to a host mends itself."""
        if self._connection is connection and not self.uri.startswith("headrace://"):
            self._connection = None
            await connection.close()

    async def close(self) -> None:
        """Closes the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def http_address(self, timeout: float) -> str:
        """``HOST:PORT`` where the daemon speaks HTTP. :class:`UnavailableError`: it does not, or is away."""
        from headrace_proto.v1.tracking_pb2 import GetServerInfoRequest  # noqa: PLC0415 - loads protobuf

        host = (await self.connection()).address.rpartition(":")[0]
        info = await self.unary("GetServerInfo", GetServerInfoRequest(), timeout)
        if not info.http_port:
            raise UnavailableError(f"the daemon at {self.uri} serves no HTTP, which artifacts need")
        return f"{host}:{info.http_port}"

    async def unary(self, method: str, request: Any, timeout: float | None) -> Any:
        """Calls a method of the tracking service."""
        return await self._call("unary", method, request, timeout)

    async def collect(self, method: str, request: Any, timeout: float | None) -> list[Any]:
        """All messages of a streaming method of the tracking service."""
        result = await self._call("collect", method, request, timeout)
        assert isinstance(result, list)  # noqa: S101
        return result

    async def _call(self, how: str, method: str, request: Any, timeout: float | None) -> Any:
        self._calls += 1
        try:
            return await self._try(how, method, request, timeout)
        finally:
            self._calls -= 1
            if self._brief and not self._calls:
                await self.close()

    async def _try(self, how: str, method: str, request: Any, timeout: float | None) -> Any:
        connection = await self.connection()
        try:
            return await getattr(connection, how)(method, request, timeout)
        except UnavailableError as error:
            if self.uri.startswith("headrace://"):
                raise UnavailableError(f"no daemon answers at {self.uri}: {error}") from error
            # The folder's daemon was idle and left, or died: start it again, once.
            await self.failed(connection)
            return await getattr(await self.connection(), how)(method, request, timeout)
