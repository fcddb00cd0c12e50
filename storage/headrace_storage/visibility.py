"""Which points a run shows: the rules of rewinds and forks. No I/O.

Attempts of a run have numbers, from 1; points that name no attempt count as of number 0. A rewind belongs to
the attempt that made it and hides what earlier attempts logged from its step on, however late that comes. A
fork shows what another run showed when it was made, up to and including a step. So what a run shows of a
source (itself, or a run that it inherits from) is told by a last visible step for each attempt, which does
not depend on what was logged.
"""

import json
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

LAST: Final = 2**63 - 1
"""The largest step: it is visible, so all are."""


class Rewind(NamedTuple):
    """Points of attempts before ``number`` are hidden from ``step`` on, unless it was undone. Times in ms."""

    number: int
    step: int
    created_at: int
    undone_at: int | None = None


class Bound(NamedTuple):
    """Of attempts up to ``through`` (and after that of the bound before), steps up to ``last_step``."""

    through: int
    last_step: int


Bounds = Sequence[Bound]
"""Ascending by ``through``."""


def own_bounds(rewinds: Sequence[Rewind]) -> list[Bound]:
    """What a run's rewinds leave of its own attempts; of those after the last bound, all."""
    bounds: list[Bound] = []
    last = LAST
    for rewind in sorted(_active(rewinds), reverse=True):
        last = min(last, rewind.step - 1)
        bounds.append(Bound(rewind.number - 1, last))
    return bounds[::-1]


def shown(run_id: str, rewinds: Sequence[Rewind], inherited: Mapping[str, Bounds]) -> dict[str, Bounds]:
    """By source, what a run shows; empty: simply its own points."""
    own: Bounds = own_bounds(rewinds)
    if not own and not inherited:
        return {}
    last = min((bound.last_step for bound in own), default=LAST)
    return {run_id: own} | {source: _cut(bounds, last) for source, bounds in inherited.items()}


def inherit(
    parent: str, attempts: int, rewinds: Sequence[Rewind], inherited: Mapping[str, Bounds], step: int
) -> dict[str, Bounds]:
    """What a fork of ``parent``, which has had so many attempts, inherits up to and including ``step``."""
    views = shown(parent, rewinds, inherited)
    views[parent] = [*views.get(parent, ()), Bound(attempts, LAST)]
    return {source: _cut(bounds, step) for source, bounds in views.items()}


class View(NamedTuple):
    """What ``run_id`` shows of ``source``. ``numbers`` are those of the source's attempts, by token."""

    run_id: str
    source: str
    bounds: Bounds = ()
    numbers: Mapping[str, int] = {}

    @property
    def is_own(self) -> bool:
        """Whether it is of the run's own points, of which attempts beyond the bounds are visible."""
        return self.source == self.run_id

    def last_step(self, attempt: str) -> int | None:
        """The last visible step of an attempt; ``None``: it is hidden."""
        number = self.numbers.get(attempt) if attempt else 0
        if number is not None:
            at = bisect_left(self.bounds, (number,))
            if at < len(self.bounds):
                return self.bounds[at].last_step
        return LAST if self.is_own else None

    @property
    def certain(self) -> int | None:
        """A step up to which all is visible, whatever its attempt; ``None``: there is none."""
        return min((bound.last_step for bound in self.bounds), default=LAST) if self.is_own else None

    def limits(self) -> dict[str, int]:
        """The last visible step of each attempt that has one, by token."""
        found = {token: self.last_step(token) for token in ("", *self.numbers)}
        return {
            token: last
            for token, last in found.items()
            if last is not None and (last < LAST or not self.is_own)
        }


def decode_views(text: str | None) -> list[View]:
    """The views that the catalog's ``views_of`` tells of."""
    return [
        View(run_id, source, list(map(Bound, throughs, lasts)), numbers or {})
        for run_id, source, throughs, lasts, numbers in json.loads(text or "[]")
    ]


def _active(rewinds: Sequence[Rewind]) -> list[Rewind]:
    return [rewind for rewind in rewinds if rewind.undone_at is None]


def _cut(bounds: Bounds, last: int) -> Bounds:
    return [Bound(bound.through, min(bound.last_step, last)) for bound in bounds]
