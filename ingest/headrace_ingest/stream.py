"""One ingest stream: messages go to their sessions, answers come from the outbox. Translation only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import structlog

from headrace_ingest.admission import MAX_CUT, MAX_WRITERS, Claim, RefusedError, check_open, malformed
from headrace_ingest.committer import Committer
from headrace_ingest.lane import Lane
from headrace_ingest.outbox import Outbox
from headrace_ingest.session import Batch
from headrace_proto.v1.ingest_pb2 import Append, ClientMessage, GapReason, Open, Refused

log = structlog.get_logger("headrace")

OpenLane = Callable[[int, Claim, Outbox], Awaitable[Lane]]
"""Claims a writer under a handle and puts Opened into the outbox; :class:`RefusedError` when it may not."""

_MAX_DEAD: Final = 4 * MAX_WRITERS


class ProtocolError(Exception):
    """A message that is of no writer, or one too many: it ends the stream."""


class Stream:
    """An open ingest stream. One handle is one writer."""

    def __init__(self, context: Any, committer: Committer, open_lane: OpenLane) -> None:
        self._context = context
        self._committer = committer
        self._open_lane = open_lane
        self._outbox = Outbox()
        self._lanes: dict[int, Lane] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._dead: set[int] = set()
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Reads no more, acknowledges what was read, and ends with UNAVAILABLE."""
        self._draining.set()

    async def run(self) -> None:
        """Serves until the shipper ends the stream or breaks the protocol, or the daemon drains."""
        reading, sending, _ = tasks = [
            asyncio.create_task(work) for work in (self._read(), self._send(), self._draining.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            settling = asyncio.create_task(self._settle())
            tasks.append(settling)
            await asyncio.wait({settling, sending}, return_when=asyncio.FIRST_COMPLETED)
        except ProtocolError as error:
            await self._context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            tasks += self._opening.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for lane in self._lanes.values():
                lane.let_go()
        if self._draining.is_set():
            await self._context.abort(grpc.StatusCode.UNAVAILABLE, "the daemon is shutting down")

    async def _read(self) -> None:
        while True:
            await self._committer.room()
            await self._outbox.room()
            message = await self._context.read()
            if message is grpc.aio.EOF:
                return
            self._take(message)

    async def _send(self) -> None:
        while True:
            message = await self._outbox.next()
            await self._context.write(message)
            self._outbox.sent()

    async def _settle(self) -> None:
        """Waits until everything that was read is committed and said so."""
        while self._outbox.busy or not all(lane.settled for lane in self._lanes.values()):
            await self._outbox.progress()

    def _take(self, message: ClientMessage) -> None:
        if len(self._dead) > _MAX_DEAD:
            raise ProtocolError(f"more than {_MAX_DEAD} writers were refused on this stream")
        kind = message.WhichOneof("body")
        if kind == "append":
            self._append(message.append)
        elif kind == "open":
            self._open(message.open)
        elif kind == "close":
            if lane := self._lanes.pop(message.close.handle, None):
                lane.let_go()
        else:
            raise ProtocolError("a message without a body, or one that cannot be parsed")

    def _append(self, append: Append) -> None:
        lane = self._lanes.get(append.handle)
        if lane is None:
            if append.handle not in self._dead:
                self._refuse(append.handle, malformed(f"handle {append.handle} is not open"))
        elif not lane.refused:
            try:
                batch = _received(lane, append)
                if lane.session.cut_bytes:
                    self._check_cut()
            except RefusedError as refusal:
                lane.refuse(refusal)
            else:
                if batch:
                    self._committer.submit(lane, batch)

    def _check_cut(self) -> None:
        cut = sum(lane.session.cut_bytes for lane in self._lanes.values() if not lane.refused)
        if cut > MAX_CUT:
            raise malformed(f"{cut} bytes of records that are cut, the bound of a stream is {MAX_CUT}")

    def _open(self, message: Open) -> None:
        handle = message.handle
        try:
            if handle in self._lanes or handle in self._opening or handle in self._dead:
                raise malformed(f"handle {handle} was used before")
            if len(self._lanes) + len(self._opening) >= MAX_WRITERS:
                raise malformed(f"more than {MAX_WRITERS} writers on one stream")
            claim = check_open(message)
        except RefusedError as refusal:
            self._refuse(handle, refusal)
        else:
            self._opening[handle] = asyncio.create_task(self._finish_open(handle, claim))

    async def _finish_open(self, handle: int, claim: Claim) -> None:
        try:
            self._lanes[handle] = await self._open_lane(handle, claim, self._outbox)
        except RefusedError as refusal:
            self._refuse(handle, refusal)
        except Exception:
            log.exception("a writer cannot be opened", writer=claim.writer.hex)
            self._refuse(handle, RefusedError(Refused.REOPEN, "the daemon failed, see its log"))
        finally:
            del self._opening[handle]

    def _refuse(self, handle: int, refusal: RefusedError) -> None:
        """Answers a handle without a lane, and never again."""
        if lane := self._lanes.pop(handle, None):
            lane.let_go()
        self._outbox.refuse(handle, refusal)
        self._dead.add(handle)


def _received(lane: Lane, append: Append) -> Batch | None:
    if not append.gap_to:
        return lane.session.receive(append.first, append.definitions, append.cells)
    if append.cells:
        raise malformed("cells and a gap in one message")
    reason = GapReason.Name(append.gap_reason) if append.gap_reason in GapReason.values() else "UNKNOWN"
    log.error(
        "a journal lost what it should deliver",
        writer=lane.writer.hex,
        first=append.first,
        end=append.gap_to,
        reason=reason,
    )
    return lane.session.skip(append.first, append.definitions, append.gap_to, reason)
