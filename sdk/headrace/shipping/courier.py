"""Courier: uploads the files in a set of spools to the daemon of one tracking URI, in a thread of its own.

Points and changes do not wait for files: they go another way (``shipper.py``), and this thread shares nothing
with that loop but the question where the daemon speaks HTTP.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from headrace.errors import HeadraceError, JournalError, UnavailableError
from headrace.journal import layout
from headrace.journal.folder import expired
from headrace.shipping.backoff import Backoff
from headrace.shipping.http import Http
from headrace.shipping.uploads import Refused, Uploader
from headrace.spool.pack import PACK_BYTES
from headrace.spool.reader import SpoolReader
from headrace.spool.spool import Spool

logger = logging.getLogger("headrace")

POLL_SECONDS = 0.05
"""How often to look at spools that other, living processes fill, and whether a run exists by now."""

STOP_SECONDS = 1.0

REJECTS_SECONDS = 600.0
"""For so long a spool stays that tells of refusals, when nothing else is in it."""


class _Load:
    """A spool that is being shipped; its process's own has the object that its calls use."""

    def __init__(self, reader: SpoolReader, spool: Spool | None) -> None:
        self.reader = reader
        self.spool = spool
        self.name = reader.folder.name
        self.alone_until = -1
        """Up to this number packs go one by one: together they were refused."""


class Courier:
    """See the module. Methods are for any thread."""

    def __init__(self, uri: str, locate: Callable[[], str]) -> None:
        """``locate``: where the daemon of ``uri`` speaks HTTP; it may block, and raise UnavailableError."""
        self._uri = uri
        self._http = Http(locate)
        self._uploader = Uploader(self._http, self._on_sent)
        self._loads: dict[str, _Load] = {}
        self._now: _Load | None = None
        self._lock = threading.RLock()
        self._work = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._warned = False
        self.unreachable = False
        self.sent = 0
        """Chunks that were sent, those of attempts that were cut too."""

    @property
    def busy(self) -> bool:
        """Whether there are spools to ship."""
        return bool(self._loads)

    def take_on(self, folder: Path, spool: Spool | None = None) -> bool:
        """Takes on a spool; false when another process ships it, or it cannot be read."""
        with self._lock:
            if folder.name in self._loads:
                return True
            try:
                reader = SpoolReader(folder)
            except (JournalError, OSError, ValueError, KeyError):
                logger.exception("spool %s cannot be read", folder)
                return False
            if not reader.claim():
                return False
            if spool is not None:
                spool.wake = self._work.set
            self._loads[folder.name] = _Load(reader, spool)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="headrace-courier", daemon=True)
                self._thread.start()
        self._work.set()
        return True

    def stop(self) -> None:
        """Ends it; what is not uploaded stays in its spool, for others."""
        self._stopping = True
        self._work.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping:
            self._work.clear()
            try:
                pause = self._ship(backoff)
            except (HeadraceError, OSError) as error:
                self._say_once(error)
                pause = backoff.next()
            except Exception:  # the thread must outlive a bug: it is all that carries the files
                logger.exception("an upload failed and is tried again")
                pause = backoff.next()
            self._wait(pause)
        self._uploader.close()
        with self._lock:
            for load in self._loads.values():
                load.reader.close()

    def _wait(self, pause: float | None) -> None:
        if pause is None:
            self._work.wait()
            return
        until = time.monotonic() + pause
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))

    def _ship(self, backoff: Backoff) -> float | None:
        """Uploads the next entries of each spool; how long to pause then, ``None``: until there is work.

        What went wrong with one spool does not hold the others; it is raised in the end.
        """
        pauses: list[float] = []
        failed: Exception | None = None
        for load in list(self._loads.values()):
            try:
                pause = self._ship_from(load)
            except (HeadraceError, OSError) as error:
                failed = error
                continue
            if pause is not None:
                pauses.append(pause)
            if pause == 0:
                backoff.reset()
                self._note(unreachable=False)
        if failed is not None:
            raise failed
        return min(pauses, default=None)

    def _ship_from(self, load: _Load) -> float | None:
        reader = load.reader
        found = reader.next()
        if found is None:
            if not reader.living():
                self._let_go(load)
            self._advance(load)
            return POLL_SECONDS if load.spool is None else None
        number, entry = found
        if not reader.may_begin(entry):
            return POLL_SECONDS
        self._now = load
        more = reader.more_packs(number, entry, PACK_BYTES) if number > load.alone_until else []
        try:
            if more:
                numbers = [number, *(each for each, _ in more)]
                self._uploader.upload_packs(entry.run_id, [reader.data(each) for each in numbers])
            else:
                numbers = [number]
                self._uploader.upload(entry, reader.data(number))
        except Refused as refused:
            if more:
                load.alone_until = more[-1][0]  # one by one, to see which it is
                return 0.0
            logger.error("the daemon refused the artifact %s: %s", entry.path or "(small files)", refused)  # noqa: TRY400
            reader.refuse(number, refused.code, refused.message)
        else:
            for each in numbers:
                reader.done(each)
        self._advance(load)
        return 0.0

    def _on_sent(self, count: int) -> None:
        if self._stopping:
            raise UnavailableError("this process ends")
        self.sent += 1
        if self._now is not None and self._now.spool is not None:
            self._now.spool.sent = count

    def _advance(self, load: _Load) -> None:
        if load.spool is not None:
            load.spool.sent = 0
            load.spool.waiters.advance(load.reader.control[layout.COMMITTED])

    def _let_go(self, load: _Load) -> None:
        with self._lock:
            self._loads.pop(load.name, None)
        told = not load.reader.control[layout.REJECTS] or expired(load.reader.folder, REJECTS_SECONDS)
        if told:
            load.reader.remove()
        load.reader.close()

    def _note(self, *, unreachable: bool) -> None:
        self.unreachable = unreachable
        for load in list(self._loads.values()):
            load.reader.control[layout.ABSENT] = int(unreachable)
        if not unreachable:
            self._warned = False

    def _say_once(self, error: BaseException) -> None:
        if self._stopping:
            return
        self._note(unreachable=True)
        if not self._warned:
            self._warned = True
            with contextlib.suppress(Exception):
                logger.warning(
                    "artifacts for %s wait (%s): they are safe beside the journal, and go when it answers",
                    self._uri,
                    error,
                )
