"""Watcher: looks after journals of this process that the agent ships."""

import contextlib
import threading
import time
from collections.abc import Callable

from headrace.journal.writer import Writer
from headrace.spool.spool import Spool

LOOK_SECONDS = 0.005
REVIVE_SECONDS = 1.0
"""The agent delivers what nobody waits for, too, and is what shows that this process lives."""


class Watcher:
    """A thread that keeps the agent running, and looks at control pages while an operation waits."""

    def __init__(self, start_agent: Callable[[], None]) -> None:
        self._start_agent = start_agent
        self._writers: list[Writer | Spool] = []
        self._needed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, writer: Writer | Spool) -> None:
        """Watches a writer; from now on the agent is needed."""
        self._writers.append(writer)
        writer.watch = self._needed.set
        self._start_agent()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="headrace-watcher", daemon=True)
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        revive_at = time.monotonic() + REVIVE_SECONDS
        while True:
            if not self._waited_for():
                self._needed.clear()
                if not self._waited_for():
                    self._needed.wait(REVIVE_SECONDS)
            for writer in self._writers:
                writer.waiters.advance(writer.committed())
            if time.monotonic() >= revive_at:
                self._start_agent()  # it may have died, or been idle and gone
                revive_at = time.monotonic() + REVIVE_SECONDS
            if self._waited_for():
                pause.wait(LOOK_SECONDS)

    def _waited_for(self) -> bool:
        return any(len(writer.waiters) for writer in self._writers)
