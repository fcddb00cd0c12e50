"""Where the tasks of an event loop wait: printed from a signal handler, so it must never raise."""

import asyncio
import faulthandler
import sys
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any


def print_stacks(loop: asyncio.AbstractEventLoop | None) -> None:
    """Prints every task of ``loop`` with what it awaits, innermost last, and the threads."""
    try:
        for task in asyncio.all_tasks(loop) if loop else ():
            places = " > ".join(_awaited(task.get_coro()))
            print(f"task {task.get_name()}: {places}", file=sys.stderr)
    except Exception:  # noqa: BLE001 - the program under test must not notice
        traceback.print_exc()
    faulthandler.dump_traceback(sys.stderr)
    sys.stderr.flush()


def _awaited(coroutine: Any) -> Iterator[str]:
    """The chain of coroutines that wait for one another; ones that are not Python's by name only."""
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
        line = getattr(frame, "f_lineno", None)
        yield f"{name}:{line}" if line else str(name)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
