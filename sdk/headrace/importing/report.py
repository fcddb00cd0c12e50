"""What an import tells: numbers of both sides, and what could not be taken as it was."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

KINDS: Final = (
    "experiments",
    "experiment tags",
    "runs",
    "params",
    "tags",
    "metrics",
    "points",
    "datasets",
    "links to models",
    "files",
    "bytes of files",
    "logged models",
    "points of models",
    "registered models",
    "model versions",
    "aliases",
)
"""What is counted, in the order in which it is told."""


class Problem(NamedTuple):
    """Something that did not come over as it was: what, and why."""

    what: str
    why: str


@dataclass(slots=True)
class Report:
    """The numbers grow while the import goes on."""

    source: str
    theirs: "Counter[str]" = field(default_factory=Counter)
    """In the source, by :data:`KINDS`."""
    ours: "Counter[str]" = field(default_factory=Counter)
    """In Headrace, asked of the daemon after it said that all is durable."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is otherwise than in the source, and no loss: an experiment's id."""
    found_done: int = 0
    """Runs that an earlier call had imported."""
    experiment: str = ""
    """Which one is being imported."""
    experiments_done: int = 0
    dry: bool = False

    def problem(self, what: str, why: object) -> None:
        """Takes a note of what could not be imported as it is."""
        self.problems.append(Problem(what, " ".join(str(why).split())))

    def compare(self, what: str, theirs: "Counter[str]", ours: "Counter[str]") -> bool:
        """Adds the numbers of a part; whether they agree. Where they do not, it is a problem."""
        self.theirs += theirs
        self.ours += ours
        differing = [
            f"{theirs[kind]:,} {kind} in the source, {ours[kind]:,} in Headrace"
            for kind in KINDS
            if theirs[kind] != ours[kind]
        ]
        if differing:
            self.problem(what, "; ".join(differing))
        return not differing

    @property
    def complete(self) -> bool:
        """Whether everything is there as it was."""
        return not self.problems and (self.dry or self.theirs == self.ours)

    def lines(self) -> Iterator[tuple[str, int, int]]:
        """A kind, its number in the source, and in Headrace."""
        for kind in KINDS:
            if self.theirs[kind] or self.ours[kind]:
                yield kind, self.theirs[kind], self.ours[kind]

    def to_dictionary(self) -> dict[str, Any]:
        """For programs."""
        return {
            "source": self.source,
            "dry_run": self.dry,
            "complete": self.complete,
            "counts": {kind: {"source": theirs, "headrace": ours} for kind, theirs, ours in self.lines()},
            "runs_imported_before": self.found_done,
            "problems": [problem._asdict() for problem in self.problems],
            "notes": self.notes,
        }
