"""The process's event loop, and how signals end it."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

import uvloop

from headrace_ingest.memory import keep_freed_memory


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs ``main`` in this process's one event loop."""
    keep_freed_memory()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


def stop_event() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process at once."""
    stop = asyncio.Event()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal, number)
    return stop
