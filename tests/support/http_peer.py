"""A client that says over HTTP whatever it is told to, as it is told to."""

import asyncio
import json
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    port: int, method: str, target: str | bytes, body: bytes = b"", **headers: str | None
) -> Answer:
    """The answer to a request on a connection of its own. A header ``x_y`` is ``x-y``; ``None``: not sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    given = {"host": f"127.0.0.1:{port}", "connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    if body:
        given.setdefault("content-length", str(len(body)))
    lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
    raw = target.encode() if isinstance(target, str) else target
    try:
        writer.write(method.encode() + b" " + raw + b" HTTP/1.1\r\n" + "\r\n".join([*lines, "", ""]).encode())
        writer.write(body)
        await writer.drain()
        received = await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()
    return parsed(received)


def parsed(received: bytes) -> Answer:
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    found = {}
    for line in lines:
        name, _, value = line.partition(":")
        found[name.lower()] = value.strip()
    if found.get("transfer-encoding") == "chunked":
        rest = unchunked(rest)
    return Answer(int(first.split()[1]), found, rest)


def unchunked(data: bytes) -> bytes:
    """The body; ValueError when its end is missing."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        count = int(size, 16)
        if not count:
            return body
        body, data = body + data[:count], data[count + 2 :]
