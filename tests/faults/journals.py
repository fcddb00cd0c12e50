"""How far the journals of a folder are delivered, looked up in their control pages."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from headrace.errors import JournalError
from headrace.journal import layout
from headrace.journal.control import open_control


class Place(NamedTuple):
    """A journal's writer, by process and tracking URI, and its numbers."""

    pid: int
    uri: str
    tail: int
    committed: int


class Journals:
    """All journals below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[Path, tuple[int, str, memoryview]] = {}

    def places(self) -> Mapping[str, Place]:
        """Where each journal is, by its writer's name."""
        for path in self.root.glob("*/[0-9a-f]*/writer.json"):
            if path.parent not in self._open:
                with contextlib.suppress(OSError, JournalError, ValueError):
                    header = json.loads(path.read_text())
                    self._open[path.parent] = (
                        int(header["labels"]["pid"]),
                        header["uri"],
                        open_control(path.parent),
                    )
        return {
            path.name: Place(pid, uri, numbers[layout.TAIL], numbers[layout.COMMITTED])
            for path, (pid, uri, numbers) in list(self._open.items())  # several threads look
        }

    def forget(self) -> None:
        """Lets go of their pages."""
        self._open.clear()
