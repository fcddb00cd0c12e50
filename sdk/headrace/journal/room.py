"""Room: where a journal's files get their space from, and what becomes of a call when there is none.

The disk is full, a quota is used up, or the journals have reached ``HEADRACE_JOURNAL_MAX``: first, files
whose cells are all committed go at once, those of other journals too, whatever ``HEADRACE_JOURNAL_KEEP``
says. Then ``HEADRACE_ON_FULL`` decides:

========= ==================================================================================
``block`` the call waits until there is room; nothing is lost
``drop``  the call returns an operation whose ``wait()`` raises ``DroppedError``; what was
          dropped is counted, and told to the run by a tag as soon as there is room
``raise`` the call raises ``JournalFullError``, and nothing of it is written
========= ==================================================================================
"""

import contextlib
import errno
import logging
import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, TypeVar

from headrace.errors import JournalFullError
from headrace.journal import layout
from headrace.journal.cells import CellFile
from headrace.operation import DROPPED, RunOperation
from headrace_proto.wire import CELL_SIZE

logger = logging.getLogger("headrace")

T = TypeVar("T")

OnFull = Literal["block", "drop", "raise"]

RETRY_SECONDS = 0.1
WARN_SECONDS = 60.0

DROPPED_TAG: Final = "headrace.dropped"
"""Its value is the number of points and changes that a writer dropped; the writer's id follows in the key."""

RESERVE: Final = 16 * 1024
"""Bytes kept for what must be said although the disk is full: the end of a run, what was dropped."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Dropped(Exception):  # noqa: N818 - a turn of the flow inside the package, never an error a user sees
    """There is no room, and the policy is to drop the call."""

    def __init__(self, error: JournalFullError) -> None:
        super().__init__(str(error))
        self.error = error


class Room:
    """The room of one journal."""

    def __init__(self, folder: Path, bound: float, on_full: OnFull = "block") -> None:
        """``bound``: the part of the file system that all journals beside ``folder`` may take."""
        self.on_full = on_full
        self._folder = folder
        self._bound = bound
        self._warned = -WARN_SECONDS
        self._full_until = 0.0  # calls that are dropped are many, and must not look for room each time
        self._dropped: dict[tuple[str, str], int] = {}
        self._told: dict[tuple[str, str], int] = {}

    def allocate(self, path: Path, first: int, size: int) -> CellFile:
        """A file of cells; an ``OSError`` that :func:`is_full` knows when there is no room."""
        if time.monotonic() < self._full_until:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        bound = self.bound_bytes()
        if bytes_used(self._folder.parent) + size > bound:
            raise OSError(errno.ENOSPC, f"the journals have reached HEADRACE_JOURNAL_MAX, {bound:,} bytes")
        return CellFile(path, first, size)

    def bound_bytes(self) -> int:
        """What all journals of the folder may take together."""
        disk = os.statvfs(_existing(self._folder))
        return int(self._bound * disk.f_frsize * disk.f_blocks)

    def until(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, once there is room for it; or what the policy says.

        Raises:
            Dropped: there is none; the caller hands out :meth:`drop`.
            JournalFullError: there is none.
        """
        while True:
            try:
                return work()
            except OSError as error:
                if not is_full(error):
                    raise
                if time.monotonic() >= self._full_until and free_committed(self._folder.parent):
                    continue
                self.refuse(error)
            # Signal handlers run in here, and Ctrl-C leaves from here.
            time.sleep(RETRY_SECONDS)

    def refuse(self, error: OSError) -> None:
        """Ends the call as the policy says, or warns that it waits."""
        full = JournalFullError(self._folder, self.bound_bytes(), error)
        if self.on_full == "raise":
            raise full from error
        what = "logging waits" if self.on_full == "block" else "points are dropped"
        self._warn(f"{what}: no room for the journal at {self._folder} ({error.strerror}); {REMEDY}")
        if self.on_full == "drop":
            now = time.monotonic()
            self._full_until = self._full_until if now < self._full_until else now + RETRY_SECONDS
            raise Dropped(full) from error

    def drop(self, run_id: str, attempt: str, count: int) -> RunOperation:
        """The operation of a call that is dropped, with ``count`` points or changes."""
        self._dropped[run_id, attempt] = self._dropped.get((run_id, attempt), 0) + count
        return RunOperation(_Nowhere(self._folder), 0, 0)

    def untold(self) -> list[tuple[str, str]]:
        """The runs (id, attempt) of which more was dropped than they were told."""
        return [run for run, count in self._dropped.items() if count != self._told.get(run, 0)]

    def notice(self, run: tuple[str, str]) -> tuple[bytes, Callable[[], None]]:
        """What tells a run of its losses: a serialised change, and a function to call once it is written."""
        from headrace_proto.v1.tracking_pb2 import RunChange, SetTag  # noqa: PLC0415 - rarely needed

        count = self._dropped[run]
        tag = SetTag(key=f"{DROPPED_TAG}.{self._folder.name[:12]}", value=str(count))

        def told() -> None:
            self._told[run] = count

        return RunChange(tag=tag).SerializeToString(), told

    def adopt(self, other: "Room") -> None:
        """Takes over what ``other`` dropped and cannot tell any more."""
        for run in other.untold():
            self._dropped[run] = self._dropped.get(run, 0) + other._dropped[run]  # noqa: SLF001 - its own class
            other._told[run] = other._dropped[run]  # noqa: SLF001

    def forget(self) -> None:
        """In a forked child: what was dropped so far is the parent's to tell."""
        self._told = dict(self._dropped)

    def _warn(self, message: str) -> None:
        if time.monotonic() - self._warned >= WARN_SECONDS:
            self._warned = time.monotonic()
            logger.warning("%s", message)


