"""The daemon's HTTP side alone, in a thread with a loop of its own, and a proxy that cuts connections."""

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace_ingest.activity import Activity
from headrace_ingest.artifacts import Artifacts
from headrace_ingest.http.app import application
from headrace_ingest.http.artifacts import ArtifactRoutes
from headrace_ingest.http.hosts import Hosts
from headrace_ingest.http.server import HttpServer
from headrace_ingest.ports import reserve
from headrace_storage.errors import NotFoundError
from headrace_storage.objects import Locations

RUN = "0123456789abcdef0123456789abcdef"


class OneRun:
    """A catalog with one run, in the experiment 0."""

    async def artifact_uri(self, run_id: str) -> str:
        if run_id == RUN:
            return f"headrace-artifacts:/0/{RUN}/artifacts"
        raise NotFoundError("run", run_id)

    async def reachable(self) -> None:
        pass


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
