"""The daemon's HTTP side alone, in a thread with a loop of its own, and a proxy that cuts connections."""

import asyncio
import contextlib
import hashlib
import json
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from headrace_ingest.activity import Activity
from headrace_ingest.artifacts import Artifacts
from headrace_ingest.http.app import application
from headrace_ingest.http.artifacts import ArtifactRoutes
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.mlflow.routes import ARTIFACTS, files_routes
from headrace_ingest.http.server import HttpServer
from headrace_ingest.ports import reserve
from headrace_storage.errors import CatalogUnavailableError, NotFoundError
from headrace_storage.objects import Locations
from http_peer import Answer, ask

RUN = "0123456789abcdef0123456789abcdef"


class OneRun:
    """A catalog with one run, in the experiment 0."""

    up = True

    async def artifact_uri(self, run_id: str) -> str:
        if run_id == RUN:
            return f"headrace-artifacts:/0/{RUN}/artifacts"
        raise NotFoundError("run", run_id)

    async def reachable(self) -> None:
        if not self.up:
            raise CatalogUnavailableError("it is away")


@contextlib.contextmanager
def serving_artifacts(root: Path) -> Iterator[str]:
    """Serves the artifacts of :data:`RUN`, which are in ``stored(root)``; its address."""
    runs: Any = OneRun()
    routes = ArtifactRoutes(Artifacts(Locations(root), {"runs": runs.artifact_uri}), 1 << 40).routes()
    app = application(routes, runs.reachable, Hosts([]), Activity())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        server = HttpServer(app, "127.0.0.1", port, 1)
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(30)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def stored(root: Path) -> Path:
    """Where the artifacts of :data:`RUN` are."""
    return root / "0" / RUN / "artifacts"


class CuttingProxy:
    """Passes connections on, and cuts the next ``cuts`` of them after random numbers of bytes."""

    def __init__(self, target: str, cuts: int, most: int, seed: int) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._random = random.Random(seed)
        self._most = most
        self.left = cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            budget = [1 << 62]
            if self.left:
                self.left -= 1
                budget = [self._random.randint(0, self._most)]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target, budget), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket, budget: list[int]) -> None:
        with contextlib.suppress(OSError):
            while budget[0] > 0 and (data := source.recv(65536)):
                target.sendall(data[: budget[0]])
                budget[0] -= len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Served(NamedTuple):
    """A server in the test's loop."""

    port: int
    root: Path
    runs: OneRun

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Answer:
        return await ask(self.port, method, f"/api/headrace/v1/runs/{RUN}/{path}", body, **headers)

    async def ask_as_mlflow(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Of the run's files, as MLflow's clients ask."""
        return await ask(self.port, method, f"{ARTIFACTS}/0/{RUN}/artifacts/{path}", body)

    def files(self) -> list[str]:
        """Everything that is in the store, but for its folder of uploads."""
        found = (path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file())
        return sorted(path for path in found if not path.startswith(".uploads/"))

    def uploads(self) -> list[str]:
        """What is on its way, or was left."""
        return [path.name for path in (self.root / ".uploads").iterdir()]


@contextlib.asynccontextmanager
async def served_artifacts(root: Path) -> AsyncIterator[Served]:
    """Serves files of up to 1 MiB, also as ``daemon.example``."""
    runs: Any = OneRun()
    artifacts = Artifacts(Locations(root), {"runs": runs.artifact_uri})
    routes = ArtifactRoutes(artifacts, 1 << 20).routes() + files_routes(artifacts, 1 << 20)
    app = application(routes, runs.reachable, Hosts(["daemon.example"]), Activity())
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        server = HttpServer(app, "127.0.0.1", port, 1)
        await server.start()
        yield Served(port, root, runs)
        await server.stop()


def pack(**files: bytes) -> bytes:
    """A body of small files."""
    body = b""
    for path, data in files.items():
        head = json.dumps(
            {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        ).encode()
        body += struct.pack("<I", len(head)) + head + data
    return body
