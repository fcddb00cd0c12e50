"""The group commit: what arrived while the last commit ran is the next one; idle, there is no waiting.

One loop takes what waits, as one group: decodes it, writes its segment, and commits it by one transaction.
While that runs, the next groups, if they are full, are decoded one after the other, and the segments of some
are written at once. Groups commit one after the other, each when the outcome of the one before is
known. A writer that lost its place (fenced, or ahead elsewhere) is dropped, and the rest of its group
commits.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple, Protocol
from uuid import UUID, uuid4

import structlog

from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.decode import Decoded, Part, decode
from headrace_ingest.incarnation import Incarnation
from headrace_ingest.lane import Lane
from headrace_ingest.retry import persistently
from headrace_ingest.session import Batch
from headrace_storage.errors import IncarnationDeadError, WritersMovedError
from headrace_storage.failpoints import failpoint
from headrace_storage.model import Advance, Group, NewSegment, Reject, Rows
from headrace_storage.segments.write import SegmentWriter

log = structlog.get_logger("headrace")

MAX_CELLS: Final = 1 << 18
"""Cells in a group; one message more at most. A full one is prepared while others commit. Fewer cells wait
until that ends, so that more come together: files of a quarter of this cost a third of the points per second
where calls have 100 metrics."""

INLINE_CELLS: Final = 1 << 12
"""Cells up to which decoding is quicker than handing it to a thread."""

PRESSED_SECONDS: Final = 5.0
"""How long after a full group the load counts as such that other work had better wait."""

AT_ONCE: Final = 3
"""Groups that are written: two keep the cores busy while a third waits for the disk."""

BATCH_BYTES: Final = 500
"""What a batch takes in memory beside its cells: many small messages are as heavy as a few large ones."""

MAX_KNOWN_RUNS: Final = 1_000_000

GIVE_UP_PAUSE: Final = 0.2
"""Seconds."""


class Commits(Protocol):
    """``headrace_storage.catalog.commit.Commits``."""

    async def commit(self, group: Group) -> Sequence[Reject]:
        """Commits the group once, however often it is called with it; returns all rejects of its ranges."""
        ...


class Share(NamedTuple):
    """A writer's part of a group."""

    lane: Lane
    part: Part


class Prepared(NamedTuple):
    """A group that is ready to commit."""

    shares: Sequence[Share]
    group: Group


