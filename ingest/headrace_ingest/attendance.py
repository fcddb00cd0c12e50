"""Which runs have a living writer at this daemon. No I/O."""

from collections.abc import Collection
from typing import Protocol


class Attendant(Protocol):
    """A writer that is open on a stream: ``headrace_ingest.lane.Lane``."""

    @property
    def runs(self) -> set[str]:
        """The runs that it introduced so far."""
        ...


class Attendance:
    """The writers that are open, and the runs of those that left since somebody was told of them.

    So no writer is missed that was here only between two looks.
    """

    def __init__(self) -> None:
        self._here: set[Attendant] = set()
        self._left: set[str] = set()

    def enter(self, attendant: Attendant) -> None:
        """A writer was opened."""
        self._here.add(attendant)

    def leave(self, attendant: Attendant) -> None:
        """It is open no more. May be said again."""
        if attendant in self._here:
            self._here.remove(attendant)
            self._left |= attendant.runs

    def runs(self) -> set[str]:
        """All runs to tell of now."""
        return self._left.union(*(attendant.runs for attendant in self._here))

    def told(self, runs: Collection[str]) -> None:
        """The catalog knows of these, as :meth:`runs` said."""
        self._left.difference_update(runs)
