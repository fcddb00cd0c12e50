"""Writer: one journal of this process, and everything about it that is not the hot path (``run_log.py``).

The rules that both keep:

- The tail in the control page is the only state: the next cell's place follows from it, so an exception
  at any bytecode leaves the old state or the new one.
- One call appends at a time, in its turn (``turns.py``). A call that interrupted another call of its own
  thread (a signal handler, ``__del__`` during garbage collection) goes to the *spare* journal, a writer of
  its own: in the interrupted call's turn it would overwrite that one's cell.
- Only the process that created a journal appends to it. In a forked child each journal of the parent is
  *abandoned*: its current file is swapped for a full one, and ``next_file`` then raises :class:`Abandoned`.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headrace.journal import layout
from headrace.journal.cells import CellFile, following_size
from headrace.journal.definitions import Definitions
from headrace.journal.outbox import Outbox
from headrace.journal.room import RESERVE, Dropped, OnFull, Room, is_full
from headrace.journal.turns import QUEUE_SECONDS, Inside, Turns
from headrace_proto.wire import CELL_SIZE, FORMAT, PAD, blob_record, metric_head

LOOK_AGAIN_SECONDS = 0.2
"""How long nothing is allocated ahead after there was no room for it."""

CLOSE_SECONDS = 1.0
"""How long the end waits for a call of another thread, which may wait for room."""


class Abandoned(Exception):  # noqa: N818 - a turn of the flow inside the package, never an error a user sees
    """This process is a fork of the one that owns the journal: use its successor."""


class _NoFile:
    """What an abandoned writer has instead of a file: no room at any tail."""

    first = end = -1
    view = memoryview(b"")


class Writer(Outbox, Turns):
    """A journal that this process appends to. Public attributes are for ``run_log.py`` and the shipper."""

    def __init__(
        self,
        root: Path,
        name: str,
        header: Mapping[str, Any],
        bound: float,
        successor: "Callable[[Writer], Writer]",
        *,
        on_full: OnFull = "block",
    ) -> None:
        """Creates the journal ``root/name``. No room for it: as ``on_full`` says (``Room.until`` raises).

        Args:
            root: the folder of journals.
            name: the writer's id, 32 hex digits.
            header: what ``writer.json`` says besides.
            bound: the part of the file system that all journals in ``root`` may take.
            successor: the writer to use instead of this one (a spare, or a forked child's own).
            on_full: what calls do when there is no room.
        """
        Outbox.__init__(self, root / name)
        Turns.__init__(self)
        self.abandoned = False
        self.asleep = False
        self.room = Room(self.folder, bound, on_full)
        self._successor = successor
        self._spare: Writer | None = None
        self.last_steps: dict[int, int] = {}
        """By series: of those whose steps must not go back (``ordered_log.py``)."""
        self._runs: dict[tuple[str, str], tuple[int, dict[str, int]]] = {}
        self._ahead = threading.RLock()
        self._prepared: list[CellFile] = []
        self._reserve: CellFile | None = None
        self._look_again = 0.0
        written = {"format": FORMAT, "writer_id": name, **header}
        self.room.until(lambda: self._create(written))

    def _fill(self, draft: Path, undo: contextlib.ExitStack) -> None:
        self._definitions = Definitions(draft)
        undo.callback(self._definitions.close)
        self.file = CellFile(draft / layout.cells_name(0), 0, layout.FIRST_FILE)
        self.tail = self.control

    # Definitions. In a turn.

    def run(self, run_id: str, attempt: str) -> tuple[int, dict[str, int]]:
        """The number of a run in this journal, and the first word of its series' cells, by key."""
        entry = self._runs.get((run_id, attempt))
        if entry is None:
            entry = self._defined(lambda: self._definitions.run(run_id, attempt)), {}
            self._runs[run_id, attempt] = entry
        if self.room.untold():
            self.tell()
        return entry

    def define(self, run: int, key: str) -> int:
        """A new series of a run of this journal: the first word of its cells."""
        return metric_head(self._defined(lambda: self._definitions.series(run, key)))

    def _defined(self, define: Callable[[], int]) -> int:
        def work() -> int:
            if self.abandoned:  # by a fork while this waited
                raise Abandoned
            return define()

        return self.room.until(work)

    # Files of cells. In a turn, but for ``prepare``. ``_ahead`` is held while the current file or those
    # made ahead change, never while a call waits for room.

    def next_file(self, tail: int, least: int = 1, *, urgent: bool = False) -> CellFile:
        """The file that comes after the current one was filled. What was dropped is told first in it, so the
        tail may have moved.

        Args:
            tail: the first sequence that is not written.
            least: the cells that a new file must have.
            urgent: use the reserve if there is no other room.
        """
        try:
            following = self._turned(tail, least) if urgent else None
        except OSError as error:
            if not is_full(error):
                raise
            following = self._turn_to_reserve(tail, least)
        if following is None:
            following = self.room.until(lambda: self._turned(tail, least))
        self.tell()
        if not urgent:
            with self._ahead, contextlib.suppress(OSError):
                self._make_reserve()
        return following

    def _turned(self, tail: int, least: int) -> CellFile:
        if self.abandoned:
            raise Abandoned
        with self._ahead:
            following = self._prepared[0] if self._prepared else None
            path = self.folder / layout.cells_name(tail)
            if following is None or following.first != tail:
                following = self._allocate(path, tail, following_size(self.file.size), least)
            else:
                following.rename(path)
            self._turn_to(following)
            return following

    def _turn_to_reserve(self, tail: int, least: int) -> CellFile | None:
        with self._ahead:
            reserve = self._reserve
            if reserve is None or reserve.end - reserve.first < least:
                return None
            self._reserve = None
            reserve.begin_at(tail)
            reserve.rename(self.folder / layout.cells_name(tail))
            self._turn_to(reserve)
            return reserve

    def _turn_to(self, following: CellFile) -> None:
        full, self.file = self.file, following
        while self._prepared and self._prepared[0].first <= following.first:
            stale = self._prepared.pop(0)
            if stale is not following:
                stale.discard()
        full.release()

    def prepare(self) -> None:
        """Allocates the next file ahead, once half of this one is used. For the shipper's thread."""
        file = self.file
        half = self.control[layout.TAIL] > (file.first + file.end) // 2
        if (self._prepared or not half) and self._reserve is not None:
            return
        if self.abandoned or time.monotonic() < self._look_again:
            return
        with self._ahead:
            if self.closed:
                return
            try:
                self._make_reserve()
                if half and not self._prepared and self.file is file:
                    self._prepare_after(file)
            except OSError:  # the call that needs the file will find out, and say so
                self._look_again = time.monotonic() + LOOK_AGAIN_SECONDS

    def _prepare_after(self, file: CellFile) -> None:
        path = self.folder / f".{layout.cells_name(file.end)}"
        self._prepared.append(self._allocate(path, file.end, following_size(file.size)))

    def need(self, cells: int, blobs: Sequence[int] = ()) -> None:
        """Allocates ahead all that an operation takes, unless calls may wait in the middle of one.

        Args:
            cells: metric cells, which may lie in several files.
            blobs: the cells of each record that must lie in one, after those.
        """
        tail = self.tail[layout.TAIL]
        if self.room.on_full == "block" or self.abandoned or cells + sum(blobs) <= self.file.end - tail:
            return
        self.room.until(lambda: self._allocate_all(self.file.end - tail, cells, blobs))

    def _allocate_all(self, free: int, cells: int, blobs: Sequence[int]) -> None:
        with self._ahead:
            already, used = len(self._prepared), 0

            def following() -> int:
                nonlocal used
                if used == len(self._prepared):
                    self._prepare_after(self._prepared[-1] if self._prepared else self.file)
                used += 1
                return self._prepared[used - 1].end - self._prepared[used - 1].first

            try:
                while cells > free:
                    cells -= free
                    free = following()
                free -= cells
                for blob in blobs:
                    while blob > free:
                        free = following()
                    free -= blob
            except OSError:
                while len(self._prepared) > already:
                    self._prepared.pop().discard()
                raise

    def pad(self, tail: int) -> None:
        """Fills the rest of the file with cells that mean nothing: the record that comes does not fit."""
        file = self.file
        count = file.end - tail
        file.view[(tail - file.first) * CELL_SIZE :] = (bytes([PAD]) + bytes(CELL_SIZE - 1)) * count
        self.tail[layout.TAIL] = file.end

    def put(self, record: bytes, *, urgent: bool = False) -> None:
        """Appends a blob record, which lies in one file. ``urgent``: in the reserve if need be."""
        cells = len(record) // CELL_SIZE
        while self.file.end - (tail := self.tail[layout.TAIL]) < cells:
            if tail < self.file.end:
                self.pad(tail)
            self.next_file(self.tail[layout.TAIL], cells, urgent=urgent)
        at = (tail - self.file.first) * CELL_SIZE
        self.file.view[at : at + len(record)] = record
        self.tail[layout.TAIL] = tail + cells

    def tell(self, *, urgent: bool = False) -> None:
        """Tells the runs what was dropped of them: in the current file, ``urgent`` in the reserve too."""
        for run in self.room.untold():
            if entry := self._runs.get(run):
                payload, told = self.room.notice(run)
                record = blob_record(entry[0], payload, time.time_ns() // 1_000_000)
                if urgent or self.file.end - self.tail[layout.TAIL] >= len(record) // CELL_SIZE:
                    self.put(record, urgent=urgent)
                    told()

    def _allocate(self, path: Path, first: int, size: int, least: int = 1) -> CellFile:
        """A file of about ``size`` bytes: larger for a large record, smaller when there is little room."""
        smallest = min(size, layout.FIRST_FILE)
        while smallest < least * CELL_SIZE:
            smallest *= 2
        size = max(size, smallest)
        while True:
            try:
                return self.room.allocate(path, first, size)
            except OSError as error:
                if not is_full(error) or size <= smallest:
                    raise
                size //= 2

    def _make_reserve(self) -> None:
        if self._reserve is None:
            self._reserve = CellFile(self.folder / ".reserve", 0, RESERVE)

    # Interruption, fork, end.

    def aside(self) -> "Writer":
        """Where a call goes that interrupted another: the spare journal."""
        if self._spare is None:
            self._spare = self._successor(self)
        return self._spare

    def successor(self) -> "Writer":
        """The journal of this process, for one that was forked from the owner of this."""
        successor = self._successor(self)
        successor.room.adopt(self.room)
        return successor

    def abandon(self) -> None:
        """In a forked child: leaves the journal to the parent; ``folder.let_locks_go`` closes its lock.

        A call that the fork interrupted goes on in both processes. In this one its tail goes to a copy.
        """
        self.abandoned = True
        self.tail = memoryview(bytearray(self.control.cast("B"))).cast("Q")
        self.file = _NoFile  # type: ignore[assignment]
        self._ahead = threading.RLock()
        self._prepared, self._reserve = [], None
        self.room.forget()
        self.turn = [None]
        self.asleep = False
        self._leave()

    def close(self) -> None:
        """Says that no more will come, for good: later calls go to the spare journal."""
        self.closed = True
        give_up_at = time.monotonic() + CLOSE_SECONDS
        while time.monotonic() < give_up_at:
            try:
                return self.in_turn(self._close)
            except Inside:
                time.sleep(QUEUE_SECONDS)
        # A call of another thread waits for room, and dies with the process as in a kill.
        return None

    def _close(self) -> None:
        self.turn = []
        with contextlib.suppress(Dropped):
            self.tell(urgent=True)
        self.control[layout.CLOSED] = 1
        with self._ahead:
            for file in (self.file, *self._prepared, *([self._reserve] if self._reserve else [])):
                file.release()
        self._definitions.close()
        os.close(self._lock_descriptor)
