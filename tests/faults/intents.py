"""The diary of a logging process: what it is about to call, and how many calls returned.

A memory-mapped file, so that it survives SIGKILL as the journal does: eight 8-byte words, then a record per
call (step i64, key i64), stored before the call. The standard library alone: it runs in what is measured.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Final

from checker import SPAN

HEAD: Final = 64
RECORD: Final = struct.Struct("<qq")

INTENDED: Final = 0
RETURNED: Final = 1
STOP: Final = 2
PID: Final = 3
NUMBER: Final = 4
LAUNCH: Final = 5
FORK: Final = 6


class Diary:
    """One stream of calls; ``words`` are the numbers in its head."""

    def __init__(
        self, path: Path, number: int | None = None, launch: int = 0, *, is_fork: bool = False
    ) -> None:
        """Begins the diary of stream ``number`` of a launch, or opens an existing one."""
        if number is not None:
            draft = path.with_suffix(".draft")
            with draft.open("wb") as file:
                file.truncate(HEAD + SPAN * RECORD.size)  # sparse
                file.write(struct.pack("<7Q", 0, 0, 0, os.getpid(), number, launch, is_fork))
            draft.rename(path)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self.words = memoryview(self._map)[:HEAD].cast("Q")
        self.number = self.words[NUMBER]

    def intend(self, step: int, key: int) -> int:
        """Notes the next call; its index."""
        index = self.words[INTENDED]
        RECORD.pack_into(self._map, HEAD + index * RECORD.size, step, key)
        self.words[INTENDED] = index + 1
        return index

    @property
    def records(self) -> bytes:
        """Everything that was intended."""
        return self._map[HEAD : HEAD + self.words[INTENDED] * RECORD.size]
