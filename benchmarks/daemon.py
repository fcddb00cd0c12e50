"""A real daemon in a process of its own, for the time of a benchmark."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

READY_WITHIN = 60.0
STOPPED_WITHIN = 60.0


@contextmanager
def daemon(folder: Path, cores: set[int] | None = None, arguments: Sequence[str] = ()) -> Iterator[str]:
    """Starts a daemon on ``folder/data`` and any free port; gives its address, ``host:port``; stops it.

    ``cores``: those that it and its PostgreSQL may use; ``arguments``: more of the command line.
    """
    folder.mkdir(parents=True)
    data, log = folder / "data", folder / "daemon.log"
    command = [sys.executable, "-m", "headrace_ingest", "--data", str(data), "--grpc-port", "0", *arguments]
    if cores:
        command = ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield _address(process, data / "daemon.json", log)
        finally:
            process.terminate()
            status = process.wait(STOPPED_WITHIN)
    if status != 0:
        raise RuntimeError(f"the daemon exited with {status}:\n{log.read_text()}")


def daemon_pid(folder: Path) -> int:
    """The process id of the daemon of ``folder``."""
    return int(json.loads((folder / "data" / "daemon.json").read_text())["pid"])


def _address(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    deadline = time.monotonic() + READY_WITHIN
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the daemon did not start:\n{log.read_text()}")
        time.sleep(0.05)
    return str(json.loads(ready.read_text())["address"])
