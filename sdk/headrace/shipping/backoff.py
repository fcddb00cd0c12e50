"""How long to wait before the next attempt: doubling, bounded, with jitter so that clients spread out."""

import random


class Backoff:
    """Seconds between attempts: a random part of a span that doubles from ``first`` up to ``last``."""

    def __init__(self, first: float = 0.1, last: float = 10.0) -> None:
        self._first = first
        self._last = last
        self._span = first
        self._random = random.Random()  # noqa: S311 - spreads load; the training's own generator is not ours

    def next(self) -> float:
        """How long to wait now; at least half the span."""
        span, self._span = self._span, min(self._span * 2, self._last)
        return span * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """The attempt worked."""
        self._span = self._first
