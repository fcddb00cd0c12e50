"""SpoolReader: the shipper's side of a spool, in the process that fills it or in another one."""

import contextlib
import logging
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.errors import JournalError
from headrace.journal import folder as folders
from headrace.journal import layout
from headrace.journal.control import open_control
from headrace.journal.rejects import append_rejects
from headrace.spool import entry as entries
from headrace.spool.entry import DATA, ENTRY, Entry
from headrace.spool.spool import PREFIX

logger = logging.getLogger("headrace")

LOST = "DATA_LOSS"

MOST_PACKS = 500
"""Packs that are uploaded together: small files that were logged one by one."""


def spools(journal_dir: Path) -> Iterator[Path]:
    """All spools below ``journal_dir``, of every host and boot."""
    found = journal_dir.expanduser().glob(f"*/{PREFIX}*/{layout.WRITER}")
    return iter(sorted(path.parent for path in found))


class SpoolReader:
    """Reads entries in order, and stores what became of them. One shipper at a time: :meth:`claim`."""

    def __init__(self, folder: Path) -> None:
        """:class:`JournalError` if there is none, or of another version."""
        self.folder = folder
        self.control = open_control(folder)
        self.header: dict[str, Any] = folders.header(folder)
        if self.header["format"] != entries.FORMAT:
            raise JournalError(f"the spool {folder} has format {self.header['format']}; upgrade headrace")
        self._lock: int | None = None

    def claim(self) -> bool:
        """Takes the shipper's lock; false when another shipper has it."""
        self._lock = folders.try_lock(self.folder / layout.SHIPPER_LOCK)
        return self._lock is not None

    def living(self) -> bool:
        """Whether more may come."""
        return not self.control[layout.CLOSED] and folders.writer_lives(self.folder)

    def next(self) -> tuple[int, Entry] | None:
        """The first entry that is not uploaded, with its number; ``None``: there is none now.

        One that is damaged, which only a crash of the machine does, is reported as lost and passed.
        """
        while (number := self._next_number()) is not None:
            try:
                entry = entries.read(self.folder / entries.name_of(number, ENTRY))
                found = self.data(number).stat().st_size
                if found != entry.size:
                    raise ValueError(f"{entry.path or 'a pack'} has {found} of {entry.size} bytes")  # noqa: TRY301
            except FileNotFoundError:
                self.done(number)  # deleted after it was uploaded, or never whole
            except (ValueError, OSError) as error:
                logger.error("an artifact in %s is lost: %s", self.folder, error)  # noqa: TRY400
                self.refuse(number, LOST, f"the machine crashed before it was on its disk: {error}")
            else:
                return number, entry
        return None

    def more_packs(self, number: int, entry: Entry, size: int) -> list[tuple[int, Entry]]:
        """Packs of the same run that come right after ``entry``, together of up to ``size`` bytes with it."""
        found: list[tuple[int, Entry]] = []
        size -= entry.size
        while entry.kind == "pack" and len(found) < MOST_PACKS:
            number += 1
            try:
                other = entries.read(self.folder / entries.name_of(number, ENTRY))
                whole = self.data(number).stat().st_size == other.size
            except (OSError, ValueError):
                break
            size -= other.size
            fits = whole and other.kind == "pack" and other.run_id == entry.run_id and size >= 0
            if not fits or not self.may_begin(other):
                break
            found.append((number, other))
        return found

    def _next_number(self) -> int | None:
        committed, tail = self.control[layout.COMMITTED], self.control[layout.TAIL]
        if committed < tail:
            return committed
        if self.living():
            return None
        # What a process left that died before it could say so, or whose page is older than its files.
        left = []
        for path in self.folder.glob(f"[0-9]*{ENTRY}"):
            with contextlib.suppress(ValueError):
                left.append(entries.number_of(path.name))
        return min(left, default=None)

    def data(self, number: int) -> Path:
        """The file with an entry's bytes."""
        return self.folder / entries.name_of(number, DATA)

    def may_begin(self, entry: Entry) -> bool:
        """Whether what was logged before it is committed, and so its run exists."""
        if not entry.journal:
            return True
        try:
            with (self.folder.parent / entry.journal / layout.CONTROL).open("rb") as file:
                file.seek(layout.COMMITTED * 8)
                return int(struct.unpack("=Q", file.read(8))[0]) >= entry.sequence
        except (OSError, struct.error):
            return True  # delivered whole, and deleted

    def done(self, number: int) -> None:
        """It is uploaded."""
        self.control[layout.COMMITTED] = max(self.control[layout.COMMITTED], number + 1)
        self.control[layout.TAIL] = max(self.control[layout.TAIL], number + 1)
        for suffix in (ENTRY, DATA):
            (self.folder / entries.name_of(number, suffix)).unlink(missing_ok=True)

    def refuse(self, number: int, code: str, message: str) -> None:
        """It never will be."""
        append_rejects(self.folder, self.control, [(number, number + 1, code, message)])
        self.done(number)

    def close(self) -> None:
        """Ships it no more."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Deletes a spool of a dead process with nothing left to upload."""
        grave = self.folder.with_name(f".{self.folder.name}.removed")
        with contextlib.suppress(OSError):
            self.folder.rename(grave)
            shutil.rmtree(grave)
