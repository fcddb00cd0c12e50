"""What reaches the daemon without a journal (REST) is logged under a writer of the daemon's own.

It is a writer as any other: with a sequence, an epoch and a position in the catalog, so that requests share
group commits with each other and with what streams bring, and an operation whose outcome is not known is
looked up, not guessed. It belongs to one process, and ends with it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple
from uuid import uuid4

import numpy as np
import structlog
from numpy.typing import NDArray

from headrace_ingest.admission import Claim, RefusedError
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.columnar import CELL
from headrace_ingest.committer import Committer
from headrace_ingest.lane import Lane
from headrace_ingest.recent import Recent
from headrace_ingest.retry import persistently
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_proto.wire import (
    CELL_SIZE,
    METRIC,
    TIMESTAMP_GIVEN,
    RunDefinition,
    SeriesDefinition,
    blob_record,
    run_frame,
    series_frame,
)
from headrace_storage.catalog.writers import Writers
from headrace_storage.errors import CatalogUnavailableError, InvalidArgumentError
from headrace_storage.model import OpenedWriter, Reject

log = structlog.get_logger("headrace")

_CREDIT: Final = 32 << 20
"""Half of it is more than any request has: none is refused because an operator gives streams less."""

MAX_NAMES: Final = 100_000
"""Runs and series after which another writer goes on: what they take in memory is free again."""


class Points(NamedTuple):
    """Points of a run as columns of one length. Timestamps are milliseconds since the Unix epoch."""

    keys: Sequence[str] = ()
    steps: Sequence[int] = ()
    timestamps: Sequence[int] = ()
    values: Sequence[float] = ()


NO_POINTS: Final = Points()


@dataclass(slots=True)
class _Waiting:
    """Who waits until everything below ``end`` is committed, and hears of the rejects of what it sent.

    That is all from ``first`` on, of which the points are those from ``points`` up to ``points_end``; and
    what it sent again, which others had logged at ``again``.
    """

    first: int
    points: int
    points_end: int
    end: int
    again: Sequence[int]
    answer: asyncio.Future[list[Reject]]
    rejects: list[Reject] = field(default_factory=list)

    def hear(self, reject: Reject) -> None:
        """Notes it, if it is one of its own."""
        if self.first <= reject.first < self.end or any(
            reject.first <= sequence < reject.end for sequence in self.again
        ):
            self.rejects.append(reject)


class OwnWriter:
    """Logs points and changes of runs. The answer comes when they are durable and visible."""

    def __init__(self, writers: Writers, committer: Committer, bounds: Bounds = DEFAULTS) -> None:
        self._writers = writers
        self._committer = committer
        self._bounds = bounds
        self._open: _Open | None = None
        self._opening = asyncio.Lock()
        self._closed = False

    def close(self) -> None:
        """Takes nothing more; before the committer ends."""
        self._closed = True

    async def log(
        self,
        run_id: str,
        before: Sequence[RunChange] = (),
        points: Points = NO_POINTS,
        after: Sequence[RunChange] = (),
    ) -> list[Reject]:
        """Logs changes, points and changes, in this order; what of it was refused.

        A point that was just logged is not logged again.

        Raises:
            CatalogUnavailableError: nothing of it was stored, nor will be. Try again.
            InvalidArgumentError: a change is larger than a record may be.
        """
        async with self._opening:  # one after the other: whoever waits for room is not overtaken
            await self._committer.room()
            open_ = await self._usable()
            answer = open_.submit(run_id, before, points, after)
        return await answer

    async def _usable(self) -> "_Open":
        """A writer with room, as of the moment in which this returns."""
        while True:
            if self._closed:
                raise CatalogUnavailableError("the daemon is shutting down")
            if self._open is None or self._open.lane.refused or self._open.names >= MAX_NAMES:
                self._open = await _Open.new(self._writers, self._committer, self._bounds)
            elif self._open.has_room():
                return self._open
            else:
                await self._open.progress()  # then it may be refused, or the daemon about to end


class _Open:
    """One writer while it is open: numbers of names, and who waits. It is the ``Answers`` of its lane."""

    lane: Lane

    def __init__(self, writers: Writers, committer: Committer, bounds: Bounds) -> None:
        self._writers = writers
        self._committer = committer
        self._bounds = replace(bounds, credit=max(bounds.credit, _CREDIT))
        self._claim = Claim(uuid4(), uuid4(), 0, -1, {"kind": "daemon"})
        self._runs: dict[str, int] = {}
        self._series: dict[tuple[str, str], int] = {}
        self._definitions = bytearray()
        self._recent = Recent()
        self._waiting: deque[_Waiting] = deque()
        self._progress = asyncio.Event()
        self._settling: asyncio.Task[None] | None = None

    @classmethod
    async def new(cls, writers: Writers, committer: Committer, bounds: Bounds) -> "_Open":
        """A writer that nobody knew before."""
        self = cls(writers, committer, bounds)
        opened = await self._take_hold()
        self.lane = Lane(0, self._claim, opened, self, bounds=self._bounds)
        return self

    @property
    def names(self) -> int:
        """Runs and series that it has named."""
        return len(self._runs) + len(self._series)

    def has_room(self) -> bool:
        """Whether at least half of the credit is committed."""
        session = self.lane.session
        return (session.taken - session.committed) * CELL_SIZE <= self._bounds.credit // 2

    async def progress(self) -> None:
        """Waits until something was committed, or the writer is lost."""
        self._progress.clear()
        await self._progress.wait()

    def submit(
        self, run_id: str, before: Sequence[RunChange], points: Points, after: Sequence[RunChange]
    ) -> asyncio.Future[list[Reject]]:
        """Hands everything to the committer, as one batch; the rejects, once it is committed."""
        now = int(time.time() * 1000)
        # Timestamps are given, and take no part in the order between writers: that is the order of arrival.
        self.lane.order_time = max(self.lane.order_time, now)
        run = self._run(run_id)
        head, tail = (_records(run, changes, now) for changes in (before, after))
        session = self.lane.session
        first = session.taken
        place = first + len(head) // CELL_SIZE
        cells, again = self._recent.fresh(self._cells(run_id, run, points), place)
        data = b"".join((head, cells.tobytes(), tail))
        if data:
            definitions = bytes(self._definitions)
            self._definitions.clear()
            try:
                batch = session.receive(first, definitions, data)
            except RefusedError as refusal:
                self.lane.refuse(refusal)
                raise CatalogUnavailableError(refusal.message) from refusal
            if batch:
                self._committer.submit(self.lane, batch)
        answer: asyncio.Future[list[Reject]] = asyncio.get_running_loop().create_future()
        again = [sequence for sequence in again if sequence >= session.committed]
        if data or again:
            waiting = _Waiting(first, place, place + len(cells), session.taken, again, answer)
            self._waiting.append(waiting)
        else:
            answer.set_result([])
        return answer

    def acknowledge(self, handle: int, committed: int, rejects: Sequence[Reject]) -> None:  # noqa: ARG002
        """Answers those whose operations are committed."""
        refused: set[int] = set()
        for reject in rejects:
            self._claim = self._claim._replace(known_reject=reject.first)
            for waiting in self._waiting:
                waiting.hear(reject)
                refused.update(range(max(reject.first, waiting.points), min(reject.end, waiting.points_end)))
        if refused:
            self._recent.forget(refused)
        while self._waiting and self._waiting[0].end <= committed:
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                waiting.answer.set_result(waiting.rejects)
        self._progress.set()

    def refuse(self, handle: int, refusal: RefusedError) -> None:  # noqa: ARG002
        """The daemon lost track: another writer goes on, and this one is asked how far it came."""
        log.warning("the daemon's own writer is lost, another one goes on", reason=refusal.message)
        self._progress.set()
        self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        try:
            opened = await persistently("looking where the daemon's own writer stands", self._take_hold)
            self.acknowledge(0, opened.committed, opened.rejects)
        finally:
            for waiting in self._waiting:
                if not waiting.answer.done():
                    lost = CatalogUnavailableError("the daemon lost track; send it again")
                    waiting.answer.set_exception(lost)
            self._waiting.clear()

    async def _take_hold(self) -> OpenedWriter:
        """Opens it: commits of before have happened when this returns, or never will."""
        self._claim = self._claim._replace(open_number=self._claim.open_number + 1)
        writer, shipper, number, known_reject, labels, _ = self._claim
        return await self._writers.open(writer, shipper, number, labels, known_reject)

    def _run(self, run_id: str) -> int:
        number = self._runs.get(run_id)
        if number is None:
            number = self._runs[run_id] = len(self._runs)
            self._definitions += run_frame(RunDefinition(number, run_id, ""))
        return number

    def _cells(self, run_id: str, run: int, points: Points) -> NDArray[np.void]:
        known = self._series
        numbers = [known.get((run_id, key), -1) for key in points.keys]
        if -1 in numbers:
            numbers = [self._number(run_id, run, key) for key in points.keys]
        cells = np.zeros(len(numbers), CELL)
        cells["kind"] = METRIC
        cells["flags"] = TIMESTAMP_GIVEN
        cells["series"] = numbers
        cells["step"] = points.steps
        cells["timestamp"] = points.timestamps
        cells["value"] = points.values
        return cells

    def _number(self, run_id: str, run: int, key: str) -> int:
        number = self._series.get((run_id, key))
        if number is None:
            number = self._series[run_id, key] = len(self._series)
            self._definitions += series_frame(SeriesDefinition(number, run, key))
        return number


def _records(run: int, changes: Sequence[RunChange], now: int) -> bytes:
    try:
        return b"".join(blob_record(run, change.SerializeToString(), now) for change in changes)
    except ValueError as error:
        raise InvalidArgumentError("a change of the run", f"would be {error}") from None
