"""The servers that points are sent to, for the time of a comparison."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine
from headrace_ingest import logs
from headrace_ingest.postgres import EmbeddedPostgres

UNTOLD = {"MLFLOW_DISABLE_TELEMETRY": "true"}
"""A benchmark reports to nobody."""

READY_WITHIN = 300.0
"""Seconds: MLflow begins with its migrations."""

WARM_WITHIN = 60.0

STOPPED_WITHIN = 60.0


class Server(NamedTuple):
    """One that answers."""

    address: str
    pid: int


@contextmanager
def mlflow_server(python: Path, folder: Path) -> Iterator[Server]:
    """MLflow's server on a PostgreSQL of its own."""
    with ExitStack() as stack:
        database = stack.enter_context(postgres(folder / "postgres"))
        port = free_port()
        command = [str(python), "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--backend-store-uri", database.replace("postgresql://", "postgresql+psycopg2://")]
        command += ["--artifacts-destination", str(folder / "artifacts")]  # all else as it is shipped
        with (folder / "mlflow.log").open("wb") as log:
            server = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=folder,
                env=os.environ | UNTOLD,
                start_new_session=True,
            )
        stack.callback(end_group, server)
        address = f"http://127.0.0.1:{port}"
        wait_for(f"{address}/health", server, folder / "mlflow.log")
        machine.rest(server.pid, WARM_WITHIN)  # it answers while its other workers still start
        yield Server(address, server.pid)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL in a process of its own; gives its URL."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "benchmarks.peers.servers", str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def end_group(server: "subprocess.Popen[bytes]") -> None:
    """Ends a server and its workers."""
    with suppress(ProcessLookupError):  # it ended by itself
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)


def wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Returns when ``url`` answers."""
    deadline = time.monotonic() + READY_WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own http address
                return
        except OSError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}") from None
            time.sleep(0.2)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def serve_postgres(folder: Path) -> None:
    """Serves until standard input ends."""
    logs.configure()  # to stderr
    server = EmbeddedPostgres(folder)
    await server.start()
    print(server.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(serve_postgres(Path(sys.argv[1])))
