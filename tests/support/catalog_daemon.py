"""A daemon as the catalog sees it: an incarnation, the writers it opened, and groups that advance them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID, uuid4

from headrace_storage.catalog.commit import Commits
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.experiments import Experiments
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.runs import Runs
from headrace_storage.catalog.writers import Writers
from headrace_storage.model import Advance, Change, Group, NewSegment, OpenedWriter, Reject, RunChange

CELLS = 10
"""Cells of a writer's part in a group, unless its changes need more."""


@dataclass
class Daemon:
    """Opens writers and makes groups; :attr:`position` is where the next group of a writer begins."""

    database: Database
    incarnation: int
    shipper: UUID = field(default_factory=uuid4)
    epochs: dict[UUID, int] = field(default_factory=dict)
    position: dict[UUID, int] = field(default_factory=dict)
    opens: int = 0

    @classmethod
    async def start(cls, database: Database) -> Self:
        return cls(database, await Incarnations(database).register("test"))

    @property
    def commits(self) -> Commits:
        return Commits(self.database)

    @property
    def writers(self) -> Writers:
        return Writers(self.database)

    @property
    def experiments(self) -> Experiments:
        return Experiments(self.database)

    @property
    def runs(self) -> Runs:
        return Runs(self.database)

    async def open(self, writer: UUID | None = None) -> UUID:
        """Open ``writer`` (a new one) and go on where it stands."""
        writer = writer or uuid4()
        await self.reopen(writer)
        return writer

    async def reopen(self, writer: UUID, known_reject: int = -1) -> OpenedWriter:
        self.opens += 1
        opened = await self.writers.open(writer, self.shipper, self.opens, {"host": "test"}, known_reject)
        self.epochs[writer] = opened.epoch
        self.position[writer] = opened.committed
        return opened

    def group(
        self,
        *writers: UUID,
        changes: Sequence[tuple[str, RunChange]] = (),
        rejects: Sequence[Reject] = (),
        runs: Sequence[str] = (),
        new_runs: Sequence[str] = (),
        path: str | None = None,
    ) -> Group:
        """The next group of ``writers``; the changes are the first one's, a cell each."""
        cells = max(CELLS, len(changes))
        firsts = {writer: self.position.get(writer, 0) for writer in writers}
        advances = [
            Advance(writer, self.epochs.get(writer, 1), first, first + cells, 1000 + first)
            for writer, first in firsts.items()
        ]
        self.position.update({writer: first + cells for writer, first in firsts.items()})
        first = firsts[writers[0]]
        return Group(
            id=uuid4(),
            incarnation=self.incarnation,
            advances=advances,
            segment=segment(runs, path, cells * len(writers)) if runs else None,
            changes=[
                Change(writers[0], first + index, first + index + 1, run_id, change)
                for index, (run_id, change) in enumerate(changes)
            ],
            rejects=rejects,
            new_runs=new_runs,
        )

    async def commit(self, *writers: UUID, **parts: object) -> Sequence[Reject]:
        """Commit the next group of ``writers``; arguments as :meth:`group`."""
        return await self.commits.commit(self.group(*writers, **parts))  # type: ignore[arg-type]


def segment(runs: Sequence[str], path: str | None = None, rows: int = CELLS) -> NewSegment:
    """A segment of ``runs``, inline unless it has a path."""
    return NewSegment(
        rows=rows,
        size=3,
        checksum=7,
        runs=runs,
        path=path,
        inline=None if path else b"abc",
        summary=b"s" if path else None,
    )
