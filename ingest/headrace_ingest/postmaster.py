"""What runs in the folder of a PostgreSQL server, and how to end what should not."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger("headrace")

_PATIENCE: Final = 5.0
"""Seconds for each way of ending a server."""

_POLL: Final = 0.005


def ready(data: Path, pid: int) -> bool:
    """Whether the server with ``pid`` takes connections."""
    lines = _lock_file(data)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def sockets_of_running(data: Path) -> Path | None:
    """The folder of the sockets of the server in ``data``, if one takes connections."""
    lines = _lock_file(data)
    return Path(lines[4]) if lines and ready(data, int(lines[0])) else None


async def stop_leftover(data: Path) -> Path:
    """Ends what an earlier server in ``data`` left running; returns the folder of its sockets.

    After a kill -9 of its owner a server is shutting down by itself, where the kernel told it to; after one
    of its own, so do the processes that served its connections.
    """
    lines = _lock_file(data)
    if not lines:
        return data
    pid, sockets = int(lines[0]), Path(lines[4]) if len(lines) > 4 else data
    if pid in _processes(data, pid):
        log.warning("stopping the postgresql that an earlier daemon left behind", pid=pid)
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        left = _processes(data, pid)
        for process in left if how == signal.SIGKILL else left & {pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, how)
        await _end_of(data, pid)
    if _alive(pid):
        # The number belongs to another program by now, which PostgreSQL would take for a server.
        for relic in (data / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
            relic.unlink(missing_ok=True)
    return sockets


async def _end_of(data: Path, pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    # Nothing tells of the end of processes that are no children.
    while _processes(data, pid) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_POLL)


def _lock_file(data: Path) -> list[str]:
    """Its lines: pid, folder, start, port, sockets, address, memory, status."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _processes(data: Path, pid: int) -> set[int]:
    """The server's processes in ``data``, which is their working folder; without /proc, only the first."""
    if not Path("/proc/self/cwd").exists():
        told = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
        return {pid} if str(data) in told.stdout.decode(errors="replace") else set()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cwd").readlink() == data and (process / "comm").read_text() == "postgres\n":
                found.add(int(process.name))
    return found


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
