"""A catalog in memory: the rules of commits and opens as PostgreSQL keeps them, and faults around them.

``tests/contract/test_memory_catalog.py`` holds it against the real one, so that it does not lie.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from headrace_storage.catalog.changes import Ledger, Placement, RunState
from headrace_storage.errors import (
    CatalogUnavailableError,
    IncarnationDeadError,
    WriterRefusedError,
    WritersMovedError,
)
from headrace_storage.model import (
    Advance,
    Change,
    CreateRun,
    Group,
    NewSegment,
    OpenedWriter,
    Reject,
    Rows,
    RunStatus,
    SetParam,
    StartAttempt,
)


@dataclass
class StoredWriter:
    """A writer's row, and the newest of its rows of progress."""

    epoch: int
    shipper: UUID
    open_number: int
    end: int = 0
    order_time: int = 0
    rejects: list[Reject] = field(default_factory=list)


class MemoryCatalog:
    """The transactions, each at once and as a whole."""

    def __init__(self) -> None:
        self.writers: dict[UUID, StoredWriter] = {}
        self.alive: dict[int, bool] = {}
        self.committed: dict[UUID, Group] = {}
        self.params: dict[tuple[str, str], str] = {}
        self.runs: dict[str, RunState] = {}
        """Those that were created, or begun."""

    def register(self) -> int:
        """A new incarnation."""
        number = len(self.alive) + 1
        self.alive[number] = True
        return number

    def open(self, writer: UUID, shipper: UUID, number: int, known_reject: int) -> OpenedWriter:
        """``Writers.open``."""
        held = self.writers.get(writer)
        if held is None:
            held = self.writers[writer] = StoredWriter(1, shipper, number)
        elif held.shipper == shipper and held.open_number > number:
            raise WriterRefusedError(writer.hex, number, held.open_number)
        else:
            held.epoch, held.shipper, held.open_number = held.epoch + 1, shipper, number
        rejects = [reject for reject in held.rejects if reject.first > known_reject]
        return OpenedWriter(held.epoch, held.end, held.order_time, rejects)

    def commit(self, group: Group) -> Sequence[Reject]:
        """``Commits.commit``."""
        try:
            self._check(group)
        except WritersMovedError:
            if group.id in self.committed:
                return self._stored_rejects(group)
            raise
        refused = [
            Reject(change.writer, change.sequence, change.end, "INVALID_PARAMETER_VALUE", "", change.run_id)
            for change in group.changes
            if isinstance(change.change, SetParam)
            and self.params.setdefault((change.run_id, change.change.key), change.change.value)
            != change.change.value
        ]
        refused += [reject for change in group.changes if (reject := self._change_run(change))]
        rejects = sorted([*group.rejects, *refused], key=lambda reject: (reject.writer, reject.first))
        for writer, _, _, end, order_time in group.advances:
            held = self.writers[writer]
            held.end, held.order_time = end, order_time
        for reject in rejects:
            self.writers[reject.writer].rejects.append(reject)
        self.committed[group.id] = group
        return rejects

    def _change_run(self, change: Change) -> Reject | None:
        if not isinstance(change.change, CreateRun | StartAttempt):
            return None
        placeholder = RunState(change.run_id, 0, "", "", RunStatus.RUNNING, 0, None, placeholder=True)
        self.runs.setdefault(change.run_id, placeholder)
        return Ledger(self.runs, {}, {("", ""): Placement(0)}).apply(change)

    def _check(self, group: Group) -> None:
        if not self.alive.get(group.incarnation):
            raise IncarnationDeadError(group.incarnation)
        fenced = [advance for advance in group.advances if not self._holds(advance)]
        if fenced:
            holders = {
                advance.writer.hex: self.writers[advance.writer].shipper.hex
                for advance in fenced
                if advance.writer in self.writers
            }
            raise WritersMovedError([advance.writer.hex for advance in fenced], [], holders)
        elsewhere = [
            advance.writer.hex
            for advance in group.advances
            if self.writers[advance.writer].end != advance.first
        ]
        if elsewhere:
            raise WritersMovedError([], elsewhere)

    def _holds(self, advance: Advance) -> bool:
        held = self.writers.get(advance.writer)
        return held is not None and held.epoch == advance.epoch

    def _stored_rejects(self, group: Group) -> Sequence[Reject]:
        return [
            reject
            for advance in sorted(group.advances)
            for reject in self.writers[advance.writer].rejects
            if advance.first <= reject.first < advance.end
        ]


