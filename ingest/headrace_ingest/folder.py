"""The data folder: one daemon at a time, and where clients find it."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from headrace_ingest.config import StartError

LOCK: Final = "daemon.lock"
ADDRESS: Final = "daemon.json"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds ``folder``, which is made if need be, for this process.

    :class:`StartError` when another daemon has it. The lock ends with the process, however it ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StartError(f"the data folder {folder} cannot be used: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(descriptor, 20).decode().strip() or "unknown"
            raise StartError(f"the data folder {folder} is in use by the daemon with pid {pid}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        # A daemon that was killed leaves the address where nobody serves any more.
        (folder / ADDRESS).unlink(missing_ok=True)
        yield
    finally:
        os.close(descriptor)


def in_use(folder: Path) -> bool:
    """Whether a daemon holds ``folder`` now."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def announced(folder: Path, address: str, http: str) -> Iterator[None]:
    """Tells in ``daemon.json``, while this lasts, at which addresses the folder's daemon serves."""
    path = folder / ADDRESS
    new = path.with_name(f"{ADDRESS}.new")
    new.write_text(json.dumps({"address": address, "http": http, "pid": os.getpid()}) + "\n")
    new.replace(path)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
