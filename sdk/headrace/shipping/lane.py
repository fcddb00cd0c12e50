"""Lane: one journal with its place on the current stream."""

import logging
import math

from headrace.journal.reader import HOST_CRASHED, JournalReader
from headrace.journal.writer import Writer
from headrace.shipping.backoff import Backoff
from headrace.shipping.columnar import by_column
from headrace.shipping.session import MESSAGE_CELLS, REST_SECONDS, ShippingSession
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2

logger = logging.getLogger("headrace")

DEFINITION_BYTES = 1 << 20
FENCED_SECONDS = 5.0


class Lane:
    """Reads a journal, and turns what its session decides into messages and what comes back into numbers."""

    def __init__(
        self, reader: JournalReader, writer: Writer | None, *, living: bool = False, refill: bool = False
    ) -> None:
        """``writer``: when this process writes the journal; ``living``: when another one still does.

        ``refill``: ask the daemon where the journal stands also when it was delivered once.
        """
        self.reader = reader
        self.writer = writer
        self.living = living
        self.handle = 0
        self.opening = False
        self.fenced = False
        """Whether another shipper claimed the writer, and this one waits before it claims it back."""
        self._pauses = Backoff(FENCED_SECONDS, 12 * FENCED_SECONDS)
        self._session = ShippingSession()
        self._answered = False
        self._takes_columns = False
        self._refill = refill
        self._defined = 0
        self._introduced = False

    def pending(self) -> bool:
        """Whether something is written that the daemon does not have, as far as is known.

        A catalog that went back in time has less than the journal was told before.
        """
        return self.lacking() > 0

    def lacking(self) -> int:
        """How many cells the daemon does not have, as far as is known."""
        known = self.reader.committed if not self._refill else 0
        return self.reader.tail - (self._session.committed if self._answered else known)

    def alive(self) -> bool:
        """Whether somebody may still append."""
        return self.living or (self.writer is not None and not self.reader.closed)

    def _attends(self) -> bool:
        """Whether the runs of the journal go on because somebody may still append."""
        return self.alive() and bool(self.reader.header.get("attends", True))

    def wanted(self) -> bool:
        """Whether a stream is needed: to deliver something, or to show that the runs go on."""
        return self.pending() or (self.alive() and self.reader.introduces)

    def finished(self) -> bool:
        """Whether all is delivered, and nothing will come."""
        return not self.alive() and not self.pending()

    def waits_for_answer(self) -> bool:
        """Whether the daemon owes an answer, which will wake the loop."""
        return self._session.in_flight() if self._session.opened else self.opening

    def gathers(self) -> bool:
        """Whether cells wait for more of them, while an answer is due: the clock has to look at them."""
        return self._session.in_flight() and self._session.opened and self.reader.tail > self._session.sent

    def rests(self, now: float) -> float:
        """For how many seconds cells wait for more of them, with no answer due and nobody waiting; 0: not."""
        if not self._session.opened or self._session.in_flight() or self.reader.tail == self._session.sent:
            return 0.0
        return max(0.0, self._session.rest_until - now) if self._has_time() else 0.0

    def fall_asleep(self, now: float = math.inf) -> bool:
        """Has the writer wake the loop at its next call, or only for who waits while the cells rest.

        True when there is work after all: no sleep then.
        """
        if self.fenced or (self.opening and not self._session.opened):
            return False
        # The writer looks at this flag after it stored the tail, we look at the tail after the flag.
        if self.writer is not None:
            self.writer.asleep = self.writer.awaited = True
            rests = self.rests(now) > 0
            self.writer.awaited = rests
            if rests or self.gathers():
                self.writer.asleep = False
        if not self._session.opened:
            return self.pending()
        return bool(self._next_count(now)) or self._has_to_introduce()

    def open_message(self, handle: int, shipper_id: bytes) -> ingest_pb2.ClientMessage:
        """Claims the writer on the current stream, under a handle of its own."""
        self.handle = handle
        self.opening = True
        self._defined = 0
        self._introduced = not self._attends()
        header = self.reader.header
        labels = {key: str(value) for key, value in header.get("labels", {}).items()}
        return ingest_pb2.ClientMessage(
            open=ingest_pb2.Open(
                handle=handle,
                writer_id=bytes.fromhex(self.reader.name),
                shipper_id=shipper_id,
                open_number=self.reader.next_open_number(),
                known_reject=self.reader.known_reject(),
                format=wire.FORMAT,
                labels=labels,
                orphaned=not self._attends(),
            )
        )

    def _next_count(self, now: float) -> int:
        return self._session.next_count(self.reader.tail, now if self._has_time() else math.inf)

    def _has_time(self) -> bool:
        """Whether what this process logs may go a little later: it goes on logging, and waits for nothing."""
        return self.writer is not None and not len(self.writer.waiters) and not self.reader.closed

    def next_append(self, now: float = math.inf) -> ingest_pb2.ClientMessage | None:
        """The next cells with the definitions that they need; ``None`` when nothing is to be sent now.

        A living writer's first message on a stream may have none: it says which runs go on.
        """
        count = self._next_count(now)
        if not count and not self._has_to_introduce():
            return None
        first = self._session.sent
        message = ingest_pb2.ClientMessage()  # filled in place: parts that are handed over are copied
        append = message.append
        append.handle, append.first = self.handle, first
        # The cells below the tail that was read above use only definitions that are in the file by now.
        append.definitions, complete = self.reader.definitions(self._defined, DEFINITION_BYTES)
        self._defined += len(append.definitions)
        self._introduced |= complete
        if complete and count:
            self._add_cells(append, count)
            self._session.rest_until = now + REST_SECONDS
        return message

    def _has_to_introduce(self) -> bool:
        return self._session.opened and not self._introduced and self.reader.introduces

    def _add_cells(self, append: ingest_pb2.Append, count: int) -> None:
        gap = self.reader.gap(append.first)
        if gap is None:
            cells = self.reader.cells(append.first, count)
            packed = self._takes_columns and by_column(cells, append)
            if not packed:
                cells = cells[: MESSAGE_CELLS * wire.CELL_SIZE]
                append.cells = cells
            self._session.on_sent(len(cells) // wire.CELL_SIZE, by_column=packed)
            return
        append.gap_to, append.gap_reason = gap.to, gap.reason  # type: ignore[assignment]
        self._session.on_sent(gap.to - append.first)
        logger.error(
            "%d cells of the journal %s cannot be delivered any more (%s); their runs are told",
            gap.to - append.first,
            self.reader.folder,
            "the machine crashed before they reached its disk"
            if gap.reason == HOST_CRASHED
            else "the catalog went back in time, or lost them, and the journal's files are gone",
        )

    def on_answer(self, kind: str, answer: ingest_pb2.Opened | ingest_pb2.Ack) -> None:
        """Stores what became of the cells, and tells whoever waits."""
        rejects = [(r.first, r.end, r.code, r.message) for r in answer.rejects]
        self.reader.store(answer.committed, rejects)
        self._answered = True
        if kind == "opened":
            self._session.on_opened(answer.committed, answer.credit)
            self._takes_columns = answer.columns  # type: ignore[union-attr]
        else:
            self._session.on_ack(answer.committed, answer.credit)
        if self.writer is not None:
            self.writer.waiters.advance(self.reader.committed)

    def stand_back(self) -> float:
        """Another shipper claimed the writer: for how long to leave it to that one, in seconds."""
        self.on_lost()
        self.fenced, self.handle = True, 0
        return self._pauses.next()

    def on_lost(self) -> None:
        """The stream is gone, or the daemon wants the writer opened again."""
        self.opening = False
        self._session.on_lost()

    def retire(self, keep: float) -> None:
        """Deletes committed files of cells after ``keep`` seconds."""
        self.reader.retire(keep, self._session.committed if self._answered else None)

    def close(self) -> None:
        """Ships no more."""
        self.reader.close()