class Committer:
    """Makes what lanes submit durable and visible, and tells them."""

    def __init__(self, commits: Commits, incarnation: Incarnation, bounds: Bounds = DEFAULTS) -> None:
        self._commits = commits
        self._incarnation = incarnation
        self._bounds = bounds
        self._waiting: OrderedDict[Lane, deque[Batch]] = OrderedDict()
        self._waiting_cells = 0
        self._held_bytes = 0
        self._known_runs: set[str] = set()
        self._closing = False
        self._last_full = -PRESSED_SECONDS
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def submit(self, lane: Lane, batch: Batch) -> None:
        """Queues whole records; ``lane`` hears of them when they are committed, or when it is refused."""
        self._waiting.setdefault(lane, deque()).append(batch)
        self._waiting_cells += batch.count
        self._hold(_weight(batch))
        self._wake.set()

    async def room(self) -> None:
        """Waits while as much is held as may be: before reading more."""
        await self._room.wait()

    def pressed(self) -> bool:
        """Whether more arrives than is committed at once."""
        return time.monotonic() < self._last_full + PRESSED_SECONDS

    def close(self) -> None:
        """Has :meth:`run` end once everything is committed."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Commits group after group."""
        finishing = deque([asyncio.create_task(asyncio.sleep(0))])
        while shares := await self._next_group(finishing[-1]):
            while len(finishing) >= AT_ONCE:
                await finishing.popleft()
            try:
                decoded = await self._decode(shares)
            except Exception:
                log.exception("a group cannot be decoded, its writers open again")
                await self._give_up(shares)
                continue
            before = finishing[-1]
            finishing.append(asyncio.create_task(self._finish(shares, decoded, before)))
        await finishing[-1]

    async def _finish(self, shares: Sequence[Share], decoded: Decoded, before: asyncio.Task[None]) -> None:
        """Writes a group's segment, and commits it when the group ``before`` is committed."""
        try:
            prepared = await self._write(shares, decoded, uuid4())
        except Exception:
            log.exception("a group cannot be written, its writers open again")
            await self._give_up(shares)
            await before
            return
        await before
        await self._commit(prepared)

    async def _next_group(self, commit: asyncio.Task[None]) -> Sequence[Share]:
        """What waits, at most ``MAX_CELLS``, as soon as it is worth it; nothing at the end."""
        commit.add_done_callback(lambda _: self._wake.set())
        while True:
            enough = self._waiting_cells >= MAX_CELLS or (self._waiting and commit.done())
            if enough and (shares := self._take()):
                return shares
            if self._closing and not self._waiting:
                return ()
            self._wake.clear()
            await self._wake.wait()

    def _take(self) -> Sequence[Share]:
        """A batch of each lane in turn, so that nobody waits for all that another sent."""
        batches: dict[Lane, list[Batch]] = {}
        cells = 0
        while self._waiting and cells < MAX_CELLS:
            lane, its_batches = self._waiting.popitem(last=False)
            batch = its_batches.popleft()
            if its_batches:
                self._waiting[lane] = its_batches
            self._waiting_cells -= batch.count
            if lane.refused:
                self._hold(-_weight(batch))
            else:
                batches.setdefault(lane, []).append(batch)
                cells += batch.count
        if cells >= MAX_CELLS:
            self._last_full = time.monotonic()
        # In the order of their runs: writers of a run each then need no sorting, a sixth of the work.
        return [
            Share(lane, Part(lane.writer, lane.session.dictionary, lane.order_time, batches[lane]))
            for lane in sorted(batches, key=_first_run)
        ]

    async def _prepare(self, shares: Sequence[Share], group_id: UUID) -> Prepared:
        """Decodes the shares and writes their segment: everything but the transaction."""
        return await self._write(shares, await self._decode(shares), group_id)

    async def _decode(self, shares: Sequence[Share]) -> Decoded:
        """One group after the other: a writer's order time goes on from the group before."""
        parts = [part for _, part in shares]
        if sum(part.count for part in parts) <= INLINE_CELLS:
            decoded = decode(parts)
        else:
            decoded = await asyncio.to_thread(decode, parts)
        await failpoint("decode")
        for (lane, _), order_time in zip(shares, decoded.order_times, strict=True):
            lane.order_time = max(lane.order_time, order_time)
        return decoded

    async def _write(self, shares: Sequence[Share], decoded: Decoded, group_id: UUID) -> Prepared:
        incarnation, segments = self._incarnation.current
        segment = None
        if len(decoded.rows):
            segment = await persistently("writing a segment", partial(_store, segments, decoded.rows))
        group = Group(
            id=group_id,
            incarnation=incarnation,
            advances=[
                Advance(part.writer, lane.session.epoch, part.first, part.end, order_time)
                for (lane, part), order_time in zip(shares, decoded.order_times, strict=True)
            ],
            segment=segment,
            changes=decoded.changes,
            rejects=decoded.rejects,
            gaps=decoded.gaps,
            new_runs=[run for run in segment.runs if run not in self._known_runs] if segment else [],
        )
        return Prepared(shares, group)

    async def _commit(self, prepared: Prepared) -> None:
        """Commits a group, whatever it takes, and acknowledges it."""
        shares, group = prepared
        rejects: Sequence[Reject] | None = None
        try:
            while shares and rejects is None:
                try:
                    rejects = await persistently("a commit", partial(self._commits.commit, group))
                except WritersMovedError as moved:
                    await self._discard(group)
                    shares = self._without_moved(shares, moved)
                    shares, group = await self._prepare(shares, uuid4())
                except IncarnationDeadError as error:
                    # Under the same id: an earlier attempt may have been committed.
                    await self._incarnation.renew(error.incarnation)
                    shares, group = await self._prepare(shares, group.id)
            await failpoint("acknowledge")
        except Exception:
            log.exception("a group cannot be committed, its writers open again")
            await self._give_up(shares)
        else:
            self._acknowledge(shares, group, rejects or ())

    async def _discard(self, group: Group) -> None:
        """Deletes the object of a group that is known never to commit. What stays is collected later."""
        if group.segment:
            with contextlib.suppress(OSError):
                await self._incarnation.current.segments.discard(group.segment)

    def _without_moved(self, shares: Sequence[Share], moved: WritersMovedError) -> Sequence[Share]:
        if moved.elsewhere:
            # The catalog may have gone back in time (a restored backup), and not know these runs any more.
            self._known_runs.clear()
        stay: list[Share] = []
        for share in shares:
            writer = share.lane.writer.hex
            if writer in moved.fenced:
                holder = moved.holders.get(writer)
                share.lane.fence(UUID(holder) if holder else None)
            elif writer in moved.elsewhere:
                share.lane.lose("the writer was committed further elsewhere")
            else:
                stay.append(share)
                continue
            self._release(share)
        return stay

    def _acknowledge(self, shares: Sequence[Share], group: Group, rejects: Sequence[Reject]) -> None:
        if len(self._known_runs) > MAX_KNOWN_RUNS:
            self._known_runs.clear()
        self._known_runs.update(group.new_runs)
        of_writer: dict[UUID, list[Reject]] = {}
        for reject in rejects:
            of_writer.setdefault(reject.writer, []).append(reject)
        for share in shares:
            share.lane.acknowledge(share.part.end, of_writer.get(share.lane.writer, ()))
            self._release(share)

    async def _give_up(self, shares: Sequence[Share]) -> None:
        # The same may come again at once, for ever.
        await asyncio.sleep(GIVE_UP_PAUSE)
        for share in shares:
            share.lane.lose("the daemon failed, see its log")
            self._release(share)

    def _release(self, share: Share) -> None:
        self._hold(-sum(map(_weight, share.part.batches)))

    def _hold(self, size: int) -> None:
        self._held_bytes += size
        if self._held_bytes >= self._bounds.held:
            self._room.clear()
        else:
            self._room.set()


def _first_run(lane: Lane) -> str:
    runs = lane.session.dictionary.runs
    return runs[0].run_id if runs else ""


def _weight(batch: Batch) -> int:
    return batch.size + BATCH_BYTES


async def _store(segments: SegmentWriter, rows: Rows) -> NewSegment:
    await failpoint("segment.before")
    segment = await segments.write(rows)
    await failpoint("segment.written")
    return segment
