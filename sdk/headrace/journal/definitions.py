"""The definitions file: names of runs and series, on disk before the first cell that uses them."""

import errno
import os
from pathlib import Path

from headrace.journal import layout
from headrace_proto import wire


class Definitions:
    """Appends frames and hands out numbers. One caller at a time: the writer's lock."""

    def __init__(self, folder: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._descriptor = os.open(folder / layout.DEFINITIONS, flags, 0o600)
        self._runs = 0
        self._series = 0

    def run(self, run_id: str, attempt: str) -> int:
        """Defines a run and returns its number."""
        self._append(wire.run_frame(wire.RunDefinition(self._runs, run_id, attempt)))
        self._runs += 1
        return self._runs - 1

    def series(self, run: int, key: str) -> int:
        """Defines a series and returns its number."""
        self._append(wire.series_frame(wire.SeriesDefinition(self._series, run, key)))
        self._series += 1
        return self._series - 1

    def _append(self, frame: bytes) -> None:
        # A number is handed out only after its whole frame is in the file. An exception out of a signal
        # handler may leave a frame whose number was not: the next one defines that number again, and the
        # last definition counts. A frame that a full disk cut is cut off, so that the next can be read.
        size = os.fstat(self._descriptor).st_size
        written = 0
        try:
            written = os.write(self._descriptor, frame)
        finally:
            if 0 < written < len(frame):
                os.ftruncate(self._descriptor, size)
        if written < len(frame):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)
