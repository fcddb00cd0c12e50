"""The ``rejects`` file: the refusals that the daemon reported, one JSON line each, beside the journal.

Whoever ships appends; the writing process reads, so that ``wait()`` sees them whoever ships. A refusal is
in the file before the committed sequence that passes it is stored.
"""

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from headrace.journal import layout
from headrace.journal.folder import sealed, unsealed

logger = logging.getLogger("headrace")

Reject = tuple[int, int, str, str]
"""First sequence, end, error code, message."""


def read_rejects(folder: Path) -> list[Reject]:
    """The refusals in a journal's file, up to the first line that is cut or damaged.

    Those after it are missing, and so are sent again as long as the journal is shipped.
    """
    return _intact(folder)[0]


def append_rejects(folder: Path, control: memoryview, rejects: Iterable[Reject]) -> None:
    """Adds refusals that are above those in the file, and publishes their number."""
    known, intact = _intact(folder)
    last = max((reject[0] for reject in known), default=-1)
    fresh = [reject for reject in rejects if reject[0] > last]
    descriptor = os.open(folder / layout.REJECTS_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, intact)
        lines = b"".join(_line(reject) for reject in fresh)
        os.pwrite(descriptor, lines, intact)
    finally:
        os.close(descriptor)
    control[layout.REJECTS] = len(known) + len(fresh)


def _intact(folder: Path) -> tuple[list[Reject], int]:
    """The refusals in intact lines, and where these end."""
    try:
        lines = (folder / layout.REJECTS_FILE).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return [], 0
    rejects: list[Reject] = []
    end = 0
    for line in lines:
        try:
            entry = unsealed(json.loads(line))
            reject = int(entry["first"]), int(entry["end"]), str(entry["code"]), str(entry["message"])
        except (ValueError, KeyError, TypeError):
            logger.warning("%s is damaged from byte %d on", folder / layout.REJECTS_FILE, end)
            break
        rejects.append(reject)
        end += len(line) + 1
    return rejects, end


def _line(reject: Reject) -> bytes:
    first, end, code, message = reject
    content = {"first": first, "end": end, "code": code, "message": message}
    return json.dumps(sealed(content)).encode() + b"\n"
