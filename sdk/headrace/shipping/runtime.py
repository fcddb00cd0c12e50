"""The one event loop of the process that owns gRPC, in a thread of its own.

Several loops in a process make gRPC's poller raise BlockingIOError storms (grpc issue 25364); so every
tracking URI and every client shares this one. A forked child starts none: it must not use gRPC.
"""

import asyncio
import concurrent.futures
import contextlib
import ctypes
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

STOP_SECONDS = 2.0


class Runtime:
    """A daemon thread that runs an event loop until the process ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="headrace-shipper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Runs a coroutine in the loop; from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def stop(self) -> None:
        """Cancels what runs in the loop, and ends it."""
        with contextlib.suppress(TimeoutError, concurrent.futures.CancelledError, RuntimeError):
            self.submit(_cancel_all()).result(STOP_SECONDS)
            self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(STOP_SECONDS)


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


_lock = threading.Lock()
_runtime: Runtime | None = None
_used = False
_forked = False


def runtime() -> Runtime:
    """The process's runtime, started at first use."""
    global _runtime, _used  # noqa: PLW0603 - one per process is the point
    with _lock:
        if _runtime is None:
            # Here and not in the loop's thread: a child forked in the middle of its import could never
            # import gRPC itself.
            import headrace.shipping.transport  # noqa: F401, PLC0415

            _used = True
            _runtime = Runtime()
        return _runtime


def stop() -> None:
    """Ends the loop and its thread, bounded; gRPC complains when the interpreter goes away around it."""
    global _runtime
    with _lock:
        ended, _runtime = _runtime, None
    if ended is not None:
        ended.stop()


def keep_for_ever(*things: object) -> None:
    """In a forked child: gRPC objects of the parent must not be used, not even be destroyed: that crashes."""
    for thing in things:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def forked() -> bool:
    """Whether a process that this one was forked from has used gRPC: this one must not."""
    return _forked


def forget() -> None:
    """In a forked child: the thread did not come along."""
    global _runtime, _lock, _forked  # noqa: PLW0603
    _forked = _used
    keep_for_ever(_runtime)
    _runtime = None
    _lock = threading.Lock()
