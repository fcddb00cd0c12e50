"""The one door of the daemon's HTTP side: what passes it, how large a head may be, how answers leave."""

import asyncio
import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute, Route

from artifact_server import Served, served_artifacts
from headrace_ingest.activity import Activity
from headrace_ingest.http.app import application
from headrace_ingest.http.artifacts import ArtifactRoutes
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.mlflow import served
from headrace_ingest.http.mlflow.routes import API, Parts, mlflow_routes
from headrace_ingest.http.room import Room
from headrace_ingest.ports import reserve
from http_peer import ask
from ingest_daemon import DaemonProcess, serving
from mlflow_rest import Served as Daemon

NOTING = """
import os
import socket

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

made = HttpToolsProtocol.connection_made

def noting(self, transport):
    made(self, transport)
    accepted = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    with accepted, open(os.environ["NOTED"], "a") as noted:
        noted.write(f"{os.getpid()} {accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)}\\n")

HttpToolsProtocol.connection_made = noting
"""


def every_route() -> list[BaseRoute]:
    """All that a daemon serves, with nothing behind it: what reaches a route fails."""
    nothing: Any = None
    return ArtifactRoutes(nothing, 1).routes() + mlflow_routes(Parts._make([None] * len(Parts._fields)))


async def answered(app: Any, method: str, path: str, **headers: str) -> int:
    """The status that an application answers with."""
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    given = [(name.encode(), value.encode()) for name, value in {"host": "127.0.0.1", **headers}.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": ""}
    await app(scope | {"query_string": b"", "headers": given}, receive, send)
    status: int = told[0]["status"]
    return status


async def test_every_route_passes_the_door() -> None:
    """Whoever is not authorised, calls another name, or comes from another page, reaches none."""
    asked: list[str] = []

    async def nobody(scope: Any) -> bool:
        asked.append(scope["path"])
        return False

    async def ready() -> None:
        raise AssertionError

    denied = application(every_route(), ready, Hosts([]), Activity(), nobody)
    opened = application(every_route(), ready, Hosts([]), Activity())
    paths = [
        (method, re.sub(r"\{\w+(:path)?\}", "x", each.path))
        for each in every_route()
        if isinstance(each, Route)
        for method in each.methods or ()
    ]
    assert len(paths) > 150
    paths += [("GET", "/"), ("POST", "/nothing"), ("OPTIONS", "/health")]
    for method, path in [*paths, ("GET", "/healthz"), ("GET", "/readyz")]:
        assert await answered(denied, method, path) == 401, path
        assert asked.pop() == path
    for method, path in paths:
        for headers in (
            {"host": "evil.example"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://["},
            {"sec-fetch-site": "cross-site"},
        ):
            assert await answered(opened, method, path, **headers) == 403, (path, headers)


@pytest.mark.parametrize("head", [b"GET /" + b"x" * 1000, b"GET / HTTP/1.1\r\nx: " + b"x" * 1000])
async def test_the_head_of_a_request_is_bounded(tmp_path: Path, head: bytes) -> None:
    async with served_artifacts(tmp_path) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(head)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                writer.write(b"x" * 1000)
                await writer.drain()
                await asyncio.sleep(0)
            assert b" 400 " in await reader.readline()
            await reader.read()
        writer.close()
        await many_on_one_connection(served)


async def many_on_one_connection(served: Served) -> None:
    """What is no head is not counted as one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    request = b"PUT /none HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 90000\r\n\r\n" + bytes(90_000)
    get = b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"x" * 30_000 + b"\r\n\r\n"
    for _ in range(4):
        writer.write(get)
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(b'{"status":"alive"}'))
    writer.write(request)
    assert b" 404 " in await reader.readline()
    writer.close()


async def test_bodies_wait_for_room() -> None:
    room = Room(100)
    inside: list[str] = []

    async def one(name: str, size: int, leave: asyncio.Event) -> None:
        async with room.held(size):
            inside.append(name)
            await leave.wait()

    async def begun(name: str, size: int, leave: asyncio.Event) -> asyncio.Task[None]:
        task = asyncio.create_task(one(name, size, leave))
        for _ in range(5):
            await asyncio.sleep(0)
        return task

    first, second, third = (asyncio.Event() for _ in range(3))
    tasks = [await begun("a", 60, first), await begun("b", 300, second), await begun("c", 10, third)]
    tasks.append(await begun("small", 0, first))
    assert inside == ["a", "small"]  # nobody overtakes who waits
    given_up = await begun("d", 10, third)
    given_up.cancel()
    first.set()
    await asyncio.gather(tasks[0], tasks[3])
    for _ in range(5):
        await asyncio.sleep(0)
    assert inside == ["a", "small", "b"]
    second.set()
    third.set()
    await asyncio.gather(*tasks)
    assert inside == ["a", "small", "b", "c"]


async def test_requests_whose_bodies_do_not_come_leave_room_in_the_end(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "BODIES", 1 << 20)
    with reserve("127.0.0.1", 0) as reserved:
        daemon = Daemon(reserved.getsockname()[1])
        async with serving(tmp_path / "data", database_url, daemon.port):
            run = await daemon.run()
            _, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
            head = (
                f"POST {API}runs/log-batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
            )
            writer.write(head.encode() + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n")
            await writer.drain()
            fields = {"run_id": run, "tags": [{"key": "t", "value": "x" * 100_000}]}
            large = asyncio.create_task(daemon.send("runs/log-batch", fields))
            await daemon.post("runs/set-tag", run_id=run, key="small", value="1")
            assert not large.done()
            writer.close()
            assert (await large).status == 200


def test_answers_leave_at_once_with_any_number_of_workers(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCP_NODELAY on what each of two worker processes accepts, as a hook in them sees it."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(NOTING)
    noted = tmp_path / "noted"
    monkeypatch.setenv("NOTED", str(noted))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "hook"), prepend=os.pathsep)
    options = ("--database-url", database_url, "--workers", "2", "--http-port", "0")
    daemon = DaemonProcess(tmp_path / "data", *options)
    try:
        daemon.ready()
        http = json.loads((tmp_path / "data" / "daemon.json").read_text())["http"]
        port, seen = int(http.rpartition(":")[2]), set[str]()
        for _ in range(200):
            assert asyncio.run(ask(port, "GET", "/healthz")).status == 200
            lines = noted.read_text().splitlines()
            assert all(line.endswith(" 1") for line in lines), lines
            seen = {line.split()[0] for line in lines}
            if len(seen) == 2:
                break
        assert len(seen) == 2
    finally:
        daemon.close()
