"""Asking the daemon over HTTP, where files are."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from headrace.core import Core
from headrace.shipping.http import Http

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetch(Generic[T]):
    """Something to ask over a connection (``calls.Question``). Waits for the process's own uploads first."""

    work: Callable[[Http], T]

    def ask(self, core: Core, timeout: float) -> T:
        """The answer; it takes as long as the bytes take."""
        core.settle(timeout, files=True)
        return core.files.over_http(self.work)

    async def ask_async(self, core: Core, timeout: float) -> T:
        """The answer, on the caller's loop: the bytes go through a thread."""
        await core.settle_async(timeout, files=True)
        return await asyncio.to_thread(core.files.over_http, self.work)
