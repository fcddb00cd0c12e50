"""Having functions called when a process ends, in ``multiprocessing``'s children too."""

import atexit
import multiprocessing.process
import os
from collections.abc import Callable

_registered: dict[Callable[[], None], int] = {}


def at_end(function: Callable[[], None], priority: int) -> None:
    """Has this process call ``function`` when it ends, once however often this is said.

    ``multiprocessing``'s children do not run ``atexit``; there, a higher ``priority`` comes first. Elsewhere,
    what was registered last comes first.
    """
    if _registered.get(function) == os.getpid():
        return
    _registered[function] = os.getpid()
    if multiprocessing.process.parent_process() is None:
        atexit.register(function)
    else:
        from multiprocessing import util  # noqa: PLC0415 - only in its children

        util.Finalize(None, function, exitpriority=priority)
