"""Background work: which daemon process does it, and as whom."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from headrace_ingest.incarnation import Incarnation
from headrace_storage.catalog.incarnations import Incarnations

LEASE: Final = "housekeeping"
LEASE_SECONDS: Final = 15.0
"""How long a holder that dies keeps others waiting."""

Task = Callable[[], Awaitable[None]]
"""Endless, and safe to cancel."""


class Lease:
    """Whether this process is the one that keeps house. Asks the database only when the answer gets old."""

    def __init__(
        self, incarnations: Incarnations, holder: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._incarnations = incarnations
        self._holder = holder
        self._clock = clock
        self._certain_until = 0.0

    async def held(self) -> bool:
        """Whether it is, for some seconds more at least. CatalogUnavailableError when nobody knows."""
        asked_at = self._clock()
        if asked_at < self._certain_until:
            return True
        if not await self._incarnations.try_lease(LEASE, self._holder, LEASE_SECONDS):
            return False
        # The rest of the time is for the work that begins after the question.
        self._certain_until = asked_at + LEASE_SECONDS / 3
        return True


async def keep_house(incarnation: Incarnation, tasks_of: Callable[[int], Sequence[Task]]) -> None:
    """Runs the tasks of the current incarnation, anew when it is replaced, until cancelled."""
    while True:
        number = incarnation.current.number
        running = [asyncio.ensure_future(task()) for task in tasks_of(number)]
        try:
            await incarnation.replaced(number)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def bury_predecessors(incarnations: Incarnations) -> None:
    """Declares all dead, and frees their lease. Only for a database that belongs to this daemon alone."""
    for dead in await incarnations.mark_dead(older_than=0):
        await incarnations.release_lease(LEASE, dead)
