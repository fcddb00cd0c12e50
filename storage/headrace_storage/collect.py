"""Deletes objects that nobody can read any more, and those that nobody ever could.

The first are retired ones, after a grace period for readers that know them. The second are what daemons
that died left between storing an object and registering it: once an incarnation is dead, which is declared
in a transaction of its own, nothing of its is registered any more.
"""

from typing import Final

import structlog

from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.segments import Segments
from headrace_storage.failpoints import failpoint
from headrace_storage.objects import ObjectStore
from headrace_storage.periodic import Lease, always, repeat
from headrace_storage.segments.write import incarnation_prefix

_log = structlog.get_logger()

_BATCH: Final = 500


class Collector:
    """The task that deletes. Several at once do no harm."""

    def __init__(
        self,
        segments: Segments,
        incarnations: Incarnations,
        store: ObjectStore,
        incarnation: int,
        *,
        lease: Lease = always,
        interval: float = 30.0,
        grace: float = 3600.0,
        dead_after: float = 120.0,
    ) -> None:
        """``grace``: seconds that a retired object stays. ``dead_after``: seconds without a heartbeat."""
        self._segments = segments
        self._incarnations = incarnations
        self._store = store
        self._incarnation = incarnation
        self._lease = lease
        self._interval = interval
        self._grace = grace
        self._dead_after = dead_after

    async def run(self) -> None:
        """Collect for ever."""
        await repeat("collect", self.once, self._interval)

    async def once(self) -> int:
        """Delete what can go now; how many objects it was."""
        if not await self._lease():
            return 0
        return await self._delete_retired() + await self._delete_orphans()

    async def _delete_retired(self) -> int:
        deleted = 0
        while paths := await self._segments.garbage(self._grace, _BATCH):
            for path in paths:
                await self._store.delete(path, missing_ok=True)
            await self._segments.forget_garbage(paths)
            deleted += len(paths)
        return deleted

    async def _delete_orphans(self) -> int:
        # After a machine's sleep this daemon's own heartbeat is as old as those of the dead.
        await self._incarnations.heartbeat(self._incarnation)
        deleted = 0
        for incarnation in await self._incarnations.mark_dead(self._dead_after):
            await failpoint("collect")
            found = await self._store.list(incarnation_prefix(incarnation))
            orphans = await self._segments.unregistered(found)
            for path in orphans:
                await self._store.delete(path, missing_ok=True)
            await self._incarnations.forget(incarnation)
            if orphans:
                _log.info("deleted unregistered objects", incarnation=incarnation, objects=len(orphans))
            deleted += len(orphans)
        return deleted