REMEDY: Final = (
    "free some space, raise HEADRACE_JOURNAL_MAX, or start a daemon that takes what is there "
    "(HEADRACE_ON_FULL says what happens meanwhile)"
)


class _Nowhere:
    """The fate (``operation.Fate``) of what was dropped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return f"{self._folder.name}, dropped"

    def committed(self) -> int:
        return 0

    def when_committed(self, _end: int, callback: Callable[[], object]) -> None:
        callback()

    def reject(self, _first: int, _end: int) -> tuple[str, str]:
        return DROPPED, f"there was no room for the journal at {self._folder}; {REMEDY}"


def is_full(error: OSError) -> bool:
    """Whether ``error`` says that there is no room."""
    return error.errno in _FULL


def bytes_used(root: Path) -> int:
    """What the cells of all journals in ``root`` take."""
    used = 0
    for path in _files_of_cells(root):
        with contextlib.suppress(FileNotFoundError):
            used += path.stat().st_size
    return used


def free_committed(root: Path) -> int:
    """Deletes the files of the journals in ``root`` whose cells are all committed; how many it were."""
    freed = 0
    for folder in _journals(root):
        committed = _committed(folder)
        for path in folder.glob(f"[0-9]*{layout.CELLS_SUFFIX}"):
            with contextlib.suppress(OSError, ValueError):
                if layout.first_of(path.name) + path.stat().st_size // CELL_SIZE <= committed:
                    path.unlink()
                    freed += 1
    return freed


def _committed(folder: Path) -> int:
    try:
        with (folder / layout.CONTROL).open("rb") as file:
            file.seek(layout.COMMITTED * 8)
            return int(struct.unpack("=Q", file.read(8))[0])
    except (OSError, struct.error):
        return 0


def _files_of_cells(root: Path) -> Iterator[Path]:
    for folder in _journals(root):
        with contextlib.suppress(OSError):
            for entry in os.scandir(folder):
                if entry.name.endswith(layout.CELLS_SUFFIX):
                    yield Path(entry.path)


def _journals(root: Path) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for entry in os.scandir(root):
            if entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
