"""Lane: one journal with its place on the current stream."""

from headrace.journal.reader import JournalReader
from headrace.journal.writer import Writer
from headrace.shipping.session import ShippingSession
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2

DEFINITION_BYTES = 1 << 20


class Lane:
    """Reads a journal, and turns what its session decides into messages and what comes back into numbers."""

    def __init__(self, reader: JournalReader, writer: Writer | None, *, living: bool = False) -> None:
        """``writer``: when this process writes the journal; ``living``: when another one still does."""
        self.reader = reader
        self.writer = writer
        self.living = living
        self.handle = 0
        self.opening = False
        self._session = ShippingSession()
        self._defined = 0

    def pending(self) -> bool:
        """Whether something is written and not known to be committed."""
        return self.reader.tail > self.reader.committed

    def finished(self) -> bool:
        """Whether a dead process's journal is delivered whole."""
        return self.writer is None and not self.living and not self.pending()

    def waits_for_answer(self) -> bool:
        """Whether the daemon owes an answer, which will wake the loop."""
        return self._session.in_flight() if self._session.opened else self.opening

    def fall_asleep(self) -> bool:
        """Has the writer wake the loop at its next call; true when there is work after all: no sleep then."""
        if self.waits_for_answer():
            return False
        # The writer looks at this flag after it stored the tail, we look at the tail after the flag.
        if self.writer is not None:
            self.writer.asleep = True
        return bool(self._session.next_count(self.reader.tail)) if self._session.opened else self.pending()

    def open_message(self, handle: int, shipper_id: bytes) -> ingest_pb2.ClientMessage:
        """Claims the writer on the current stream, under a handle of its own."""
        self.handle = handle
        self.opening = True
        self._defined = 0
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
            )
        )

    def next_append(self) -> ingest_pb2.ClientMessage | None:
        """The next cells with the definitions that they need; ``None`` when nothing is to be sent now."""
        count = self._session.next_count(self.reader.tail)
        if not count:
            return None
        first = self._session.sent
        append = ingest_pb2.Append(handle=self.handle, first=first)
        # The cells below the tail that was read above use only definitions that are in the file by now.
        append.definitions, complete = self.reader.definitions(self._defined, DEFINITION_BYTES)
        self._defined += len(append.definitions)
        if complete:
            append.cells = self.reader.cells(first, count)
            self._session.on_sent(len(append.cells) // wire.CELL_SIZE)
        return ingest_pb2.ClientMessage(append=append)

    def on_answer(self, kind: str, answer: ingest_pb2.Opened | ingest_pb2.Ack) -> None:
        """Stores what became of the cells, and tells whoever waits."""
        rejects = [(r.first, r.end, r.code, r.message) for r in answer.rejects]
        self.reader.store(answer.committed, rejects)
        if kind == "opened":
            self._session.on_opened(answer.committed, answer.credit)
        else:
            self._session.on_ack(answer.committed, answer.credit)
        if self.writer is not None:
            self.writer.waiters.advance(self.reader.committed)

    def on_lost(self) -> None:
        """The stream is gone, or the daemon wants the writer opened again."""
        self.opening = False
        self._session.on_lost()

    def close(self) -> None:
        """Ships no more."""
        self.reader.close()
