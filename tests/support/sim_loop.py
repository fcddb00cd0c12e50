"""An event loop without a clock and without I/O: time jumps to the next thing that is to happen."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class StalledError(AssertionError):
    """Everything waits, and nothing will ever happen again."""


class _NoSelector:
    """What the loop asks how long to wait: it does not wait."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise StalledError(f"everything waits for ever at {self._loop.now:.3f} s")
        self._loop.now += timeout
        self._loop.turns += 1
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready, in order; when nothing is, the clock moves to the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0
        self._selector = _NoSelector(self)
        self._clock_resolution = 1e-9
        self.failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.failures.append(context))

    def time(self) -> float:
        return self.now

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """Runs it here: there are no threads in a simulation."""
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - as the executor does
            future.set_exception(error)
        return future


def simulate(main: Callable[[VirtualLoop], Coroutine[Any, Any, Result]]) -> Result:
    """Runs ``main`` in a loop of its own, and ends what it left."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main(loop))
    finally:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.close()
