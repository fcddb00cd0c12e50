"""Asking the daemon: one call, or several that depend on one another."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from headrace.core import Core
from headrace.errors import AlreadyExistsError, HeadraceError, InvalidArgumentError, NotFoundError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Question(Protocol[T_co]):
    """Something to ask: a :class:`Call` or a :class:`Talk`."""

    def ask(self, core: Core, timeout: float) -> T_co:
        """The answer; each call may take ``timeout`` seconds."""
        ...

    async def ask_async(self, core: Core, timeout: float) -> T_co:
        """The answer, on the caller's loop."""
        ...


Pages = Callable[[str | None], Question[T]]
"""What to ask for the page of a token, ``None`` for the first; an answer's ``token`` is the next one's."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One RPC of the Tracking service. ``streams``: the answer is a list of messages."""

    method: str
    request: Any
    read: Callable[[Any], T]
    streams: bool = False

    def ask(self, core: Core, timeout: float) -> T:
        """The daemon's answer, within ``timeout`` seconds."""
        return self.read((core.stream if self.streams else core.call)(self.method, self.request, timeout))

    def ask_at_start(self, core: Core) -> T | None:
        """The daemon's answer if it comes soon; else ``None``, as in a forked child, which cannot ask."""
        try:
            return self.ask(core, core.settings.start_timeout)
        except (NotFoundError, AlreadyExistsError, InvalidArgumentError):
            raise
        except HeadraceError:
            return None

    async def ask_async(self, core: Core, timeout: float) -> T:
        """The daemon's answer, within ``timeout`` seconds; on the caller's loop."""
        answer = core.stream_async if self.streams else core.call_async
        response = await answer(self.method, self.request, timeout)
        return await asyncio.to_thread(self.read, response) if self.streams else self.read(response)


Steps = Generator[Call[Any], Any, T]
"""Yields calls, is sent their answers (or thrown their errors), and returns what they amount to."""


@dataclass(frozen=True, slots=True)
class Talk(Generic[T]):
    """Calls that depend on the answers before them."""

    steps: Callable[[], Steps[T]]

    def ask(self, core: Core, timeout: float) -> T:
        """What they amount to; each may take ``timeout`` seconds."""
        steps = self.steps()
        try:
            call = next(steps)
            while True:
                try:
                    answer = call.ask(core, timeout)
                except HeadraceError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def ask_async(self, core: Core, timeout: float) -> T:
        """What they amount to, on the caller's loop."""
        steps = self.steps()
        try:
            call = next(steps)
            while True:
                try:
                    answer = await call.ask_async(core, timeout)
                except HeadraceError as error:
                    call = steps.throw(error)
                else:
                    call = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
