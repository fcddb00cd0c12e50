"""The group commit against a catalog and a store that do as they are told."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from headrace_ingest import committer as committer_module
from headrace_ingest.admission import Claim
from headrace_ingest.bounds import Bounds
from headrace_ingest.committer import BATCH_BYTES, MAX_CELLS, Committer
from headrace_ingest.incarnation import Identity, Incarnation
from headrace_ingest.lane import Lane
from headrace_ingest.outbox import Outbox
from headrace_proto.v1 import ingest_pb2 as pb
from headrace_storage.errors import (
    CatalogUnavailableError,
    IncarnationDeadError,
    StorageError,
    WritersMovedError,
)
from headrace_storage.model import Group, NewSegment, OpenedWriter, Reject, Rows
from headrace_storage.segments.write import SegmentWriter, runs_of
from ingest_client import cells, define

SHIPPER = UUID(int=99)


class Catalog:
    """Commits what it is given, after ``gate`` opens, unless it is to raise something first."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.attempts: list[Group] = []
        self.raising: list[Exception] = []
        self.rejecting: list[Reject] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, group: Group) -> Sequence[Reject]:
        self.attempts.append(group)
        await self.gate.wait()
        if self.raising:
            raise self.raising.pop(0)
        self.groups.append(group)
        return [*group.rejects, *self.rejecting]


class Segments:
    """Names segments; those of many rows are objects."""

    def __init__(self) -> None:
        self.written: list[Rows] = []
        self.discarded: list[NewSegment] = []
        self.raising: list[Exception] = []

    async def write(self, rows: Rows) -> NewSegment:
        if self.raising:
            raise self.raising.pop(0)
        self.written.append(rows)
        return NewSegment(len(rows), 1, 1, runs_of(rows), path=f"object-{len(self.written)}")

    async def discard(self, segment: NewSegment) -> None:
        self.discarded.append(segment)


class Setting:
    """A committer that runs, and lanes to submit by."""

    def __init__(self, bounds: Bounds) -> None:
        self.catalog = Catalog()
        self.segments = Segments()
        self.incarnation = SimpleNamespace(current=self._identity(1), renew=self._renew)
        self.committer = Committer(self.catalog, cast("Incarnation", self.incarnation), bounds)
        self.outboxes: dict[Lane, Outbox] = {}

    def _identity(self, number: int) -> Identity:
        return Identity(number, cast("SegmentWriter", self.segments))

    async def _renew(self, dead: int) -> None:
        self.incarnation.current = self._identity(dead + 1)

    def lane(self, number: int, epoch: int = 1) -> Lane:
        outbox = Outbox()
        claim = Claim(UUID(int=number), SHIPPER, 1, -1, {})
        lane = Lane(number, claim, OpenedWriter(epoch, 0, 0, ()), outbox)
        lane.session.receive(0, define(["loss", "bad\0key"]), b"")
        self.outboxes[lane] = outbox
        return lane

    def submit(self, lane: Lane, data: bytes) -> None:
        batch = lane.session.receive(lane.session.received, b"", data)
        assert batch is not None
        self.committer.submit(lane, batch)

    async def answer(self, lane: Lane) -> Any:
        message = await asyncio.wait_for(self.outboxes[lane].next(), 20)
        return getattr(message, message.WhichOneof("body"))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110 -- a fake has no events
                await asyncio.sleep(0.001)


@asynccontextmanager
async def committing(held: int = 1 << 30) -> AsyncIterator[Setting]:
    setting = Setting(Bounds(held=held))
    running = asyncio.create_task(setting.committer.run())
    yield setting
    setting.catalog.gate.set()
    setting.committer.close()
    await asyncio.wait_for(running, 20)


async def test_one_operation_is_a_group() -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.submit(lane, cells([1.5]))
        ack = await here.answer(lane)
        assert (ack.handle, ack.committed, list(ack.rejects)) == (1, 1, [])
        [group] = here.catalog.groups
        assert [tuple(advance) for advance in group.advances] == [(UUID(int=1), 1, 0, 1, 1_700_000_000_000)]
        assert group.incarnation == 1


