"""The ``rejects`` file: the refusals that the daemon reported, one JSON line each, beside the journal.

Whoever ships appends; the writing process reads, so that ``wait()`` sees them whoever ships. A refusal is
in the file before the committed sequence that passes it is stored.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from headrace.journal import layout

Reject = tuple[int, int, str, str]
"""First sequence, end, error code, message."""


def read_rejects(folder: Path) -> list[Reject]:
    """The refusals in a journal's file. A last line that was cut does not count: it will be sent again."""
    try:
        lines = (folder / layout.REJECTS_FILE).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    entries = map(json.loads, lines)
    return [(entry["first"], entry["end"], entry["code"], entry["message"]) for entry in entries]


def append_rejects(folder: Path, control: memoryview, rejects: Iterable[Reject]) -> None:
    """Adds refusals that are above those in the file, and publishes their number."""
    known = read_rejects(folder)
    last = max((reject[0] for reject in known), default=-1)
    fresh = [reject for reject in rejects if reject[0] > last]
    path = folder / layout.REJECTS_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        data = path.read_bytes()
        intact = data.rfind(b"\n") + 1
        os.ftruncate(descriptor, intact)
        lines = b"".join(_line(reject) for reject in fresh)
        os.pwrite(descriptor, lines, intact)
    finally:
        os.close(descriptor)
    control[layout.REJECTS] = len(known) + len(fresh)


def _line(reject: Reject) -> bytes:
    first, end, code, message = reject
    return json.dumps({"first": first, "end": end, "code": code, "message": message}).encode() + b"\n"
