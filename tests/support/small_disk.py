"""A file system of a few kilobytes or megabytes, to be really full."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2


@contextlib.contextmanager
def small_disk(at: Path, size: str) -> Iterator[Path]:
    """A tmpfs of ``size`` ("4m") at the folder ``at``; skips the test where mounting is not permitted."""
    at.mkdir(parents=True, exist_ok=True)
    if _libc.mount(b"none", os.fsencode(at), b"tmpfs", 0, f"size={size}".encode()) != 0:
        pytest.skip(f"a file system cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield at
    finally:
        _libc.umount2(os.fsencode(at), _MNT_DETACH)


def fill(disk: Path) -> Path:
    """A file that takes all the room that is left."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    return ballast
