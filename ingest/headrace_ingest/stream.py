"""One ingest stream: messages go to their sessions, answers come from the outbox. Translation only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import structlog

from headrace_ingest.admission import Claim, RefusedError, check_open, malformed
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.columnar import Columns
from headrace_ingest.committer import Committer
from headrace_ingest.kept import Budget, Share
from headrace_ingest.lane import Lane
from headrace_ingest.outbox import Outbox
from headrace_ingest.session import Batch
from headrace_proto.v1.ingest_pb2 import Append, ClientMessage, GapReason, Open, Refused
from headrace_storage.failpoints import failpoint

log = structlog.get_logger("headrace")

OpenLane = Callable[[int, Claim, Outbox, Share], Awaitable[Lane]]
"""Claims a writer under a handle and puts Opened into the outbox; :class:`RefusedError` when it may not."""

_DEAD_PER_WRITER: Final = 4
"""Refused handles that are remembered, for each writer that may be open."""


class EndedError(Exception):
    """The stream ends now, with this status."""

    def __init__(self, status: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def _protocol_error(message: str) -> EndedError:
    """The end of a stream whose peer breaks the protocol: a message of no writer, or one too many."""
    return EndedError(grpc.StatusCode.INVALID_ARGUMENT, message)


class Stream:
    """An open ingest stream. One handle is one writer."""

    def __init__(
        self,
        context: Any,
        committer: Committer,
        open_lane: OpenLane,
        bounds: Bounds = DEFAULTS,
        budget: Budget | None = None,
    ) -> None:
        self._context = context
        self._committer = committer
        self._open_lane = open_lane
        self._bounds = bounds
        self._outbox = Outbox(bounds)
        self._lanes: dict[int, Lane] = {}
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._dead: set[int] = set()
        self._draining = asyncio.Event()
        self._evicted = asyncio.Event()
        self._share = (budget or Budget(bounds.kept)).share(self._evicted.set)

    def drain(self) -> None:
        """Reads no more, acknowledges what was read, and ends with UNAVAILABLE."""
        self._draining.set()

    async def run(self) -> None:
        """Serves until the shipper ends the stream or breaks the protocol, or the daemon drains."""
        end = await self._serve()
        # Only now, when nothing is kept for it any more: a peer that does not read delays this for ever.
        if end:
            await self._context.abort(end.status, end.message)

    async def _serve(self) -> EndedError | None:
        reading, sending, _, evicted = tasks = [
            asyncio.create_task(work)
            for work in (self._read(), self._send(), self._draining.wait(), self._evicted.wait())
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            settling = asyncio.create_task(self._settle())
            tasks.append(settling)
            await asyncio.wait({settling, sending, evicted}, return_when=asyncio.FIRST_COMPLETED)
        except EndedError as error:
            return error
        finally:
            self._share.over = True
            tasks += self._opening.values()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for lane in self._lanes.values():
                lane.let_go()
            self._lanes.clear()
        if self._evicted.is_set():
            message = f"streams keep more than {self._bounds.named('kept')} bytes, and this one keeps most"
            return EndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, message)
        if self._draining.is_set():
            return EndedError(grpc.StatusCode.UNAVAILABLE, "the daemon is shutting down")
        return None

    async def _read(self) -> None:
        while True:
            await self._committer.room()
            await self._outbox.room()
            message = await self._context.read()
            if message is grpc.aio.EOF:
                return
            await failpoint("receive")
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
        most = _DEAD_PER_WRITER * self._bounds.writers
        if len(self._dead) > most:
            raise _protocol_error(f"more than {most} writers were refused on this stream")
        kind = message.WhichOneof("body")
        if kind == "append":
            self._append(message.append)
        elif kind == "open":
            self._open(message.open)
        elif kind == "close":
            if lane := self._lanes.pop(message.close.handle, None):
                lane.let_go()
        else:
            raise _protocol_error("a message without a body, or one that cannot be parsed")

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
        if cut > self._bounds.cut:
            raise malformed(
                f"{cut} bytes of records that are cut, the bound of a stream is {self._bounds.named('cut')}"
            )

    def _open(self, message: Open) -> None:
        handle = message.handle
        try:
            if handle in self._lanes or handle in self._opening or handle in self._dead:
                raise malformed(f"handle {handle} was used before")
            if len(self._lanes) + len(self._opening) >= self._bounds.writers:
                raise malformed(f"more writers on a stream than {self._bounds.named('writers')}")
            claim = check_open(message)
        except RefusedError as refusal:
            self._refuse(handle, refusal)
        else:
            self._opening[handle] = asyncio.create_task(self._finish_open(handle, claim))

    async def _finish_open(self, handle: int, claim: Claim) -> None:
        try:
            self._lanes[handle] = await self._open_lane(handle, claim, self._outbox, self._share)
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
    by_column = append.HasField("columns")
    if bool(append.cells) + by_column + bool(append.gap_to) > 1:
        raise malformed("two of cells, columns and a gap in one message")
    if by_column:
        columns = Columns.of(append.columns)
        return lane.session.receive_columns(append.first, append.definitions, columns)
    if not append.gap_to:
        return lane.session.receive(append.first, append.definitions, append.cells)
    reason = GapReason.Name(append.gap_reason) if append.gap_reason in GapReason.values() else "UNKNOWN"
    log.error(
        "a journal lost what it should deliver",
        writer=lane.writer.hex,
        first=append.first,
        end=append.gap_to,
        reason=reason,
    )
    return lane.session.skip(append.first, append.definitions, append.gap_to, reason)
