"""From a tracking URI to a daemon's address; for a folder, starting the folder's daemon where none runs.

``headrace://HOST:PORT`` is a daemon. A local folder (a path, or ``file:///PATH``) belongs to at most one
daemon, which holds its lock and writes ``daemon.json`` when it is ready; whoever needs it first starts it.
It exits when it was idle for a while.
"""

import asyncio
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from headrace.errors import InvalidArgumentError, UnavailableError

SCHEME = "headrace"
DEFAULT_PORT = 7070
IDLE_SECONDS = 60
START_SECONDS = 60.0
POLL_SECONDS = 0.05


def normalize(uri: str) -> str:
    """A tracking URI in its one form: ``headrace://HOST:PORT`` or an absolute folder.

    :class:`InvalidArgumentError` for another scheme.
    """
    if "://" not in uri and not uri.startswith("file:"):
        if not uri.strip():
            raise InvalidArgumentError("tracking URI", "is empty; expected headrace://HOST:PORT or a folder")
        return str(Path(uri).expanduser().absolute())
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return str(Path(unquote(parts.path)).absolute())
    try:
        port = parts.port or DEFAULT_PORT
    except ValueError:
        port = 0
    if parts.scheme != SCHEME or not parts.hostname or not port:
        raise InvalidArgumentError(
            "tracking URI", f"is {uri!r}; expected headrace://HOST:PORT or a local folder"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{SCHEME}://{host}:{port}"


async def resolve(uri: str, *, start: bool = True) -> str:
    """The gRPC address behind a normalized URI; :class:`UnavailableError` if its daemon can't start.

    ``start``: whether it may be started.
    """
    if uri.startswith(f"{SCHEME}://"):
        return uri.removeprefix(f"{SCHEME}://")
    if address := _running(Path(uri)):
        return address
    if not start:
        raise UnavailableError(f"no daemon runs for {uri}")
    return await _start_local_daemon(Path(uri))


async def _start_local_daemon(folder: Path) -> str:
    if importlib.util.find_spec("headrace_ingest") is None:
        raise UnavailableError(
            f"no daemon runs for {folder}, and none is installed: pip install 'headrace[server]'"
        )
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "daemon.log"
    process = _start(folder, log)
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if address := _running(folder):
            return address
        # One that lost the race for the folder exits; the winner's daemon.json is about to appear.
        if process.poll() not in (None, 0) and not _locked(folder):
            break
        await asyncio.sleep(POLL_SECONDS)
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    raise UnavailableError(f"the daemon for {folder} did not start: {lines[-1]} (see {log})")


def _start(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "headrace_ingest", "--data", str(folder)]
    command += ["--grpc-port", "0", "--exit-idle", str(IDLE_SECONDS)]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )


def _running(folder: Path) -> str | None:
    """The address in ``daemon.json``, when the process that wrote it lives."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        entry = json.loads((folder / "daemon.json").read_text())
        os.kill(entry["pid"], 0)
        return str(entry["address"])
    return None


def _locked(folder: Path) -> bool:
    from headrace.journal.folder import try_lock  # noqa: PLC0415 - only here, and only on this path

    descriptor = try_lock(folder / "daemon.lock")
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is None
