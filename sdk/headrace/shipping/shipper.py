"""Shipper: the one loop that carries a set of journals to the daemon of one tracking URI."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.errors import HeadraceError, JournalError, UnavailableError
from headrace.journal import layout
from headrace.journal.reader import JournalReader
from headrace.journal.writer import Writer
from headrace.shipping.backoff import Backoff
from headrace.shipping.lane import Lane
from headrace.shipping.link import Link
from headrace_proto.v1 import ingest_pb2

if TYPE_CHECKING:
    from headrace.shipping.transport import IngestStream

logger = logging.getLogger("headrace")

GATHER_SECONDS = 0.005
"""While an answer is due, and something was written meanwhile: how often to look whether it is enough for
another message. Each look takes the interpreter from the training."""

AGAIN_SECONDS = 5.0
"""How long a journal of this process rests that could not be shipped."""

POLL_SECONDS = 0.02
"""How often to look at journals that other, living processes write: they cannot wake this one."""


class Shipper:
    """Ships journals until cancelled. Its methods run in the loop, but for :meth:`add`."""

    def __init__(
        self,
        link: Link,
        shipper_id: bytes,
        keep: float,
        hand_over: Callable[[Writer], None] = lambda _: None,
    ) -> None:
        """Ships through ``link``.

        Args:
            link: the connection.
            shipper_id: 16 bytes that are new for each process.
            keep: seconds for which committed files of cells stay.
            hand_over: called with a writer of this process that another process of this machine ships.
        """
        self._link = link
        self._shipper_id = shipper_id
        self._keep = keep
        self._hand_over = hand_over
        self._lanes: dict[str, Lane] = {}
        self._left: list[int] = []  # handles that the daemon still keeps for us
        self._work = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._handles = 0
        self._warned = False
        self.unreachable = False
        """Whether the last attempt to reach the daemon failed."""

    @property
    def lanes(self) -> list[Lane]:
        """The journals that are being shipped."""
        return list(self._lanes.values())

    @property
    def others(self) -> int:
        """How many of them this process does not write."""
        return sum(lane.writer is None for lane in self._lanes.values())

    def lane(self, name: str) -> Lane | None:
        """The lane of a writer, if it is being shipped."""
        return self._lanes.get(name)

    def add(self, writer: Writer) -> None:
        """Takes on a journal that this process writes. From any thread."""
        self._loop.call_soon_threadsafe(self.take_on, writer.folder, writer)

    def take_on(
        self, folder: Path, writer: Writer | None = None, *, living: bool = False, refill: bool = False
    ) -> bool:
        """Takes on a journal; false when another process ships it, or it cannot be read."""
        try:
            reader = JournalReader(folder)
        except (JournalError, OSError, ValueError, KeyError):
            logger.exception("journal %s cannot be read", folder)
            return False
        if not reader.claim():
            reader.close()
            if writer is not None:
                self._hand_over(writer)
            return False
        if writer is not None:
            writer.wake = self._wake_for(writer)
        self._lanes[reader.name] = lane = Lane(reader, writer, living=living, refill=refill)
        lane.reader.control[layout.ABSENT] = int(self.unreachable)
        self._work.set()
        return True

    def _wake_for(self, writer: Writer) -> Callable[[], None]:
        def wake() -> None:
            writer.asleep = False
            with contextlib.suppress(RuntimeError):  # the loop is gone: the process ends
                self._loop.call_soon_threadsafe(self._work.set)

        return wake

    async def run(self) -> None:
        """Connects, ships, and connects again; with the daemon away, waits longer and longer."""
        backoff = Backoff()
        while True:
            while not any(lane.wanted() for lane in self.lanes):
                await self._sleep()
            try:
                await self._ship(backoff)
            except (HeadraceError, OSError) as error:
                self._say_once(error)
            except Exception:  # the loop must outlive a bug: it is all that carries the data
                logger.exception("the shipper failed and goes on")
            await self._pause(backoff)

    @property
    def _pending(self) -> bool:
        return any(lane.pending() for lane in self.lanes)

    async def _pause(self, backoff: Backoff) -> None:
        """Waits before the next attempt. Who only showed that it lives does not wait with its next call."""
        seconds = backoff.next()
        if self._pending:
            await asyncio.sleep(seconds)
            return
        until = self._loop.time() + seconds
        while (left := until - self._loop.time()) > 0:
            await self._sleep(left)
            if self._pending:
                backoff.reset()
                return

    async def _ship(self, backoff: Backoff) -> None:
        """Opens one stream and ships on it, until it ends."""
        # A folder's daemon is started only to deliver something: without one, nobody misses a sign of life.
        connection = await self._link.connection(start=self._pending)
        stream = connection.ingest()
        self._left.clear()
        tasks = [
            asyncio.create_task(self._take_answers(stream, backoff)),
            asyncio.create_task(self._pump(stream)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise UnavailableError("the daemon ended the stream")  # noqa: TRY301 - one place handles both
        except UnavailableError:
            await self._link.failed(connection)
            raise
        finally:
            stream.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for lane in self.lanes:
                lane.on_lost()

    async def _pump(self, stream: "IngestStream") -> None:
        while True:
            sent = False
            while self._left:
                await stream.send(ingest_pb2.ClientMessage(close=ingest_pb2.Close(handle=self._left.pop())))
            for lane in self.lanes:
                if message := self._next_message(lane):
                    await stream.send(message)
                    sent = True
            if not sent:
                await self._sleep()

    async def _sleep(self, timeout: float | None = None) -> None:
        """Waits for work: an answer, a call of this process's writers; by the clock for everything else."""
        self._work.clear()
        now = self._loop.time()
        if any([lane.fall_asleep(now) for lane in self.lanes]):  # noqa: C419 - all of them, not up to the first
            return
        if rests := [rest for lane in self.lanes if (rest := lane.rests(now))]:
            timeout = min(rests)
        if any(lane.living for lane in self.lanes):
            timeout = POLL_SECONDS
        if any(lane.gathers() for lane in self.lanes):
            timeout = GATHER_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._work.wait(), timeout)

    def _next_message(self, lane: Lane) -> ingest_pb2.ClientMessage | None:
        try:
            if lane.fenced:
                return None
            if not lane.opening:
                self._handles += 1
                return lane.open_message(self._handles, self._shipper_id)
            if lane.writer is not None:
                lane.writer.prepare()
            return lane.next_append(self._loop.time())
        except (JournalError, OSError) as error:
            self._rest(lane, error)
            return None
        except Exception as error:  # a damage that nobody foresaw must not hold the other journals
            logger.exception("journal %s", lane.reader.folder)
            self._drop(lane, repr(error))
            return None

    async def _take_answers(self, stream: "IngestStream", backoff: Backoff) -> None:
        async for message in stream.messages():
            kind = message.WhichOneof("body")
            answer = getattr(message, kind)
            lane = next((lane for lane in self.lanes if lane.handle == answer.handle), None)
            if lane is None:
                continue
            if kind == "refused":
                self._on_refused(lane, answer)
            else:
                backoff.reset()
                self._warned = False
                self._note(unreachable=False)
                self._on_answer(lane, kind, answer)
            self._work.set()

    def _on_answer(self, lane: Lane, kind: str, answer: ingest_pb2.Opened | ingest_pb2.Ack) -> None:
        try:
            lane.on_answer(kind, answer)
        except (JournalError, OSError) as error:  # the disk is full, and a refusal cannot be stored
            self._rest(lane, error)

    def _on_refused(self, lane: Lane, refused: ingest_pb2.Refused) -> None:
        codes = ingest_pb2.Refused
        if refused.code in (codes.REOPEN, codes.STALE):
            lane.on_lost()
        elif refused.code == codes.FENCED:
            self._stand_back(lane, refused.message)
        else:
            self._drop(lane, refused.message)

    def _stand_back(self, lane: Lane, reason: str) -> None:
        # On one machine a lock keeps shippers apart, so the other one ships a copy of this folder. It carries
        # the same cells, but no new ones of a living writer: so this one looks again, less and less often.
        self._left.append(lane.handle)
        pause = lane.stand_back()
        logger.error(
            "journal %s is shipped by another process now, from a copy of its folder (%s); this process "
            "stands back and claims it again in %.0f s",
            lane.reader.folder,
            reason,
            pause,
        )
        self._loop.call_later(pause, self._claim_again, lane)

    def _claim_again(self, lane: Lane) -> None:
        lane.fenced = False
        self._work.set()

    def _drop(self, lane: Lane, reason: str) -> None:
        logger.error("journal %s cannot be shipped, and is kept: %s", lane.reader.folder, reason)
        self.remove(lane)

    def _rest(self, lane: Lane, error: Exception) -> None:
        """Leaves a journal alone for a while; the others go on."""
        logger.error("journal %s cannot be read, trying again: %s", lane.reader.folder, error)
        self.remove(lane)
        if lane.writer is not None:  # those of other processes are found again by who looks for them
            self._loop.call_later(AGAIN_SECONDS, self._take_on_again, lane.reader.folder, lane.writer)

    def _take_on_again(self, folder: Path, writer: Writer) -> None:
        # With nothing pending too, while more may come: without a lane, nothing would ship it.
        wanted = writer.pending() or not writer.control[layout.CLOSED]
        if folder.exists() and wanted and not writer.abandoned:
            self.take_on(folder, writer)

    def remove(self, lane: Lane) -> None:
        """Ships a journal no more, and has the daemon told."""
        self._lanes.pop(lane.reader.name, None)
        lane.close()
        if lane.opening:
            self._left.append(lane.handle)
            self._work.set()

    def let_go(self) -> None:
        """Leaves all journals to other shippers; after :meth:`run` was cancelled."""
        for lane in self.lanes:
            self.remove(lane)

    def tidy(self) -> None:
        """Deletes committed cells that are old enough, and lets go of journals that are delivered."""
        for lane in self.lanes:
            with contextlib.suppress(OSError):  # of one journal, which will be tried again
                lane.retire(self._keep)
            if lane.finished():
                self.remove(lane)

    async def tidy_every(self, interval: float) -> None:
        """:meth:`tidy` for ever, every ``interval`` seconds."""
        while True:
            await asyncio.sleep(interval)
            try:
                self.tidy()
            except OSError:
                logger.exception("old files of the journal cannot be deleted")

    def _note(self, *, unreachable: bool) -> None:
        if unreachable != self.unreachable:
            self.unreachable = unreachable
            for lane in self.lanes:
                lane.reader.control[layout.ABSENT] = int(unreachable)

    def _say_once(self, error: BaseException) -> None:
        if not self._pending:
            return
        self._note(unreachable=True)
        if not self._warned:
            self._warned = True
            logger.warning(
                "no daemon at %s (%s): logging goes on into the journal, which is delivered when one answers",
                self._link.uri,
                error,
            )
