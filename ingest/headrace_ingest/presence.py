"""Tells the catalog which runs have a writer here; whoever keeps house ends those that have none anywhere."""

from typing import Final

import structlog

from headrace_ingest.attendance import Attendance
from headrace_ingest.config import DEFAULT_RUN_LEASE
from headrace_storage.catalog.presences import Presences
from headrace_storage.periodic import Lease, repeat

log = structlog.get_logger("headrace")

_MOST_OFTEN: Final = 0.5
_LEAST_OFTEN: Final = 30.0
"""Seconds."""


def interval(lease: float) -> float:
    """Seconds between two times of telling: several before others would call it a break."""
    return min(max(lease / 8, _MOST_OFTEN), _LEAST_OFTEN)


class Presence:
    """The task of every daemon process. It costs one statement, whatever is logged."""

    def __init__(
        self, presences: Presences, attendance: Attendance, lease: float | None, *, keeps_house: Lease
    ) -> None:
        """``lease``: seconds without a writer after which a run is ended; ``None``: never, from here."""
        self._presences = presences
        self._attendance = attendance
        self._lease = lease
        self._keeps_house = keeps_house

    async def run(self) -> None:
        """Tell for ever."""
        await repeat("presence", self.once, interval(self._lease or DEFAULT_RUN_LEASE))

    async def once(self) -> None:
        """Tell who is here, and end what lapsed."""
        runs = self._attendance.runs()
        returned = await self._presences.tell(runs, self._lease or DEFAULT_RUN_LEASE)
        self._attendance.told(runs)
        for run in returned:
            log.info("a writer of a lapsed run is back, it is running again", run=run)
        # Only now, so that a daemon that was stopped for a while ends none of its own.
        if self._lease is not None and await self._keeps_house():
            for run in await self._presences.expire(self._lease):
                log.info("a run has had no writer for the lease, it is killed", run=run, lease=self._lease)
