"""How libraries hand out memory: the daemon fills and frees the same large columns over and over."""

import asyncio
import ctypes
import os
from typing import Final

# From malloc.h of glibc.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_KEPT: Final = 64 << 20
"""Bytes of freed memory at the end of the heap that stay with the process."""

_RETURN_INTERVAL: Final = 2.0
"""Seconds."""

_LARGEST_MMAP_THRESHOLD: Final = 32 << 20


def keep_freed_memory() -> None:
    """Has freed memory used again, by all threads. Does nothing where the C library is not glibc.

    By default large columns go back to the kernel at once, and each page of the next ones is a fault; and
    there are pools of memory for each thread, and others for Arrow. Measured at full load: a third of the
    processor time, and twice the memory. To be called before Arrow is loaded; child processes inherit it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)


async def return_freed_memory() -> None:
    """Gives back to the kernel, every few seconds, what is free and lies between what is used.

    The threshold above counts only what is free at the end. Without this, the largest merge and the largest
    backlog that ever were stay in memory, however little of it is used. Endless.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(_RETURN_INTERVAL)
        await asyncio.to_thread(trim, _KEPT)
