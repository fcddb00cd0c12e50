"""Writers, shippers, daemons and a catalog in one simulated world, with everything going wrong.

All of it is the real code (shipper, lane, session on one side; service, stream, session, committer on the
other); only clock, network, journal files and catalog are simulated. A seed is a schedule, and is repeatable.
"""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any, cast
from unittest import mock
from uuid import UUID

import grpc
import numpy as np
import structlog

from headrace.journal.reader import JournalReader
from headrace.shipping import columnar
from headrace.shipping import session as shipping_session
from headrace.shipping import shipper as shipping_shipper
from headrace.shipping.backoff import Backoff
from headrace.shipping.lane import Lane
from headrace.shipping.shipper import Shipper
from headrace_ingest import committer as committer_module
from headrace_ingest.activity import Activity
from headrace_ingest.attendance import Attendance
from headrace_ingest.bounds import Bounds
from headrace_ingest.committer import Committer
from headrace_ingest.incarnation import Incarnation
from headrace_ingest.service import IngestService
from headrace_proto.wire import CELL_SIZE
from headrace_storage.model import Rows
from sim_catalog import (
    Faults,
    MemoryCatalog,
    MemoryCommits,
    MemoryIncarnations,
    MemorySegments,
    MemoryWriters,
)
from sim_history import check_what_runs_show
from sim_journal import MemoryJournal
from sim_loop import VirtualLoop, simulate
from sim_network import Wire

BOUNDS = Bounds(credit=16 * CELL_SIZE, held=3000, unread=3)
SETTLES = 60.0
"""Virtual seconds in which everything must be delivered once nothing goes wrong any more."""


