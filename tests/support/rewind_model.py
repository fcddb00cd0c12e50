"""Runs as a naive reader of the rules knows them: of each point by itself, whether a run shows it."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from headrace_storage.model import Summary
from headrace_storage.visibility import LAST
from points import Logged


@dataclass
class RewoundRun:
    """A run; as ``parent``, it is a copy as of the fork."""

    run_id: str
    tokens: list[str] = field(default_factory=list)
    rewinds: list[tuple[int, int, bool]] = field(default_factory=list)
    """Number of the attempt, step, whether it hides."""
    parent: "RewoundRun | None" = None
    fork_step: int = 2**63 - 1

    def start(self, token: str, step: int | None) -> bool:
        """The first use of a token makes an attempt, and its rewind; whether it is accepted."""
        if token in self.tokens:
            number = self.tokens.index(token) + 1
            return step is None or (number, step) in [rewind[:2] for rewind in self.rewinds]
        self.tokens.append(token)
        if step is not None:
            self.rewinds.append((len(self.tokens), step, True))
        return True

    def set_undone(self, place: int, undone: bool) -> int:
        number, step, _ = self.rewinds[place]
        self.rewinds[place] = number, step, not undone
        return number

    def copy(self) -> "RewoundRun":
        return replace(self, tokens=list(self.tokens), rewinds=list(self.rewinds))

    def shows(self, point: Logged) -> bool:
        if point.run_id == self.run_id:
            return not any(
                hides and self._number(point.attempt) < number and point.step >= step
                for number, step, hides in self.rewinds
            )
        if self.parent is None or any(hides and point.step >= step for _, step, hides in self.rewinds):
            return False
        mine = point.run_id == self.parent.run_id
        if mine and point.attempt and point.attempt not in self.parent.tokens:
            return False  # of an attempt that began after the fork
        return point.step <= self.fork_step and self.parent.shows(point)

    def history(self, points: Iterable[Logged]) -> list[Logged]:
        return [point._replace(run_id=self.run_id) for point in points if self.shows(point)]

    def _number(self, token: str) -> float:
        if not token:
            return 0
        return self.tokens.index(token) + 1 if token in self.tokens else math.inf


def by_manifest(manifest: dict[str, Any], points: Iterable[Logged]) -> Iterator[Logged]:
    """What a reader of the files shows who keeps to docs/rewind.md."""
    ruled = {rule["run_id"] for rule in manifest["views"]}
    for point in points:
        if point.run_id not in ruled:
            yield point
        for rule in manifest["views"]:
            last = rule["last_steps"].get(point.attempt, LAST if rule["others"] else None)
            if rule["source"] == point.run_id and last is not None and point.step <= last:
                yield point._replace(run_id=rule["run_id"])


def comparable(summary: Summary) -> tuple[str, ...]:
    """NaN equals NaN, -0.0 equals 0.0 (PostgreSQL's view of ties)."""
    numbers = (*summary.last, *summary.first, summary.minimum, summary.maximum)
    return (
        summary.run_id,
        summary.key,
        *(str(n + 0) for n in numbers),
        str(summary.count),
        str(summary.nan_count),
    )


def by_rule(point: Logged) -> tuple[object, ...]:
    """By which a point is later than another."""
    nan = math.isnan(point.value)
    return (point.step, point.timestamp, not nan, 0.0 if nan else point.value)


def naive_summaries(points: Iterable[Logged], run_id: str) -> list[tuple[str, ...]]:
    """A run's summaries, comparable, from its points."""
    result = []
    mine = [point for point in points if point.run_id == run_id]
    for key in sorted({point.key for point in mine}):
        group = [point for point in mine if point.key == key]
        last, first = max(group, key=by_rule), min(group, key=by_rule)
        numbers = [p.value for p in group if not math.isnan(p.value)]
        ends = (last.step, last.timestamp, last.value, first.step, first.timestamp, first.value)
        bounds = (min(numbers, default=math.nan), max(numbers, default=math.nan))
        counts = (len(group), len(group) - len(numbers))
        result.append((run_id, key, *(str(n + 0) for n in (*ends, *bounds)), *map(str, counts)))
    return result