async def test_what_arrives_during_a_commit_is_the_next_group() -> None:
    async with committing() as here:
        first, *others = [here.lane(number) for number in range(1, 6)]
        here.catalog.gate.clear()
        here.submit(first, cells([1.0]))
        await here.until(lambda: here.catalog.attempts)
        for lane in others:
            here.submit(lane, cells([2.0]))
            here.submit(lane, cells([3.0]))
            await asyncio.sleep(0)
        here.catalog.gate.set()
        for lane in others:
            assert (await here.answer(lane)).committed == 2
        assert [len(group.advances) for group in here.catalog.groups] == [1, 4]


async def test_a_large_group_is_prepared_while_the_last_one_commits() -> None:
    async with committing() as here:
        first, large = here.lane(1), here.lane(2)
        here.catalog.gate.clear()
        here.submit(first, cells([1.0]))
        await here.until(lambda: here.catalog.attempts)
        here.submit(large, cells([1.0]) * MAX_CELLS)
        await here.until(lambda: len(here.segments.written) == 2)
        await asyncio.sleep(0.01)
        assert len(here.catalog.attempts) == 1
        here.catalog.gate.set()
        assert (await here.answer(large)).committed == MAX_CELLS


async def test_full_groups_are_pressure_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.submit(lane, cells([1.0]))
        await here.answer(lane)
        assert not here.committer.pressed()
        here.submit(lane, cells([1.0]) * MAX_CELLS)
        await here.answer(lane)
        assert here.committer.pressed()
        monkeypatch.setattr(committer_module, "PRESSED_SECONDS", 0.0)
        assert not here.committer.pressed()


async def test_an_unknown_outcome_is_the_same_group_again() -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.catalog.raising = [CatalogUnavailableError("gone"), CatalogUnavailableError("still")]
        here.submit(lane, cells([1.0]))
        assert (await here.answer(lane)).committed == 1
        assert len({id(group) for group in here.catalog.attempts}) == 1
        assert len(here.catalog.attempts) == 3
        assert not here.segments.discarded


async def test_writers_that_moved_are_dropped_and_the_rest_commits() -> None:
    async with committing() as here:
        blocker, stays, fenced, elsewhere, stale = [here.lane(number) for number in range(1, 6)]
        here.catalog.gate.clear()
        here.submit(blocker, cells([0.0]))
        await here.until(lambda: here.catalog.attempts)
        for lane in (stays, fenced, elsewhere, stale):
            here.submit(lane, cells([1.0]))
        await asyncio.sleep(0)
        other = UUID(int=98)
        here.catalog.gate.set()
        await here.answer(blocker)
        here.catalog.raising = [
            WritersMovedError(
                [fenced.writer.hex, stale.writer.hex],
                [elsewhere.writer.hex],
                {fenced.writer.hex: other.hex, stale.writer.hex: SHIPPER.hex},
            )
        ]
        assert (await here.answer(stays)).committed == 1
        assert (await here.answer(fenced)).code == pb.Refused.FENCED
        assert (await here.answer(stale)).code == pb.Refused.STALE
        assert (await here.answer(elsewhere)).code == pb.Refused.REOPEN
        _, moved, committed = here.catalog.attempts
        assert moved.id != committed.id
        assert [advance.writer for advance in committed.advances] == [stays.writer]
        assert committed.segment is not None
        assert (committed.segment.rows, here.segments.discarded) == (1, [moved.segment])


async def test_what_a_refused_writer_sent_is_not_committed() -> None:
    async with committing() as here:
        lane, other = here.lane(1), here.lane(2)
        here.catalog.gate.clear()
        here.submit(other, cells([1.0]))
        await here.until(lambda: here.catalog.attempts)
        here.submit(lane, cells([1.0]))
        lane.lose("for a test")
        here.submit(other, cells([2.0]))
        here.catalog.gate.set()
        await here.until(lambda: other.session.committed == 2)
        assert {advance.writer for group in here.catalog.groups for advance in group.advances} == {
            other.writer
        }


async def test_a_daemon_that_was_declared_dead_commits_as_another() -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.catalog.raising = [IncarnationDeadError(1)]
        here.submit(lane, cells([1.0]))
        assert (await here.answer(lane)).committed == 1
        dead, alive = here.catalog.attempts
        assert (dead.incarnation, alive.incarnation) == (1, 2)
        assert dead.id == alive.id
        assert dead.segment != alive.segment


