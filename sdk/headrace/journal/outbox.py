"""What journals and spools have in common: a folder of this process, and what the daemon has of it so far."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from headrace.journal import layout
from headrace.journal.control import create_control
from headrace.journal.folder import write_header
from headrace.journal.rejects import read_rejects
from headrace.operation import Waiters


class Outbox:
    """The fate of what is kept in a folder until the daemon has it (``operation.Fate``)."""

    control: memoryview

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.waiters = Waiters()
        self.wake: Callable[[], None] = nothing
        """Called when there is something to ship."""
        self.watch: Callable[[], None] = nothing
        """Called when somebody waits."""
        self.awaited = False
        """Whether who ships it wants to be woken when somebody waits."""
        self._rejects: list[tuple[int, int, str, str]] = []

    def _create(self, header: Mapping[str, Any]) -> None:
        # Built under a dotted name and renamed whole: a folder that others can see is complete.
        draft = self.folder.with_name(f".{self.name}")
        with contextlib.ExitStack() as undo:
            undo.callback(shutil.rmtree, draft, ignore_errors=True)
            draft.mkdir(mode=0o700, parents=True)
            self._lock_descriptor = os.open(draft / layout.WRITER_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            undo.callback(os.close, self._lock_descriptor)
            fcntl.flock(self._lock_descriptor, fcntl.LOCK_EX)
            self.control = create_control(draft)
            self._fill(draft, undo)
            write_header(draft, header)
            draft.rename(self.folder)
            undo.pop_all()

    def _fill(self, draft: Path, undo: contextlib.ExitStack) -> None:
        """What is in the folder besides, and how it is closed when the rest cannot be made."""

    # Any thread, no lock.

    def committed(self) -> int:
        """The first sequence that is not durable at the daemon yet."""
        return self.control[layout.COMMITTED]

    def when_committed(self, end: int, callback: Callable[[], object]) -> None:
        """Calls back, from any thread, once ``committed() >= end``; at once when it is."""
        self.waiters.add(end, callback)
        self.waiters.advance(self.committed())
        if self.awaited:
            self.awaited = False
            self.wake()
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

    def daemon_absent(self) -> bool:
        """Whether whoever shipped it last found no daemon."""
        return bool(self.control[layout.ABSENT])

    def pending(self) -> int:
        """How much is written and not yet durable at the daemon: cells, or files."""
        return self.control[layout.TAIL] - self.control[layout.COMMITTED]

    def _leave(self) -> None:
        """In a forked child: those who wait, and what is woken, are the parent's."""
        self.waiters = Waiters()
        self.wake = nothing


def nothing() -> None:
    """Who is called before anybody listens."""
