"""Brings the stored summaries up to date with what was committed."""

import structlog

from headrace_storage.catalog.summaries import Summaries
from headrace_storage.errors import SegmentCorruptError, SegmentMissingError
from headrace_storage.periodic import Lease, always, repeat

_log = structlog.get_logger()


class Fold:
    """The task that folds. Several at once are right, but waste work: ``lease`` keeps it to one."""

    def __init__(
        self, summaries: Summaries, *, lease: Lease = always, interval: float = 1.0, batch: int = 512
    ) -> None:
        self._summaries = summaries
        self._lease = lease
        self._interval = interval
        self._batch = batch
        self._damaged: set[int] = set()

    async def run(self) -> None:
        """Fold for ever."""
        await repeat("fold", self.once, self._interval)

    async def once(self) -> int:
        """Fold what is unfolded now; how many segments it was.

        What is committed meanwhile waits for the next time: many commits that are folded together cost as
        much as one, where they have the same keys.
        A damaged segment stays unfolded: it is named in the log, once, and readers of its runs are told.
        """
        if not await self._lease():
            return 0
        total, newest = 0, await self._summaries.newest_unfolded()
        while newest and await self._lease():
            try:
                folded = await self._summaries.fold(self._batch, self._damaged, newest)
            except (SegmentCorruptError, SegmentMissingError) as error:
                if error.segment_id is None:
                    raise
                self._damaged.add(error.segment_id)
                _log.error("segment cannot be folded", segment=error.path, error=str(error))
                continue
            total += folded
            if not folded:
                break
        return total
