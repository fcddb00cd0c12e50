"""A metric as a curve of a few hundred buckets, however many points it has.

Points of segments with rollups (``segments/rollups.py``) are not read, except where they are few or where the
window of steps cuts a rollup. All others are: inline rows, short series, objects of older versions.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace_storage.catalog.segments import Segments
from headrace_storage.model import SegmentRef
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.columns import starts_of_groups
from headrace_storage.segments.points import Points, join
from headrace_storage.segments.read import SegmentReader, replanning
from headrace_storage.segments.rollups import ROLLUP, RUN, Rollups, chunks, merge, roll
from headrace_storage.visibility import LAST, View

_EXACT: Final = 1 << 20
"""Points up to which all are read when rollups would be coarser than what was asked for."""

_FINE: Final = 16
"""Rollups of raw points for each bucket: it may get one more or one less than its share."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chart: which series, at most how many buckets, and the window of steps, both ends in it."""

    run_id: str
    key: str
    buckets: int = 1000
    first_step: int = -(2**63)
    last_step: int = 2**63 - 1


class Charts:
    """Reads charts."""

    def __init__(self, segments: Segments, store: ObjectStore) -> None:
        self._segments = segments
        self._reader = SegmentReader(store)

    async def get(self, wanted: Wanted) -> Rollups:
        """The buckets, of dtype ROLLUP, ascending by first step, of all points committed before the call.

        Every point is in exactly one. Each has about the same number of points, so that steps far away from
        the others cost no resolution; where several points have a step, or rollups overlap, neighbours may
        share steps. No points, or no such run: no buckets.

        Raises:
            SegmentCorruptError, SegmentMissingError: a segment that is needed is damaged.
            CatalogUnavailableError: try again.
        """
        return await replanning(partial(self._get, wanted))

    async def _get(self, wanted: Wanted) -> Rollups:
        segments, views = await self._segments.plan([wanted.run_id])
        return await asyncio.to_thread(self._draw, segments, views, wanted)

    def _collect(
        self,
        plan: Sequence[SegmentRef],
        view: View,
        wanted: Wanted,
        stored: list[tuple[SegmentRef, Rollups]],
        rest: "Rest",
    ) -> None:
        """What a view shows: rollups into ``stored``, and into ``rest`` the points that have none.

        Rollups do not tell their attempt: they count where all attempts' points are visible.
        """
        window = wanted.first_step, wanted.last_step
        inline = [ref for ref in plan if ref.path is None]
        if inline:
            rest.add(self._reader.read_visible_points(inline, view, wanted.key).between(*window))
        for ref in plan:
            if ref.path is None:
                continue
            found = self._reader.read_rollups(ref, view.source, wanted.key)
            if found is None:
                rest.add(self._reader.read_visible_points([ref], view, wanted.key).between(*window))
                continue
            rollups = _only(found, (found["step_last"] >= window[0]) & (found["step_first"] <= window[1]))
            if view.certain == LAST:
                stored.append((ref, rollups))
                continue
            sure = np.zeros(len(rollups), bool)
            if view.certain is not None:
                sure = rollups["step_last"] <= view.certain
            stored.append((ref, _only(rollups, sure)))
            if not sure.all():
                rest.add(self._reader.read_points_of(ref, rollups[~sure], view).between(*window))

    def _draw(self, plan: Sequence[SegmentRef], views: Sequence[View], wanted: Wanted) -> Rollups:
        stored: list[tuple[SegmentRef, Rollups]] = []
        rest = Rest()
        for view in views or [View(wanted.run_id, wanted.run_id)]:
            self._collect(plan, view, wanted, stored, rest)
        items = rest.items + sum(len(rollups) for _, rollups in stored)
        count = rest.count + sum(int(rollups["count"].sum()) for _, rollups in stored)
        exactly = items < wanted.buckets and count <= _EXACT
        whole = []
        for ref, rollups in stored:
            cut = (rollups["step_first"] < wanted.first_step) | (rollups["step_last"] > wanted.last_step)
            split = np.ones(len(rollups), bool) if exactly else cut
            whole.append(_only(rollups, ~split))
            if split.any():
                points = self._reader.read_points_of(ref, rollups[split])
                rest.add(points.between(wanted.first_step, wanted.last_step))
        if not any(map(len, whole)):
            return rest.buckets(wanted.buckets)
        return into_buckets([*whole, rest.rolled(wanted.buckets)], wanted.buckets)


