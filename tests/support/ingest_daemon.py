"""Daemons: one inside the test's loop, and real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cluster
from headrace_ingest import app
from headrace_ingest.config import Config
from headrace_ingest.ports import reserve, target

PATIENCE = 60.0
"""Seconds after which something that must happen counts as not happening."""


@asynccontextmanager
async def serving(data: Path, database_url: str, http_port: int = 0, **options: Any) -> AsyncIterator[str]:
    """A daemon in this loop; its address. It has drained when the block is left.

    ``http_port``: one that is reserved; 0: it serves no HTTP. ``options``: of its ``Config``.
    """
    config = Config(data, grpc_port=0, http_port=http_port, database_url=database_url, **options)
    await app.prepare_catalog(config, database_url)
    stop, ready = asyncio.Event(), asyncio.Event()
    with reserve(config.host, 0) as reserved:
        address = target(*reserved.getsockname())
        running = asyncio.create_task(app.serve(config, database_url, address, stop, ready.set))
        starting = asyncio.create_task(ready.wait())
        await asyncio.wait({running, starting}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if not ready.is_set():
                await running
            yield address
        finally:
            stop.set()
            starting.cancel()
            await running


class DaemonProcess:
    """``python -m headrace_ingest`` with a data folder of its own; when ``bare``, one that it has to make."""

    def __init__(self, data: Path, *options: str, bare: bool = False) -> None:
        self.data = data
        if not bare and "--database-url" not in options:
            cluster.provide(data)
        command = [sys.executable, "-m", "headrace_ingest", "--data", str(data), "--grpc-port", "0", *options]
        self._output = data.with_name(f"{data.name}.out").open("w+b")
        self.process = subprocess.Popen(command, stdout=self._output, stderr=self._output)

    @property
    def output(self) -> str:
        return Path(self._output.name).read_text()

    def ready(self) -> str:
        """Waits until it serves; its address."""
        eventually(lambda: "headrace serves on" in self.output or self.process.poll() is not None)
        assert self.process.poll() is None, self.output
        address: str = json.loads((self.data / "daemon.json").read_text())["address"]
        return address

    def ended(self) -> int:
        """Waits for the end; the exit code."""
        return self.process.wait(PATIENCE)

    def terminate(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.ended()

    def close(self) -> None:
        """Ends it whatever it does, with what it started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()


def eventually(condition: Callable[[], bool]) -> None:
    """Waits until ``condition`` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs (one that only waits for its parent does not)."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