async def test_a_full_disk_delays_and_loses_nothing() -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.segments.raising = [OSError(28, "No space left on device")] * 2
        here.submit(lane, cells([1.0]))
        assert (await here.answer(lane)).committed == 1


@pytest.mark.parametrize("where", ["segments", "catalog"])
async def test_a_failure_nobody_foresaw_has_the_writers_open_again(where: str) -> None:
    async with committing() as here:
        unlucky, next_one = here.lane(1), here.lane(2)
        getattr(here, where).raising = [StorageError("nobody foresaw this")]
        here.submit(unlucky, cells([1.0]))
        assert (await here.answer(unlucky)).code == pb.Refused.REOPEN
        here.submit(next_one, cells([1.0]))
        assert (await here.answer(next_one)).committed == 1


async def test_rejects_reach_their_writer() -> None:
    async with committing() as here:
        one, two = here.lane(1), here.lane(2)
        here.catalog.rejecting = [Reject(two.writer, 0, 1, "CODE", "of the catalog")]
        here.submit(one, cells([1.0], series=1) + cells([2.0]))
        here.submit(two, cells([1.0]))
        assert [reject.first for reject in (await here.answer(one)).rejects] == [0]
        assert [reject.message for reject in (await here.answer(two)).rejects] == ["of the catalog"]


async def test_a_group_of_refused_points_has_no_segment() -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.submit(lane, cells([1.0], series=1))
        assert len((await here.answer(lane)).rejects) == 1
        [group] = here.catalog.groups
        assert (group.segment, group.new_runs) == (None, [])


async def test_a_run_is_new_once_until_the_catalog_went_back() -> None:
    async with committing() as here:
        lane, other = here.lane(1), here.lane(2)
        for _ in range(2):
            here.submit(lane, cells([1.0]))
            await here.answer(lane)
        here.catalog.raising = [WritersMovedError([], [lane.writer.hex])]
        here.submit(lane, cells([1.0]))
        await here.answer(lane)
        here.submit(other, cells([1.0]))
        await here.answer(other)
        assert [len(group.new_runs) for group in here.catalog.groups] == [1, 0, 1]


async def test_the_order_time_goes_on_from_group_to_group() -> None:
    async with committing() as here:
        lane = here.lane(1)
        for timestamp in (50, 20, 70):
            here.submit(lane, cells([1.0], timestamp=timestamp))
            await here.answer(lane)
        assert [group.advances[0].order_time for group in here.catalog.groups] == [50, 50, 70]
        assert [rows.order_time.tolist() for rows in here.segments.written] == [[50], [50], [70]]


async def test_held_bytes_are_bounded() -> None:
    async with committing(held=3 * 32 + 2 * BATCH_BYTES) as here:
        lane = here.lane(1)
        here.catalog.gate.clear()
        here.submit(lane, cells([1.0, 2.0]))
        await asyncio.wait_for(here.committer.room(), 20)
        here.submit(lane, cells([3.0]))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.committer.room(), 0.01)
        here.catalog.gate.set()
        await asyncio.wait_for(here.committer.room(), 20)


@pytest.mark.parametrize(
    "error", [WritersMovedError([UUID(int=1).hex], []), StorageError("nobody foresaw this")]
)
async def test_what_is_dropped_is_not_held(error: Exception) -> None:
    async with committing(held=32) as here:
        lane = here.lane(1)
        here.catalog.raising = [error]
        here.submit(lane, cells([1.0]))
        await here.answer(lane)
        await asyncio.wait_for(here.committer.room(), 20)


async def test_nobody_waits_behind_all_that_another_sent() -> None:
    async with committing() as here:
        blocker, greedy, modest = here.lane(1), here.lane(2), here.lane(3)
        here.catalog.gate.clear()
        here.submit(blocker, cells([0.0]))
        await here.until(lambda: here.catalog.attempts)
        large = cells([1.0]) * (MAX_CELLS // 4)
        for _ in range(12):
            here.submit(greedy, large)
        here.submit(modest, cells([2.0]))
        here.catalog.gate.set()
        assert (await here.answer(modest)).committed == 1
        assert greedy.session.committed < greedy.session.taken
        await here.until(lambda: greedy.settled)


async def test_closing_commits_what_waits() -> None:
    async with committing() as here:
        lane = here.lane(1)
        here.submit(lane, cells([1.0]) * 1000)
        here.committer.close()
    assert lane.session.committed == 1000
