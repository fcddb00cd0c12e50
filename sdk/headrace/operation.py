"""RunOperation: the future of one logging call.

*Written* is the moment the call returned: the operation is in the journal and survives the process.
*Durable and visible* is what ``wait()`` waits for: committed in the catalog, seen by every reader.
"""

import asyncio
import contextlib
import heapq
import logging
import threading
from collections.abc import Callable, Generator
from typing import Final, Protocol

from headrace.errors import DroppedError, OperationTimeoutError, RejectedError

logger = logging.getLogger("headrace")


DROPPED: Final = "DROPPED"
"""The code that a fate gives for an operation that was never written: ``wait()`` raises DroppedError."""


class Waiters:
    """Callbacks by sequence: each is called once the writer is committed up to it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._heap: list[tuple[int, int, Callable[[], object]]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, end: int, callback: Callable[[], object]) -> None:
        """Has ``callback`` called once the writer is committed up to ``end``."""
        with self._lock:
            self._count += 1
            heapq.heappush(self._heap, (end, self._count, callback))

    def advance(self, committed: int) -> None:
        """Calls what waited for a sequence up to ``committed``."""
        due = []
        with self._lock:
            while self._heap and self._heap[0][0] <= committed:
                due.append(heapq.heappop(self._heap)[2])
        for callback in due:
            try:
                callback()
            except Exception:  # a user's callback, in the thread that everything else depends on
                logger.exception("a callback of an operation failed")


class Fate(Protocol):
    """What an operation asks of its writer."""

    @property
    def name(self) -> str:
        """The writer's id, for messages."""

    def committed(self) -> int:
        """The first sequence that is not durable yet."""

    def when_committed(self, end: int, callback: Callable[[], object]) -> None:
        """Calls back, from any thread, once ``committed() >= end``; at once when it is."""

    def reject(self, first: int, end: int) -> tuple[str, str] | None:
        """Code and message of the first refusal in ``[first, end)``."""


class RunOperation:
    """One logging call on its way: ``op.wait()``, ``await op``, or leave it alone.

    Logging never depends on this object; dropping it drops nothing. The methods may be called from any
    thread, ``await`` from any event loop.
    """

    __slots__ = ("_end", "_first", "_writer")

    def __init__(self, writer: Fate, first: int, end: int) -> None:
        self._writer = writer
        self._first = first
        self._end = end

    def done(self) -> bool:
        """Whether the operation is durable and visible, or was refused."""
        return self._writer.committed() >= self._end

    def wait(self, timeout: float | None = None) -> None:
        """Returns once the operation is durable and visible to every reader.

        Args:
            timeout: seconds; ``None`` waits as long as it takes.

        Raises:
            RejectedError: the server refused it.
            DroppedError: there was no room for it, and ``HEADRACE_ON_FULL`` says ``drop``.
            OperationTimeoutError: not durable within ``timeout``; it stays on its way.
        """
        self._settle(timeout)
        if error := self._refusal():
            raise error

    def exception(self, timeout: float | None = None) -> RejectedError | DroppedError | None:
        """Waits as :meth:`wait` does and returns the refusal, ``None`` when there is none."""
        self._settle(timeout)
        return self._refusal()

    def add_done_callback(self, fn: Callable[["RunOperation"], object]) -> None:
        """Calls ``fn(operation)`` once done, from the thread that learns it; at once when it is done."""
        self._writer.when_committed(self._end, lambda: fn(self))

    def __await__(self) -> Generator[None, None, None]:
        if not self.done():
            loop = asyncio.get_running_loop()
            future = loop.create_future()

            def wake() -> None:
                with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                    loop.call_soon_threadsafe(lambda: None if future.done() else future.set_result(None))

            self._writer.when_committed(self._end, wake)
            yield from future
        if error := self._refusal():
            raise error

    def __repr__(self) -> str:
        state = "done" if self.done() else "pending"
        span = f"{self._first}" if self._end - self._first == 1 else f"{self._first}..{self._end - 1}"
        return f"<RunOperation {state}, sequence {span} of writer {self._writer.name}>"

    def _settle(self, timeout: float | None) -> None:
        if self.done():
            return
        event = threading.Event()
        self._writer.when_committed(self._end, event.set)
        if not event.wait(timeout):
            raise OperationTimeoutError(f"not durable after {timeout} s: {self!r}; it stays in the journal")

    def _refusal(self) -> RejectedError | DroppedError | None:
        reject = self._writer.reject(self._first, self._end)
        if reject is None:
            return None
        code, message = reject
        if code == DROPPED:
            return DroppedError(message, operation=self)
        return RejectedError(code, message, operation=self)
