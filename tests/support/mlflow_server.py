"""A stock MLflow server, as a process."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace_ingest.ports import reserve
from ingest_daemon import DaemonProcess

START_SECONDS = 180.0
"""It loads a lot."""


def free_port() -> int:
    """A port that nobody has now."""
    with reserve("127.0.0.1", 0) as reserved:
        port: int = reserved.getsockname()[1]
        return port


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """One on SQLite in ``folder``; its address."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command += [f"--backend-store-uri=sqlite:///{folder / 'mlflow.db'}", f"--artifacts-destination={folder}"]
    with (folder / "mlflow.out").open("wb") as output:
        # With what it starts itself, which outlives it.
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
        )
    try:
        uri = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_SECONDS
        while not _answers(uri) and process.poll() is None:
            assert time.monotonic() < deadline, "MLflow's server does not start"
            time.sleep(0.2)
        assert process.poll() is None, (folder / "mlflow.out").read_text()
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def headrace_over_http(data: Path) -> Iterator[str]:
    """A daemon; its HTTP address."""
    port = free_port()
    daemon = DaemonProcess(data, "--http-port", str(port))
    try:
        daemon.ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        daemon.close()


def _answers(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