class Faults:
    """How the network between daemons and catalog behaves. ``rate`` of calls meet a fault while it is on."""

    def __init__(self, chance: random.Random, rate: float = 0.15) -> None:
        self.chance = chance
        self.rate = rate
        self.away = False
        self.seen: dict[str, int] = {}
        self._lock = asyncio.Lock()

    def note(self, what: str) -> None:
        """Counts a fault."""
        self.seen[what] = self.seen.get(what, 0) + 1

    async def transaction(self, work: "Transaction") -> "Transaction":
        """Runs ``work`` once, or not at all, or later, and says so or not."""
        await asyncio.sleep(self.chance.choice((0, 0.0005, 0.002)))
        async with self._lock:  # behind a transaction that still runs on a lost connection
            pass
        if self.away:
            raise CatalogUnavailableError("the catalog is away")
        kind = self.chance.random() / self.rate if self.rate else 1
        if kind < 0.2:
            self.note("commit refused")
            raise CatalogUnavailableError("not even begun")
        if kind < 0.6:
            self.note("outcome unknown, done")
            work.run()
            raise CatalogUnavailableError("connection lost while committing")
        if kind < 0.8:
            self.note("outcome unknown, done later")
            asyncio.get_running_loop().call_later(self.chance.random() * 0.05, work.run_unheard)
            raise CatalogUnavailableError("connection lost, the query arrives later")
        if kind < 1:
            self.note("outcome unknown, still running")
            zombie = asyncio.create_task(self._zombie(work))
            work.keep = zombie
            await asyncio.sleep(0)
            raise CatalogUnavailableError("connection lost, the transaction still runs")
        work.run()
        await asyncio.sleep(self.chance.choice((0, 0, 0.001)))
        return work

    async def _zombie(self, work: "Transaction") -> None:
        async with self._lock:
            await asyncio.sleep(self.chance.random() * 0.05)
            if self.chance.random() < 0.5:
                work.run_unheard()


class Transaction:
    """A call of the catalog, and what came of it."""

    def __init__(self, call: object) -> None:
        self._call = call
        self.result: object = None
        self.keep: object = None

    def run(self) -> None:
        """Does it; raises what the catalog raises."""
        self.result = self._call()  # type: ignore[operator]

    def run_unheard(self) -> None:
        """Does it, and nobody learns how it went."""
        try:
            self.run()
        except (WritersMovedError, IncarnationDeadError, WriterRefusedError):
            return


class MemoryWriters:
    """``headrace_storage.catalog.writers.Writers``, with faults."""

    def __init__(self, catalog: MemoryCatalog, faults: Faults) -> None:
        self._catalog = catalog
        self._faults = faults

    async def open(
        self,
        writer_id: UUID,
        shipper_id: UUID,
        open_number: int,
        labels: Mapping[str, str],  # noqa: ARG002
        known_reject: int,
    ) -> OpenedWriter:
        call = Transaction(lambda: self._catalog.open(writer_id, shipper_id, open_number, known_reject))
        result = (await self._faults.transaction(call)).result
        assert isinstance(result, OpenedWriter)
        return result


class MemoryCommits:
    """``headrace_storage.catalog.commit.Commits``, with faults."""

    def __init__(self, catalog: MemoryCatalog, faults: Faults) -> None:
        self._catalog = catalog
        self._faults = faults

    async def commit(self, group: Group) -> Sequence[Reject]:
        result = (await self._faults.transaction(Transaction(lambda: self._catalog.commit(group)))).result
        assert isinstance(result, list)
        return result


class MemoryIncarnations:
    """``headrace_storage.catalog.incarnations.Incarnations``, as far as a daemon that serves uses it."""

    def __init__(self, catalog: MemoryCatalog, faults: Faults) -> None:
        self._catalog = catalog
        self._faults = faults

    async def register(self, label: str) -> int:  # noqa: ARG002
        await asyncio.sleep(0.001)
        if self._faults.away:
            raise CatalogUnavailableError("the catalog is away")
        return self._catalog.register()


class MemorySegments:
    """``headrace_storage.segments.write.SegmentWriter``: objects are rows, kept by path."""

    def __init__(self, objects: dict[str, Rows], faults: Faults) -> None:
        self._objects = objects
        self._faults = faults
        self.discarded: list[str] = []

    async def write(self, rows: Rows) -> NewSegment:
        await asyncio.sleep(self._faults.chance.choice((0, 0.0005)))
        if self._faults.chance.random() < self._faults.rate / 5:
            self._faults.note("disk full")
            raise OSError(28, "No space left on device")
        path = f"object-{len(self._objects)}"
        self._objects[path] = rows
        runs = sorted({rows.series_table[code].run_id for code in rows.series.tolist()})
        return NewSegment(len(rows), 1, 1, runs, path=path)

    async def discard(self, segment: NewSegment) -> None:
        await asyncio.sleep(0)
        assert segment.path is not None
        self.discarded.append(segment.path)