class Daemon:
    """A daemon process: gone with everything that it knows at any moment."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.segments = MemorySegments(world.objects, world.faults)
        incarnations = MemoryIncarnations(world.catalog, world.faults)
        self.incarnation = Incarnation(cast("Any", incarnations), lambda _: cast("Any", self.segments))
        self.committer = Committer(MemoryCommits(world.catalog, world.faults), self.incarnation, BOUNDS)
        writers = cast("Any", MemoryWriters(world.catalog, world.faults))
        self.service = IngestService(writers, self.committer, Activity(), Attendance(), BOUNDS)
        self.wires: list[Wire] = []
        self._running = asyncio.create_task(self._run())
        self.serves = False

    async def _run(self) -> None:
        await self.incarnation.renew(0) if hasattr(self.incarnation, "current") else await self._register()
        self.serves = True
        await self.committer.run()

    async def _register(self) -> None:
        while True:
            with contextlib.suppress(Exception):
                return await self.incarnation.register()
            await asyncio.sleep(0.05)

    def connect(self) -> Wire:
        wire = Wire(self._world.chance, self._serve)
        self.wires.append(wire)
        return wire

    async def _serve(self, wire: Wire) -> None:
        with contextlib.suppress(grpc.aio.AbortError):
            await self.service._stream(None, wire)

    def kill(self) -> None:
        """kill -9: whatever it was doing, it does not go on. What the catalog was told may still happen."""
        self.serves = False
        self._running.cancel()
        for wire in self.wires:
            wire.kill()


class Link:
    """``headrace.shipping.link.Link``: a connection to some daemon that serves."""

    uri = "headrace://simulated"

    def __init__(self, world: "World") -> None:
        self._world = world

    async def connection(self, **_: object) -> "Link":
        await asyncio.sleep(0)
        return self

    def ingest(self) -> Wire:
        return self._world.connect()

    async def failed(self, connection: object) -> None:
        """Nothing is kept of it."""


class World:
    """One schedule: ``run`` until everything that was logged has arrived, checking all the way."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.catalog = MemoryCatalog()
        self.faults = Faults(self.chance, self.chance.choice((0.0, 0.1, 0.3)))
        self.objects: dict[str, Rows] = {}
        launches = [(token, self.chance.choice((None, self.chance.randint(0, 9)))) for token in "abc"]
        self.journals = [
            MemoryJournal(number, self.chance, *self.chance.choice(launches))
            for number in range(1, self.chance.randint(2, 3))
        ]
        self.daemons: list[Daemon] = []
        self.dropped: list[str] = []
        self.shippers: list[tuple[Shipper, asyncio.Task[None]]] = []

    # What goes wrong.

    def connect(self) -> Wire:
        serving = [daemon for daemon in self.daemons if daemon.serves]
        if not serving:
            raise OSError(111, "connection refused")
        return self.chance.choice(serving).connect()

    def start_daemon(self) -> None:
        self.daemons.append(Daemon(self))

    def start_shipper(self) -> None:
        link = cast("Any", Link(self))
        shipper = Shipper(link, self.chance.randbytes(16), keep=600)
        drop = shipper._drop

        def dropped(lane: Lane, reason: str) -> None:
            self.dropped.append(reason)
            drop(lane, reason)

        shipper._drop = dropped  # type: ignore[method-assign]
        self.shippers.append((shipper, asyncio.create_task(shipper.run())))

    def adopt(self) -> None:
        """Has a shipper take on each journal that nobody ships, as a carrier's scan does."""
        living = [shipper for shipper, task in self.shippers if not task.done()]
        for journal in self.journals:
            if not any(shipper.lane(journal.name) for shipper in living):
                self.take_on(self.chance.choice(living), journal)

    def take_on(self, shipper: Shipper, journal: MemoryJournal) -> None:
        shipper._lanes[journal.name] = Lane(cast("JournalReader", journal), None, living=True)
        shipper._work.set()

    def _cut_a_connection(self) -> None:
        wires = [wire for daemon in self.daemons for wire in daemon.wires if not wire.server.done()]
        if wires:
            self.chance.choice(wires).cut()

    def _kill_a_daemon(self) -> None:
        self.daemons.pop(self.chance.randrange(len(self.daemons))).kill()
        if not self.daemons:
            asyncio.get_running_loop().call_later(self.chance.random() * 0.1, self.start_daemon)

    def _start_a_second_daemon(self) -> None:
        if len(self.daemons) < 2:
            self.start_daemon()

    def _second_shipper(self) -> None:
        self.start_shipper()
        self.take_on(self.shippers[-1][0], self.chance.choice(self.journals))

    def _kill_a_shipper(self) -> None:
        _, task = self.shippers.pop(self.chance.randrange(len(self.shippers)))
        task.cancel()
        if not self.shippers:
            self.start_shipper()

    def _catalog_away(self) -> None:
        self.faults.away = True
        asyncio.get_running_loop().call_later(self.chance.random() * 0.2, self._catalog_back)

    def _catalog_back(self) -> None:
        self.faults.away = False

    def _declare_dead(self) -> None:
        self.catalog.alive[self.chance.choice(list(self.catalog.alive) or [0])] = False

    async def _break_things(self) -> None:
        kinds = [
            self._cut_a_connection,
            self._cut_a_connection,
            self._kill_a_daemon,
            self._start_a_second_daemon,
            self._second_shipper,
            self._kill_a_shipper,
            self._catalog_away,
            self._declare_dead,
        ]
        for _ in range(self.chance.randint(0, 5)):
            await asyncio.sleep(self.chance.random() * 0.03)
            # Between any two steps that anything takes, not only when everything waits for the clock.
            for _ in range(self.chance.randint(0, 12)):
                await asyncio.sleep(0)
            if not self.daemons:
                continue
            kind = self.chance.choice(kinds)
            self.faults.note(kind.__name__.strip("_").replace("_", " "))
            kind()
            self.adopt()

    # What happens all the time.

    async def _write(self) -> None:
        for _ in range(self.chance.randint(1, 12)):
            journal = self.chance.choice(self.journals)
            for _ in range(self.chance.randint(1, 4)):
                journal.log()
            await asyncio.sleep(self.chance.choice((0, 0, 0.001, 0.01)))

    async def run(self, loop: VirtualLoop) -> None:
        self.start_daemon()
        self.start_shipper()
        self.adopt()
        await asyncio.gather(self._write(), self._break_things())
        self.faults.rate, self.faults.away = 0.0, False
        deadline = loop.time() + SETTLES
        while any(journal.committed < journal.tail for journal in self.journals):
            assert loop.time() < deadline, f"not delivered after {SETTLES} s: {self}"
            self.adopt()
            await asyncio.sleep(0.05)
            self._check_positions()
        self._check_positions()
        self._check_everything()
        while any(daemon.serves and daemon.committer._held_bytes for daemon in self.daemons):
            assert loop.time() < deadline, f"bytes are held for ever: {self}"
            await asyncio.sleep(0.05)
        assert not loop.failures, loop.failures

    # What must hold.

    def _check_positions(self) -> None:
        assert not self.dropped, f"a journal without a fault was given up: {self.dropped}"
        for journal in self.journals:
            held = self.catalog.writers.get(journal.writer)
            stored = held.end if held else 0
            assert journal.committed <= stored <= journal.tail, "committed is more than is durable"
            assert not journal.wrong, journal.wrong
        for shipper, _ in self.shippers:
            for lane in shipper.lanes:
                place = lane._session
                if place.opened:
                    assert (place.sent - place.committed) * CELL_SIZE <= BOUNDS.credit, (
                        "the credit is overdrawn"
                    )

    def _check_everything(self) -> None:
        found: dict[UUID, dict[int, float]] = {journal.writer: {} for journal in self.journals}
        last: Counter[UUID] = Counter()
        for group in self.catalog.committed.values():
            if group.segment is None:
                continue
            rows = self.objects[group.segment.path or ""]
            for writer, sequence, value in zip(
                np.array(rows.writer_table, object)[rows.writer], rows.sequence, rows.value, strict=True
            ):
                assert sequence >= last[writer], f"{writer} {sequence} comes after {last[writer]}"
                last[writer] = int(sequence) + 1
                found[writer][int(sequence)] = float(value)
        for journal in self.journals:
            assert found[journal.writer] == journal.points, "not what was logged"
            assert journal.reported() == journal.refused, "refusals are missing"
        check_what_runs_show(self.catalog, self.journals, self.objects)
        registered = {group.segment.path for group in self.catalog.committed.values() if group.segment}
        for daemon in self.daemons:
            assert not registered.intersection(daemon.segments.discarded), "a registered object was deleted"

    def __str__(self) -> str:
        places = [
            (journal.committed, journal.tail, self.catalog.writers.get(journal.writer))
            for journal in self.journals
        ]
        return f"{places}, {self.faults.seen}"


