"""Writer: one journal of this process, and everything about it that is not the hot path (``run_log.py``).

The rules that both keep:

- The tail in the control page is the only state: the next cell's place follows from it, so an exception
  at any bytecode leaves the old state or the new one.
- ``inside`` is set while cells are being written. A call that finds it set interrupted another call of its
  own thread (a signal handler, ``__del__`` during garbage collection) and goes to the *spare* journal, a
  writer of its own. The lock alone would let it in, to overwrite the interrupted call's cell.
- Only the process that created a journal appends to it. In a forked child each journal of the parent is
  *abandoned*: its current file is swapped for a full one, and ``turn`` then raises :class:`Abandoned`.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from headrace.journal import layout
from headrace.journal.cells import CellFile, following_size
from headrace.journal.control import create_control
from headrace.journal.definitions import Definitions
from headrace.journal.rejects import read_rejects
from headrace.operation import Waiters
from headrace_proto.wire import CELL_SIZE, FORMAT, PAD

logger = logging.getLogger("headrace")

T = TypeVar("T")

RETRY_SECONDS = 0.2
WARN_SECONDS = 60.0


class Abandoned(Exception):  # noqa: N818 - a turn of the flow inside the package, never an error a user sees
    """This process is a fork of the one that owns the journal: use its successor."""


class _NoFile:
    """What an abandoned writer has instead of a file: no room at any tail."""

    first = end = -1
    view = words = doubles = memoryview(b"")


class Writer:
    """A journal that this process appends to. Public attributes are for ``run_log.py`` and the shipper."""

    def __init__(
        self,
        root: Path,
        name: str,
        header: Mapping[str, Any],
        bound: float,
        successor: "Callable[[Writer], Writer]",
    ) -> None:
        """Creates the journal ``root/name``.

        Args:
            root: the folder of journals.
            name: the writer's id, 32 hex digits.
            header: what ``writer.json`` says besides.
            bound: the part of the file system that this journal may take.
            successor: the writer to use instead of this one (a spare, or a forked child's own).
        """
        self.name = name
        self.folder = root / name
        self.lock = threading.RLock()
        self.inside = False
        self.abandoned = False
        self.asleep = False
        self.wake: Callable[[], None] = _nothing
        self.watch: Callable[[], None] = _nothing
        self.waiters = Waiters()
        self._bound = bound
        self._successor = successor
        self._spare: Writer | None = None
        self._runs: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
        self._rejects: list[tuple[int, int, str, str]] = []
        self._prepared: CellFile | None = None
        self._create(header)

    def _create(self, header: Mapping[str, Any]) -> None:
        # Built under a dotted name and renamed whole: a folder that others can see is a complete journal.
        draft = self.folder.with_name(f".{self.name}")
        draft.mkdir(mode=0o700, parents=True)
        self._lock_descriptor = os.open(draft / layout.WRITER_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock_descriptor, fcntl.LOCK_EX)
        self.control = self.tail = create_control(draft)
        self._definitions = Definitions(draft)
        self.file = CellFile(draft / layout.cells_name(0), 0, layout.FIRST_FILE)
        (draft / layout.WRITER).write_text(json.dumps({"format": FORMAT, "writer_id": self.name, **header}))
        draft.rename(self.folder)

    # What an operation asks (operation.Fate). Any thread, no lock.

    def committed(self) -> int:
        """The first sequence that is not durable yet."""
        return self.control[layout.COMMITTED]

    def when_committed(self, end: int, callback: Callable[[], object]) -> None:
        """Calls back, from any thread, once ``committed() >= end``; at once when it is."""
        self.waiters.add(end, callback)
        self.waiters.advance(self.committed())
        self.watch()

    def reject(self, first: int, end: int) -> tuple[str, str] | None:
        """Code and message of the first refusal in ``[first, end)``."""
        if len(self._rejects) != self.control[layout.REJECTS]:
            self._rejects = read_rejects(self.folder)
        for reject_first, reject_end, code, message in self._rejects:
            if reject_first < end and first < reject_end:
                return code, message
        return None

    def written(self) -> int:
        """The first sequence that is not written."""
        return self.control[layout.TAIL]

    def pending(self) -> int:
        """Cells that are written and not yet durable."""
        return self.control[layout.TAIL] - self.control[layout.COMMITTED]

    # Definitions. With the lock.

    def run(self, run_id: str, attempt: str) -> tuple[int, dict[str, int]]:
        """The number of a run in this journal, and the numbers of its series by key."""
        entry = self._runs.get((run_id, attempt))
        if entry is None:
            entry = self._until_there_is_room(lambda: self._definitions.run(run_id, attempt)), {}
            self._runs[run_id, attempt] = entry
        return entry

    def define(self, run: int, key: str) -> int:
        """A new series of a run of this journal."""
        return self._until_there_is_room(lambda: self._definitions.series(run, key))

    # Files of cells. With the lock, but for ``prepare``.

    def turn(self, tail: int) -> CellFile:
        """The file that ``tail`` lies in, after the current one was filled."""
        if self.abandoned:
            raise Abandoned
        full, prepared = self.file, self._prepared
        path = self.folder / layout.cells_name(tail)
        if prepared is not None and prepared.first == tail:
            prepared.rename(path)
            following = prepared
        else:
            size = following_size(full.size)
            following = self._until_there_is_room(lambda: self._allocate(path, tail, size))
        self.file = following
        self._prepared = None
        full.release()
        return following

    def prepare(self) -> None:
        """Allocates the next file ahead, once half of this one is used. For the shipper's thread."""
        file = self.file
        if self._prepared is None and self.control[layout.TAIL] > (file.first + file.end) // 2:
            path = self.folder / f".{layout.cells_name(file.end)}"
            with contextlib.suppress(OSError):  # the call that needs the file will find out, and say so
                self._prepared = self._allocate(path, file.end, following_size(file.size))

    def pad(self, tail: int) -> None:
        """Fills the rest of the file with cells that mean nothing: the record that comes does not fit."""
        file = self.file
        count = file.end - tail
        file.view[(tail - file.first) * CELL_SIZE :] = (bytes([PAD]) + bytes(CELL_SIZE - 1)) * count
        self.tail[layout.TAIL] = file.end

    def _allocate(self, path: Path, first: int, size: int) -> CellFile:
        disk = os.statvfs(self.folder)
        used = sum(entry.stat().st_size for entry in os.scandir(self.folder))
        if used + size > self._bound * disk.f_frsize * disk.f_blocks:
            raise OSError(errno.ENOSPC, "the journal has reached HEADRACE_JOURNAL_MAX")
        return CellFile(path, first, size)

    def _until_there_is_room(self, allocate: Callable[[], T]) -> T:
        # Nothing is lost and the training does not crash: it goes on when there is room again.
        warned = -WARN_SECONDS
        while True:
            try:
                return allocate()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                if time.monotonic() - warned >= WARN_SECONDS:
                    warned = time.monotonic()
                    logger.warning(
                        "logging waits: no room for the journal at %s (%s); free some space, or start a "
                        "daemon that takes what is there",
                        self.folder,
                        error.strerror,
                    )
                time.sleep(RETRY_SECONDS)

    # Interruption, fork, end.

    def aside(self) -> "Writer":
        """Where a call goes that found ``inside`` set: the spare journal."""
        if self._spare is None:
            self._spare = self._successor(self)
        return self._spare

    def successor(self) -> "Writer":
        """The journal of this process, for one that was forked from the owner of this."""
        return self._successor(self)

    def abandon(self) -> None:
        """In a forked child: leaves the journal to the parent.

        A call that the fork interrupted goes on in both processes. In this one its tail goes to a copy.
        """
        self.abandoned = True
        self.tail = memoryview(bytearray(self.control.cast("B"))).cast("Q")
        self.file = _NoFile  # type: ignore[assignment]
        self.lock = threading.RLock()
        self.inside = self.asleep = False
        self.waiters = Waiters()
        self.wake = _nothing
        os.close(self._lock_descriptor)

    def close(self) -> None:
        """Says that no more will come, for good."""
        with self.lock:
            self.inside = True
            self.control[layout.CLOSED] = 1
            self._definitions.close()
            os.close(self._lock_descriptor)


def _nothing() -> None:
    pass
