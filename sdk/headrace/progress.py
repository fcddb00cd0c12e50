"""Progress of what takes long, on standard error. ``HEADRACE_PROGRESS`` switches it on or off.

By default it is shown on a terminal only, and only when something takes more than two seconds.
"""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""Begins something with a name and a number of bytes (0: unknown); what it gives is told bytes that came."""

QUIET_SECONDS = 2.0
AGAIN_SECONDS = 0.2


@contextmanager
def silent(_name: str, _total: int) -> Iterator[Callable[[int], None]]:
    """Shows nothing."""
    yield lambda _: None


@contextmanager
def line(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A line that is written over and over."""
    begun = shown = time.monotonic()
    came = 0

    def advance(count: int) -> None:
        nonlocal came, shown
        came += count
        now = time.monotonic()
        if now - begun >= QUIET_SECONDS and now - shown >= AGAIN_SECONDS:
            shown = now
            part = f" of {total / 1e6:,.0f} MB" if total else " MB"
            rate = came / 1e6 / (now - begun)
            _show(f"\r{name[-40:]}: {came / 1e6:,.0f}{part}, {rate:,.0f} MB/s\x1b[K")

    try:
        yield advance
    finally:
        if shown > begun:
            _show("\r\x1b[K")


def _show(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def wanted() -> Progress:
    """What the environment says, or the terminal."""
    said = os.environ.get("HEADRACE_PROGRESS", "").lower()
    if said:
        return line if said in {"1", "true", "yes", "on"} else silent
    return line if sys.stderr is not None and sys.stderr.isatty() else silent