@contextlib.contextmanager
def small_and_silent() -> Iterator[None]:
    """Limits so small that a few cells reach them, and no log lines of what is provoked."""
    config, logger = structlog.get_config(), logging.getLogger("headrace")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with (
            mock.patch.object(committer_module, "MAX_CELLS", 12),
            mock.patch.object(shipping_session, "MESSAGE_CELLS", 10),
            mock.patch.object(shipping_session, "COLUMN_CELLS", 20),
            mock.patch.object(shipping_session, "PATIENT_CELLS", 3),
            mock.patch.object(columnar, "LEAST_CELLS", 4),
            mock.patch.object(columnar, "LEAST_ROWS", 1),
        ):
            yield
    finally:
        logger.setLevel(level)
        structlog.configure(**config)


def play(seed: int) -> Counter[str]:
    """Plays one schedule in :func:`small_and_silent`; what went wrong in it. An error names the seed."""
    world = None

    async def main(loop: VirtualLoop) -> None:
        nonlocal world
        world = World(seed)
        await world.run(loop)

    with mock.patch.object(shipping_shipper, "Backoff", partial(_seeded_backoff, seed)):
        try:
            simulate(main)
        except AssertionError as error:
            raise AssertionError(f"schedule {seed}: {error}") from error
    assert world is not None
    return Counter(world.faults.seen)


def _seeded_backoff(seed: int) -> Backoff:
    backoff = Backoff()
    backoff._random = random.Random(seed)
    return backoff
