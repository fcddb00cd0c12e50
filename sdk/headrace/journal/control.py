"""The control page: the numbers that the writer and its shipper share through memory.

Each store is one aligned native 8-byte store (``memoryview.cast("Q")``; ``struct`` with "<" would store
byte by byte), so a reader in another process sees the old number or the new one. On x86 stores become
visible in program order, so a tail that is seen implies its cells; other processors would need a barrier
in the *reading process* between the tail and the cells, which ``reader.py`` gets from the system calls it
reads with.
"""

import mmap
import os
from pathlib import Path

from headrace.errors import JournalError
from headrace.journal import layout


def create_control(folder: Path) -> memoryview:
    """A fresh control page in ``folder``, as 8-byte numbers."""
    descriptor = os.open(folder / layout.CONTROL, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, layout.CONTROL_SIZE)
        page = memoryview(mmap.mmap(descriptor, layout.CONTROL_SIZE)).cast("Q")
    finally:
        os.close(descriptor)
    page[layout.MAGIC_AT] = layout.MAGIC
    return page


def open_control(folder: Path) -> memoryview:
    """The control page of an existing journal. :class:`JournalError` when it is none."""
    path = folder / layout.CONTROL
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        raise JournalError(f"no journal at {folder}: {error.strerror}") from error
    try:
        if os.fstat(descriptor).st_size != layout.CONTROL_SIZE:
            raise JournalError(f"{path} is not a control page of this version")
        page = memoryview(mmap.mmap(descriptor, layout.CONTROL_SIZE)).cast("Q")
    finally:
        os.close(descriptor)
    if page[layout.MAGIC_AT] != layout.MAGIC:
        raise JournalError(f"{path} is not a control page of this version")
    return page
