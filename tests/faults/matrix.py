"""The result: of each kind of fault how often, how much was logged, what went wrong, and for how long."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

from checker import Verdict

_HEAD = ("fault", "times", "points", "lost", "duplicated", "reordered", "foreign", "worst recovery")


@dataclass
class Row:
    """A kind of fault."""

    fault: str
    times: int = 0
    points: int = 0
    """Logged between the fault's beginning and the recovery, by all processes."""
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    foreign: int = 0
    worst: float = 0.0
    """Seconds from the fault's end until everything logged before was durable."""


class Matrix:
    """Rows by kind of fault; for several threads."""

    def __init__(self, faults: Iterable[str]) -> None:
        self._rows = {fault: Row(fault) for fault in faults}
        self._lock = Lock()
        self.total = Verdict(0)
        self.rounds = 0
        self.reads = 0
        self.stalls: list[str] = []

    def add(self, fault: str, times: int, points: int, recovery: float) -> None:
        """Notes an injected fault, or several of the same kind."""
        with self._lock:
            row = self._rows[fault]
            row.times += times
            row.points += points
            row.worst = max(row.worst, recovery)

    def judge(self, faults: Iterable[str], verdict: Verdict, *, again: bool = False) -> None:
        """Blames what was found on each fault of the round: which of them it was, nobody knows."""
        with self._lock:
            for fault in set(faults):
                row = self._rows[fault]
                row.lost += verdict.lost
                row.duplicated += verdict.duplicated
                row.reordered += verdict.reordered
                row.foreign += verdict.foreign
            self.total += verdict._replace(logged=0) if again else verdict
            self.rounds += not again

    def stalled(self, what: str) -> None:
        """Notes that something did not go on."""
        with self._lock:
            self.stalls.append(what)

    @property
    def faults(self) -> int:
        """How many were injected."""
        return sum(row.times for row in self._rows.values())

    @property
    def clean(self) -> bool:
        """Whether nothing was violated and nothing stalled."""
        return not self.total.violations and not self.stalls

    def lines(self) -> list[str]:
        """A Markdown table."""
        rows = [row for row in self._rows.values() if row.times]
        table = [_cells(f"{row.fault}", row, row.worst) for row in rows]
        verdict = self.total
        whole = Row("", self.faults, verdict.logged, *verdict[1:])
        table.append(_cells("**all**", whole, max((row.worst for row in rows), default=0.0)))
        head = [f"| {' | '.join(_HEAD)} |", "|---|" + "---:|" * (len(_HEAD) - 1)]
        return [*head, *(f"| {' | '.join(line)} |" for line in table)]

    def to_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "faults": self.faults,
            "rounds": self.rounds,
            "total": self.total._asdict(),
            "reads": self.reads,
            "stalls": self.stalls,
            "rows": [asdict(row) for row in self._rows.values()],
        }


def _cells(name: str, row: Row, worst: float) -> list[str]:
    counts = (row.times, row.points, row.lost, row.duplicated, row.reordered, row.foreign)
    return [name, *(f"{count:,}" for count in counts), f"{worst:.1f} s"]
