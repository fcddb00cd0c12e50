"""Which points are asked for: runs and keys, as a grid of series, and a range of steps.

A series is told by its rank: by run id, then by key, as the series of a sorted segment stand.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from headrace_storage.model import Rows, Series
from headrace_storage.segments.groups import Group
from headrace_storage.visibility import LAST, View

FIRST: Final = -(2**63)
"""The smallest step."""

_NONE: Final = np.int64(-1)


@dataclass(frozen=True, slots=True)
class Part:
    """Points as columns of one length. ``rank`` tells the series; ``writer`` indexes into a common table."""

    rank: NDArray[np.int64]
    step: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    value: NDArray[np.float64]
    writer: NDArray[np.int64]
    sequence: NDArray[np.int64]
    order_time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rank)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """All of them, in the order above."""
        return (
            self.rank, self.step, self.timestamp, self.value, self.writer, self.sequence, self.order_time,
        )  # fmt: skip

    def of(self, chosen: NDArray[np.intp] | NDArray[np.bool_] | slice) -> "Part":
        """The points at these places."""
        return Part(*(column[chosen] for column in self.columns))


def joined(parts: Sequence[Part]) -> Part:
    """The points of all parts, one after the other; there is one at least."""
    if len(parts) == 1:
        return parts[0]
    return Part(*map(np.concatenate, zip(*(part.columns for part in parts), strict=True)))


class Span(NamedTuple):
    """Bounds, both in them, of the places of the points that are asked for: pairs of rank and step."""

    first: tuple[int, int]
    last: tuple[int, int]


class Choice:
    """What is asked for. ``views`` has those of runs that do not simply show their own points."""

    def __init__(
        self,
        run_ids: Collection[str],
        keys: Collection[str],
        views: Sequence[View] = (),
        *,
        steps: tuple[int, int] = (FIRST, LAST),
        without: Collection[int] = (),
    ) -> None:
        """``steps``: both ends are in it. ``without``: ranks of series that are not asked for."""
        self.run_ids = sorted(set(run_ids))
        self.keys = sorted(set(keys))
        self._places = {key: place for place, key in enumerate(self.keys)}
        self._steps = steps
        self._without = frozenset(without)
        self._views: dict[str, list[tuple[View, int]]] = defaultdict(list)
        own = set(self.run_ids) - {view.run_id for view in views}
        runs = {run_id: place for place, run_id in enumerate(self.run_ids)}
        for view in [*views, *(View(run_id, run_id) for run_id in own)]:
            self._views[view.source].append((view, runs[view.run_id]))
        self._sources = sorted(self._views)

    def rank(self, run_id: str, key: str) -> int:
        """The rank of a series; of a key that is not asked for, that of the next one."""
        return bisect_left(self.run_ids, run_id) * len(self.keys) + bisect_left(self.keys, key)

    def series(self, rank: int) -> tuple[str, str]:
        """Run and key of a rank."""
        run, key = divmod(rank, len(self.keys))
        return self.run_ids[run], self.keys[key]

    def span(self, group: Group) -> Span | None:
        """Where the row group's points can stand that are asked for; ``None``: it has none."""
        first_step, last_step = max(group.steps[0], self._steps[0]), min(group.steps[1], self._steps[1])
        first_key = bisect_left(self.keys, group.keys[0])
        last_key = bisect_right(self.keys, group.keys[1]) - 1
        begin, end = bisect_left(self._sources, group.runs[0]), bisect_right(self._sources, group.runs[1])
        runs = [
            run
            for source in self._sources[begin:end]
            for view, run in self._views[source]
            if _last_step(view) >= first_step
        ]
        if first_key > last_key or first_step > last_step or not runs:
            return None
        first_rank, last_rank = (
            run * len(self.keys) + key for run, key in ((min(runs), first_key), (max(runs), last_key))
        )
        if first_rank == last_rank and first_rank in self._without:
            return None
        return Span((first_rank, first_step), (last_rank, last_step))

    def select(
        self, rows: Rows, code_of: Callable[[UUID], int], allowed: Collection[int] | None
    ) -> list[Part]:
        """The points that are asked for, each for every run that shows it.

        ``code_of`` gives the code of a writer in the common table, of which those ``allowed`` are asked for.
        """
        if not len(rows):
            return []
        codes = np.fromiter(map(code_of, rows.writer_table), np.int64, len(rows.writer_table))
        asked = None if allowed is None else np.isin(codes, np.fromiter(allowed, np.int64))
        parts = []
        for ranks, lasts in self._layers(rows.series_table):
            at = (ranks != _NONE)[rows.series] & (rows.step <= lasts[rows.series])
            if self._steps[0] > FIRST:
                at &= rows.step >= self._steps[0]
            if asked is not None:
                at &= asked[rows.writer]
            if not at.any():
                continue
            chosen: Any = slice(None) if at.all() else at
            parts.append(
                Part(
                    ranks[rows.series[chosen]],
                    rows.step[chosen],
                    rows.timestamp[chosen],
                    rows.value[chosen],
                    codes[rows.writer[chosen]],
                    rows.sequence[chosen],
                    rows.order_time[chosen],
                )
            )
        return parts

    def _layers(self, table: Sequence[Series]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each entry its rank and last step; as often as a source has points for several runs."""
        layers: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        for code, series in enumerate(table):
            key = self._places.get(series.key)
            views = self._views.get(series.run_id) if key is not None else None
            layer = 0
            for view, run in views or ():
                last = view.last_step(series.attempt)
                rank = run * len(self.keys) + (key or 0)
                if last is None or rank in self._without:
                    continue
                if layer == len(layers):
                    layers.append((np.full(len(table), _NONE), np.full(len(table), FIRST)))
                layers[layer][0][code], layers[layer][1][code] = rank, min(last, self._steps[1])
                layer += 1
        return layers


def _last_step(view: View) -> int:
    """The last step of which a view may show points."""
    return LAST if view.is_own else max((bound.last_step for bound in view.bounds), default=FIRST)