@dataclass(slots=True)
class Rest:
    """Points that were read, bounded in memory: the more of them, the coarser what is kept."""

    points: list[Points] = field(default_factory=list)
    rollups: list[Rollups] = field(default_factory=list)
    kept: int = 0
    items: int = 0
    count: int = 0

    def add(self, points: Points) -> None:
        """More points."""
        self.points.append(points)
        self.kept += len(points.step)
        self.items += len(points.step)
        self.count += len(points.step)
        if self.kept > _EXACT:
            self.rollups.append(_rolled(join(self.points), RUN))
            self.points, self.kept = [], 0

    def rolled(self, buckets: int) -> Rollups:
        """Rollups fine enough for so many buckets, as far as they can be."""
        fine = _rolled(join(self.points), max(1, self.kept // (_FINE * buckets)))
        return np.concatenate([*self.rollups, fine])

    def buckets(self, buckets: int) -> Rollups:
        """At most so many buckets of these points; mostly with the same number of points each."""
        if self.rollups or not self.kept:
            return into_buckets([self.rolled(buckets)], buckets)
        places = np.arange(self.kept) * buckets // self.kept
        return _rolled_from(join(self.points), starts_of_groups(places.astype(np.uint32)))


def into_buckets(parts: Sequence[Rollups], buckets: int) -> Rollups:
    """At most so many rollups, of about the same number of points each; none of the parts is split."""
    # In the order in which they mostly follow one another: a hundred thousand need no sorting then.
    found = sorted((part for part in parts if len(part)), key=lambda part: int(part["step_first"][0]))
    rollups = np.frombuffer(b"".join(np.ascontiguousarray(part).data for part in found), ROLLUP)
    steps = rollups["step_first"]
    if (steps[1:] < steps[:-1]).any():
        rollups = rollups[_stable(steps)]
    before = np.cumsum(rollups["count"]) - rollups["count"]
    total = max(1, int(rollups["count"].sum()))
    return merge(rollups, starts_of_groups((before * buckets // total).astype(np.uint32)))


def means(rollups: Rollups) -> NDArray[np.float64]:
    """The mean of the values that are not NaN; NaN without any, or with infinities of both signs."""
    low, high = rollups["min"], rollups["max"]
    with np.errstate(invalid="ignore"):
        mean = rollups["sum"] / (rollups["count"] - rollups["nan_count"])
        # Infinities decide by themselves; else neither rounding nor a sum beyond the largest double may
        # put a mean outside of its bucket.
        mean = np.where(np.isinf(low) | np.isinf(high), np.where(np.isinf(low), low, 0.0) + high, mean)
    clipped: NDArray[np.float64] = np.clip(mean, low, high)
    return clipped


def _only(rollups: Rollups, which: NDArray[np.bool_]) -> Rollups:
    """Those at ``which``; nothing is copied when these are all."""
    return rollups if which.all() else rollups[which]


def _rolled(points: Points, size: int) -> Rollups:
    return _rolled_from(points, chunks(len(points.step), size))


def _rolled_from(points: Points, starts: NDArray[np.intp]) -> Rollups:
    """Rollups of the points by step, which begin at these of them."""
    order = _stable(points.step)
    return roll(points.step[order], points.value[order], starts)


def _stable(steps: NDArray[np.int64]) -> NDArray[np.intp]:
    return np.argsort(steps, kind="stable")
