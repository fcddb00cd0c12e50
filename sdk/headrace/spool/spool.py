"""Spool: the files that this process logged and that are not uploaded yet.

A call returns when its bytes are in the spool's folder: from then on they survive the process, as a journal's
cells do. Numbers are given in the order in which calls return, and uploads happen in that order.
"""

import contextlib
import itertools
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from headrace.errors import DroppedError, SpoolFullError
from headrace.journal import layout
from headrace.journal.outbox import Outbox
from headrace.journal.room import OnFull, is_full
from headrace.operation import DROPPED, RunOperation
from headrace.spool import entry as entries
from headrace.spool.entry import DATA, ENTRY, Entry

logger = logging.getLogger("headrace")

PREFIX: Final = "spool-"
"""What the names of spools begin with, beside journals."""

RETRY_SECONDS: Final = 0.2

LARGE: Final = 1 << 20
CHECK_SECONDS: Final = 1.0
"""How often the bound is checked; for a large file always."""


class Limits(NamedTuple):
    """``bound``: the part of the file system that all spools may take; ``on_full``: what calls do past it."""

    bound: float
    on_full: OnFull


class Spool(Outbox):
    """A spool that this process adds to."""

    def __init__(self, root: Path, header: Mapping[str, Any], limits: Limits) -> None:
        """Creates a spool in ``root``, the folder of journals. ``OSError`` when there is no room for it."""
        super().__init__(root / f"{PREFIX}{uuid.uuid4().hex}")
        self.sent = 0
        """Bytes of the entry that is being uploaded which are on their way, for whoever shows progress."""
        self._limits = limits
        self._numbers = itertools.count()
        self._lock = threading.RLock()
        self._depth = 0
        self._checked = -CHECK_SECONDS
        self._create({"format": entries.FORMAT, **header})

    def add(self, entry: Callable[[int], Entry], write: Callable[[Path], int]) -> RunOperation:
        """Secures what ``write`` writes into a file, whose size it returns and ``entry`` is told.

        Raises:
            SpoolFullError: there is no room, and waiting for it would be in vain or is not wanted.
        """
        draft = self.folder / f".{uuid.uuid4().hex}"
        head = draft.with_suffix(ENTRY)

        def both(target: Path) -> int:
            size = write(target)
            entries.write(head, entry(size))
            return size

        try:
            try:
                self._with_room(draft, both)
            except DroppedError as dropped:
                return RunOperation(_Dropped(self.folder, dropped.message), 0, 0)
            with self._publishing() as number:
                draft.rename(self.folder / entries.name_of(number, DATA))
                head.rename(self.folder / entries.name_of(number, ENTRY))
        except BaseException:
            draft.unlink(missing_ok=True)
            head.unlink(missing_ok=True)
            raise
        self.wake()
        return RunOperation(self, number, number + 1)

    @contextlib.contextmanager
    def _publishing(self) -> Iterator[int]:
        # A signal handler may come in between: the tail passes both entries when both are there.
        with self._lock:
            number = next(self._numbers)
            self._depth += 1
            try:
                yield number
            finally:
                self._depth -= 1
                if not self._depth:
                    self.control[layout.TAIL] = max(self.control[layout.TAIL], self._largest() + 1)

    def _largest(self) -> int:
        following = next(self._numbers)
        self._numbers = itertools.count(following)
        return following - 1

    def _with_room(self, draft: Path, write: Callable[[Path], int]) -> None:
        warned = False
        while True:
            try:
                self._check_bound(write(draft))
            except OSError as error:
                draft.unlink(missing_ok=True)
                draft.with_suffix(ENTRY).unlink(missing_ok=True)
                if not is_full(error):
                    raise
                full = SpoolFullError(self.folder, error)
                if self._limits.on_full == "drop":
                    raise DroppedError(str(full)) from error
                # Nothing would make room: what is there, the caller has to know.
                if self._limits.on_full == "raise" or not self.pending():
                    raise full from error
            else:
                return
            if not warned:
                warned = True
                logger.warning("logging an artifact waits for uploads that make room: %s", full)
            time.sleep(RETRY_SECONDS)

    def _check_bound(self, size: int) -> None:
        now = time.monotonic()
        if size < LARGE and now < self._checked + CHECK_SECONDS:
            return
        self._checked = now
        disk = os.statvfs(self.folder)
        bound = int(self._limits.bound * disk.f_frsize * disk.f_blocks)
        if bytes_used(self.folder.parent) > bound:
            raise OSError(
                28, f"the files that wait have reached HEADRACE_ARTIFACT_SPOOL_MAX, {bound:,} bytes"
            )

    # Fork and end.

    def abandon(self) -> None:
        """In a forked child: leaves it to the parent."""
        self._leave()
        self._lock = threading.RLock()

    def close(self) -> None:
        """Says that no more will come."""
        self.control[layout.CLOSED] = 1
        with contextlib.suppress(OSError):
            os.close(self._lock_descriptor)


def bytes_used(root: Path) -> int:
    """What the data of all spools in ``root`` takes."""
    used = 0
    for folder in root.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), os.scandir(folder) as found:
            for each in found:
                with contextlib.suppress(FileNotFoundError):
                    used += each.stat().st_size
    return used


def without_room(folder: Path, on_full: OnFull, error: OSError) -> RunOperation:
    """What a call returns that could not even make the spool ``folder``; or it raises SpoolFullError."""
    full = SpoolFullError(folder, error)
    if on_full == "drop":
        return RunOperation(_Dropped(folder, str(full)), 0, 0)
    raise full from error


class _Dropped:
    """The fate of what was dropped."""

    def __init__(self, folder: Path, message: str) -> None:
        self.name = f"{folder.name}, dropped"
        self._message = message

    def committed(self) -> int:
        return 0

    def when_committed(self, _end: int, callback: Callable[[], object]) -> None:
        callback()

    def reject(self, _first: int, _end: int) -> tuple[str, str]:
        return DROPPED, self._message
