"""JournalReader: the shipper's side of a journal, in the writing process or in another one."""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from headrace.errors import JournalError
from headrace.journal import folder as folders
from headrace.journal import layout
from headrace.journal.control import open_control
from headrace.journal.holes import holes
from headrace.journal.rejects import Reject, append_rejects, read_rejects
from headrace_proto import wire
from headrace_proto.wire import CELL_SIZE

logger = logging.getLogger("headrace")

DELETED: Final = 1
HOST_CRASHED: Final = 2
"""Reasons of a gap: ``GapReason`` in ``ingest.proto``."""


class Gap(NamedTuple):
    """What is lost: up to the sequence ``to``, for a ``reason``."""

    to: int
    reason: Literal[1, 2]


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
        if self.control[layout.COMMITTED] > self.control[layout.TAIL]:
            raise JournalError(f"{folder / layout.CONTROL} is damaged: more is committed than is written")
        self._definitions = os.open(folder / layout.DEFINITIONS, os.O_RDONLY | os.O_CLOEXEC)
        self._cells: tuple[int, int, int] | None = None  # first, end, descriptor of the file read last
        self._lock: int | None = None
        self._committed_since: dict[int, float] = {}
        self._is_of_this_boot = self.header.get("boot") == folders.boot_id()

    def claim(self) -> bool:
        """Takes the shipper's lock; false when another shipper has it."""
        self._lock = folders.try_lock(self.folder / layout.SHIPPER_LOCK)
        return self._lock is not None

    @property
    def tail(self) -> int:
        """The first sequence that is not written. Below it, a crash of the machine may have left holes."""
        return self.control[layout.TAIL]

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
        """Whole frames from ``offset`` on, about ``size`` bytes; and whether these were the last.

        :class:`JournalError` when what follows is damaged, and not only the cut end of the file.
        """
        data = os.pread(self._definitions, size + wire.MAX_DEFINITION, offset)
        whole = wire.whole_frames(data)
        if wire.is_damaged(data[whole:]):
            raise JournalError(f"{self.folder / layout.DEFINITIONS} is damaged at byte {offset + whole}")
        return data[:whole], len(data) < size + wire.MAX_DEFINITION

    def cells(self, first: int, count: int) -> bytes:
        """Cells from ``first`` on: ``count``, or up to the end of their file or the next hole."""
        if self._cells is None or not self._cells[0] <= first < self._cells[1]:
            self._open_cells(first)
        assert self._cells is not None  # noqa: S101
        start, end, descriptor = self._cells
        count = min(count, end - first, self._next_hole(first) - first)
        data = os.pread(descriptor, count * CELL_SIZE, (first - start) * CELL_SIZE)
        if len(data) != count * CELL_SIZE:
            os.close(descriptor)
            self._cells = None
            raise JournalError(f"{self.folder}: cells {first} to {first + count} are cut short")
        return data

    def gap(self, first: int) -> Gap | None:
        """What is lost from ``first`` (below the tail, where a record begins or goes on), if that is lost."""
        for begin, end in self._holes:
            if begin <= first < end:
                return Gap(end, HOST_CRASHED)
        if self._cells is not None and self._cells[0] <= first < self._cells[1]:
            return None
        later = self.tail
        for start, end, _ in self._spans():
            if start <= first < end:
                return None
            if start > first:
                later = min(later, start)
        # Files begin with a record, so what comes after the gap can be read.
        crashed = not self._is_of_this_boot and first >= self.committed
        return Gap(later, HOST_CRASHED if crashed else DELETED)

    def _next_hole(self, first: int) -> int:
        return min((begin for begin, _ in self._holes if begin > first), default=self.tail + 1)

    def _open_cells(self, first: int) -> None:
        if self._cells is not None:
            os.close(self._cells[2])
            self._cells = None
        for start, end, path in self._spans():
            if start <= first < end:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                self._cells = start, start + os.fstat(descriptor).st_size // CELL_SIZE, descriptor
                return
        raise JournalError(f"{self.folder}: the cells from {first} on were deleted")

    def _files(self) -> list[tuple[int, Path]]:
        paths = self.folder.glob(f"[0-9]*{layout.CELLS_SUFFIX}")
        return sorted((layout.first_of(path.name), path) for path in paths if path.stem.isdecimal())

    def _spans(self) -> Iterator[tuple[int, int, Path]]:
        """First cell, end, and path of each file; a writer without room deletes delivered ones meanwhile."""
        for start, path in self._files():
            with contextlib.suppress(FileNotFoundError):
                yield start, start + path.stat().st_size // CELL_SIZE, path

    def retire(self, keep: float, committed: int | None = None) -> None:
        """Deletes files of cells ``keep`` seconds after they were first seen to be committed whole.

        ``committed``: where the catalog stands, if that is known and may have gone back.
        """
        committed = self.committed if committed is None else min(committed, self.committed)
        now = time.monotonic()
        for start, path in self._files():
            with contextlib.suppress(FileNotFoundError):
                if start + path.stat().st_size // CELL_SIZE > committed:
                    self._committed_since.pop(start, None)
                elif now - self._committed_since.setdefault(start, now) >= keep:
                    path.unlink()

    def close(self) -> None:
        """Lets go of files and lock."""
        os.close(self._definitions)
        for descriptor in (self._lock, self._cells and self._cells[2]):
            if descriptor is not None:
                os.close(descriptor)
        self._lock = self._cells = None

    @functools.cached_property
    def _holes(self) -> list[tuple[int, int]]:
        """What a crash of the machine lost of the files that are left; empty for a journal of this boot."""
        if self._is_of_this_boot:
            return []
        frames, _ = self.definitions(0, os.fstat(self._definitions).st_size)
        kinds = (type(definition) for definition in wire.parse_definitions(frames))
        series = sum(kind is wire.SeriesDefinition for kind in kinds)
        found = []
        for start, path in self._files():
            cells = path.read_bytes()[: max(0, self.tail - start) * CELL_SIZE]
            found += [(start + first, start + end) for first, end in holes(cells, series)]
        return found
