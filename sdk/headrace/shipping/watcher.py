"""Watcher: tells waiting operations of their commit where another process ships the journal."""

import threading
from collections.abc import Callable

from headrace.journal.writer import Writer

LOOK_SECONDS = 0.005
REVIVE_SECONDS = 1.0
IDLE_REVIVE_SECONDS = 30.0
"""While nobody waits: the agent is also what shows that this process lives."""


class Watcher:
    """A thread that looks at control pages while an operation waits, and keeps the agent running."""

    def __init__(self, start_agent: Callable[[], None]) -> None:
        self._start_agent = start_agent
        self._writers: list[Writer] = []
        self._needed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, writer: Writer) -> None:
        """Watches a writer; from now on the agent is needed."""
        self._writers.append(writer)
        writer.watch = self._watch
        self._start_agent()

    def _watch(self) -> None:
        self._needed.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="headrace-watcher", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        looks = 0
        while True:
            if not any(len(writer.waiters) for writer in self._writers):
                self._needed.clear()
                if not any(len(writer.waiters) for writer in self._writers):
                    while not self._needed.wait(IDLE_REVIVE_SECONDS):
                        self._start_agent()
            for writer in self._writers:
                writer.waiters.advance(writer.committed())
            looks += 1
            if looks % int(REVIVE_SECONDS / LOOK_SECONDS) == 0:
                self._start_agent()  # it may have been idle and gone, or died
            pause.wait(LOOK_SECONDS)
