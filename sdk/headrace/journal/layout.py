"""What lies in a journal's folder, and what each number in its control page promises.

=================== ==========================================================================
``writer.json``     who writes: identity, tracking URI, host, pid, labels; written once
``control``         one mmap'ed page of native, aligned 8-byte numbers (below)
``definitions``     append-only, CRC-framed names of runs and series (``headrace_proto.wire``)
``FIRST.cells``     cells from sequence FIRST on (20 digits), allocated whole, mmap'ed by the writer
``rejects``         JSON lines: the refusals that the daemon reported
``writer.lock``     flock'ed by the process that writes, as long as it lives
``shipper.lock``    flock'ed by the process that ships
=================== ==========================================================================

Invariants of the control page: ``committed <= tail``, both only grow; every cell below ``tail`` is
complete (it is stored last); every definition that such a cell uses is in ``definitions``; every refusal
below ``committed`` is in ``rejects``.
"""

import sys
from typing import Final

CONTROL_SIZE: Final = 4096
MAGIC: Final = int.from_bytes(b"headrace", sys.byteorder)

# Indexes of 8-byte numbers in the control page. Apart by a cache line: writer's and shipper's.
MAGIC_AT: Final = 0
TAIL: Final = 8
COMMITTED: Final = 16
OPEN_NUMBER: Final = 17
REJECTS: Final = 18
ABSENT: Final = 19
"""1 while the shipper cannot reach the daemon."""
CLOSED: Final = 24
"""1 once the writer will append no more."""

FIRST_FILE: Final = 256 * 1024
LARGEST_FILE: Final = 16 * 1024 * 1024

WRITER: Final = "writer.json"
CONTROL: Final = "control"
DEFINITIONS: Final = "definitions"
REJECTS_FILE: Final = "rejects"
WRITER_LOCK: Final = "writer.lock"
SHIPPER_LOCK: Final = "shipper.lock"
CELLS_SUFFIX: Final = ".cells"


def cells_name(first: int) -> str:
    """The name of the file whose first cell has sequence ``first``."""
    return f"{first:020d}{CELLS_SUFFIX}"


def first_of(name: str) -> int:
    """The sequence of the first cell in a file of :func:`cells_name`."""
    return int(name.removesuffix(CELLS_SUFFIX))
