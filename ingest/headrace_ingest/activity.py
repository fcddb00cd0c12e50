"""Whether anybody uses this daemon: for ``--exit-idle``."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Activity:
    """Counts calls and streams that are open."""

    def __init__(self) -> None:
        self._open = 0
        self._last = time.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A call or stream, as long as it is open."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            self._last = time.monotonic()

    def idle_seconds(self) -> float:
        """How long nothing was open; 0 while something is."""
        return 0.0 if self._open else time.monotonic() - self._last
