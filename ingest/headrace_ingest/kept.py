"""What streams have the daemon keep beside cells that wait for a commit, and who pays when it is too much.

Definitions and cut records stay as long as their stream. No waiting would make room for them, so that past
the bound a stream has to end: the one that keeps most, whoever asked for more. No I/O.
"""

from collections import deque
from collections.abc import Callable


class Budget:
    """Memory that all streams of a process may keep together."""

    def __init__(self, bound: int) -> None:
        self.used = 0
        self._bound = bound
        self._shares: list[Share] = []
        # Memory is freed in any thread and in the middle of anything; appending is safe there.
        self.freed: deque[tuple[Share, int]] = deque()

    def share(self, evict: Callable[[], None]) -> "Share":
        """A stream's part; ``evict`` is called once, when the stream has to end."""
        share = Share(self, evict)
        self._shares.append(share)
        return share

    def add(self, share: "Share", size: int) -> None:
        """Counts ``size`` more for ``share``; ends streams as long as it is too much."""
        self._count(share, size)
        while self.freed:
            freed, by = self.freed.popleft()
            self._count(freed, -by)
        if self.used > self._bound:
            self._make_room()

    def _count(self, share: "Share", size: int) -> None:
        share.size += size
        self.used += size

    def _make_room(self) -> None:
        self._shares = [share for share in self._shares if share.size or not share.over]
        # What a stream keeps that is over is freed in a moment.
        used = sum(share.size for share in self._shares if not share.over)
        for share in sorted(self._shares, key=lambda share: share.size, reverse=True):
            if used <= self._bound:
                return
            if not share.over:
                used -= share.size
                share.over = True
                share.evict()


class Share:
    """What one stream keeps. ``over``: the stream has ended or will at once."""

    def __init__(self, budget: Budget, evict: Callable[[], None]) -> None:
        self.size = 0
        self.over = False
        self.budget = budget
        self.evict = evict


class Kept:
    """One thing that is kept, as large as ``size`` says, until the object is gone."""

    def __init__(self, share: Share) -> None:
        self.size = 0
        self._share = share

    def resize(self, size: int) -> None:
        """Counts ``size`` bytes instead of those before."""
        change, self.size = size - self.size, size
        if change:
            self._share.budget.add(self._share, change)

    def __del__(self) -> None:
        self._share.budget.freed.append((self._share, self.size))


def unbounded() -> Share:
    """A part of a budget without a bound, for what stands alone."""
    return Budget(1 << 62).share(lambda: None)
