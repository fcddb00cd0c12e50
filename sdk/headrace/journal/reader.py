"""JournalReader: the shipper's side of a journal, in the writing process or in another one."""

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

from headrace.errors import JournalError
from headrace.journal import folder as folders
from headrace.journal import layout
from headrace.journal.control import open_control
from headrace.journal.rejects import Reject, append_rejects, read_rejects
from headrace_proto import wire
from headrace_proto.wire import CELL_SIZE

logger = logging.getLogger("headrace")


class JournalReader:
    """Reads cells and definitions as they lie, and stores what the daemon says of them.

    One shipper at a time: :meth:`claim` takes the shipper's lock.
    """

    def __init__(self, folder: Path) -> None:
        """Opens the journal in ``folder``; :class:`JournalError` if there is none, or of another version."""
        self.folder = folder
        self.name = folder.name
        self.control = open_control(folder)
        self.header: dict[str, Any] = folders.header(folder)
        if self.header["format"] != wire.FORMAT:
            raise JournalError(f"the journal {folder} has format {self.header['format']}; upgrade headrace")
        self._definitions = os.open(folder / layout.DEFINITIONS, os.O_RDONLY | os.O_CLOEXEC)
        self._cells: tuple[int, int, int] | None = None  # first, end, descriptor of the file read last
        self._lock: int | None = None
        self._crash_tail = self._find_crash_tail()

    def claim(self) -> bool:
        """Takes the shipper's lock; false when another shipper has it."""
        self._lock = folders.try_lock(self.folder / layout.SHIPPER_LOCK)
        return self._lock is not None

    @property
    def tail(self) -> int:
        """The first sequence that is not written."""
        return self.control[layout.TAIL] if self._crash_tail is None else self._crash_tail

    @property
    def committed(self) -> int:
        """The first sequence that the daemon did not report as committed."""
        return self.control[layout.COMMITTED]

    @property
    def closed(self) -> bool:
        """Whether the writer said that it will append no more."""
        return bool(self.control[layout.CLOSED])

    @property
    def introduces(self) -> bool:
        """Whether the writer has named a run."""
        return os.fstat(self._definitions).st_size > 0

    def next_open_number(self) -> int:
        """A number above all that were used to open this writer."""
        self.control[layout.OPEN_NUMBER] += 1
        return self.control[layout.OPEN_NUMBER]

    def known_reject(self) -> int:
        """The highest first sequence among the stored refusals, -1 without any."""
        return max((reject[0] for reject in read_rejects(self.folder)), default=-1)

    def store(self, committed: int, rejects: list[Reject]) -> None:
        """Stores what the daemon reported: refusals first, then the sequence that passes them."""
        if rejects:
            append_rejects(self.folder, self.control, rejects)
        if committed > self.committed:
            self.control[layout.COMMITTED] = committed

    def definitions(self, offset: int, size: int) -> tuple[bytes, bool]:
        """Whole frames from ``offset`` on, about ``size`` bytes; and whether these were the last."""
        data = os.pread(self._definitions, size + wire.MAX_DEFINITION, offset)
        whole = wire.whole_frames(data)
        return data[:whole], len(data) < size + wire.MAX_DEFINITION

    def cells(self, first: int, count: int) -> bytes:
        """Cells from ``first`` on: ``count``, or up to the end of their file."""
        if self._cells is None or not self._cells[0] <= first < self._cells[1]:
            self._open_cells(first)
        assert self._cells is not None  # noqa: S101
        start, end, descriptor = self._cells
        count = min(count, end - first)
        data = os.pread(descriptor, count * CELL_SIZE, (first - start) * CELL_SIZE)
        if len(data) != count * CELL_SIZE:
            raise JournalError(f"{self.folder}: cells {first} to {first + count} are cut short")
        return data

    def _open_cells(self, first: int) -> None:
        if self._cells is not None:
            os.close(self._cells[2])
            self._cells = None
        for start, path in self._files():
            if start <= first < start + path.stat().st_size // CELL_SIZE:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                self._cells = start, start + os.fstat(descriptor).st_size // CELL_SIZE, descriptor
                return
        raise JournalError(f"{self.folder}: the cells from {first} on were deleted")

    def _files(self) -> list[tuple[int, Path]]:
        names = (path for path in self.folder.glob(f"[0-9]*{layout.CELLS_SUFFIX}"))
        return sorted((layout.first_of(path.name), path) for path in names)

    def retire(self, keep: float) -> None:
        """Deletes files of cells that are committed whole, ``keep`` seconds after their last change."""
        for start, path in self._files():
            with contextlib.suppress(FileNotFoundError):
                if start + path.stat().st_size // CELL_SIZE <= self.committed and folders.expired(path, keep):
                    path.unlink()

    def close(self) -> None:
        """Lets go of files and lock."""
        os.close(self._definitions)
        for descriptor in (self._lock, self._cells and self._cells[2]):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._cells = None

    def _find_crash_tail(self) -> int | None:
        # After a crash of the machine, some pages of an older boot's journal may never have reached the
        # disk: their cells have kind 0. What comes before them is whole; what comes after is lost.
        if self.header.get("boot") == folders.boot_id():
            return None
        at, tail = self.committed, self.control[layout.TAIL]
        with contextlib.suppress(JournalError):
            while at < tail:
                kind, _, cells = wire.METRIC_CELL.unpack_from(self.cells(at, 1))[:3]
                if kind == wire.UNWRITTEN:
                    break
                at += cells if kind == wire.BLOB else 1
        if at < tail:
            logger.error("%s: the machine crashed before %s cells reached the disk", self.folder, tail - at)
        return min(at, tail)
