"""One writer on one stream, without I/O: which of the bytes that arrive are new, whole and within bounds.

Invariants: ``committed <= taken <= received``; ``(received - committed) * 32 <= credit``; ``taken`` is the
end of a record. Between ``taken`` and ``received`` lies at most one record, whose rest is to come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from headrace_ingest.admission import MAX_SEQUENCE, malformed
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.columnar import Columns
from headrace_ingest.dictionary import Dictionary
from headrace_ingest.kept import Kept, Share, unbounded
from headrace_proto.wire import BLOB, BLOB_HEAD, CELL_SIZE, blob_cells
from headrace_storage.model import OpenedWriter


@dataclass(frozen=True, slots=True)
class Batch:
    """Whole records: ``cells`` as they came; ``blobs`` are the indexes of the blob records' heads."""

    first: int
    cells: memoryview | Columns
    blobs: Sequence[int]

    @property
    def count(self) -> int:
        """How many cells there are."""
        cells = self.cells
        return cells.count if isinstance(cells, Columns) else len(cells) // CELL_SIZE

    @property
    def size(self) -> int:
        """The bytes that came, and are kept."""
        cells = self.cells
        return cells.size if isinstance(cells, Columns) else len(cells)

    @property
    def end(self) -> int:
        """The sequence after the last record."""
        return self.first + self.count


@dataclass(frozen=True, slots=True)
class GapBatch(Batch):
    """No records: what lay in ``[first, gap_to)`` cannot be delivered any more."""

    gap_to: int
    reason: str

    @property
    def end(self) -> int:
        """The sequence after the gap."""
        return self.gap_to


class Session:
    """Where a writer stands. All positions are sequences."""

    def __init__(
        self,
        writer: UUID,
        opened: OpenedWriter,
        bounds: Bounds = DEFAULTS,
        share: Share | None = None,
    ) -> None:
        """``share``: the stream's, which counts what is kept."""
        self.writer = writer
        self.epoch = opened.epoch
        share = share or unbounded()
        self.dictionary = Dictionary(bounds, share)
        self.committed = opened.committed
        self.received = opened.committed
        self.taken = opened.committed
        self._bounds = bounds
        self._cut = bytearray()
        self._cut_needs = 0
        self._cut_kept = Kept(share)

    @property
    def cut_bytes(self) -> int:
        """Bytes kept of a record whose rest has not arrived."""
        return (self.received - self.taken) * CELL_SIZE

    def receive(self, first: int, definitions: bytes, cells: bytes | memoryview) -> Batch | None:
        """The whole records that ``Append(first, definitions, cells)`` completes, if any.

        What was received before is cut off; a blob record is kept back until it is whole.
        :class:`RefusedError` when the message breaks the protocol or a bound.
        """
        if definitions:
            self.dictionary.add(definitions)
        fresh = self._fresh(first, memoryview(cells))
        self.received += len(fresh) // CELL_SIZE
        batch = self._whole(fresh)
        self._cut_kept.resize(self.cut_bytes)
        return batch

    def receive_columns(self, first: int, definitions: bytes, columns: Columns) -> Batch | None:
        """As :meth:`receive`, with the cells by column, as which they stay where all are new."""
        if self._cut or first != self.received:
            return self.receive(first, definitions, columns.cells())
        if definitions:
            self.dictionary.add(definitions)
        self._check_bounds(first, columns.count)
        self.received += columns.count
        self.taken = self.received
        return Batch(first, columns, ())

    def _whole(self, fresh: memoryview) -> Batch | None:
        """The whole records that ``fresh`` completes, if any; the rest is kept."""
        if self._cut:
            self._cut += fresh
            if self.received - self.taken < self._cut_needs:
                return None
            fresh, self._cut = memoryview(self._cut), bytearray()
        blobs, whole = self._records(fresh)
        if rest := fresh[whole * CELL_SIZE :]:
            # A copy, so that the rest does not keep the whole message in memory.
            self._cut = bytearray(rest)
        if whole == 0:
            return None
        batch = Batch(self.taken, fresh[: whole * CELL_SIZE], blobs)
        self.taken = batch.end
        return batch

    def skip(self, first: int, definitions: bytes, gap_to: int, reason: str) -> GapBatch | None:
        """The gap that ``Append(first, definitions, gap_to)`` tells of, if it is news.

        It begins with the record whose rest will not arrive. :class:`RefusedError` as :meth:`receive`.
        """
        if definitions:
            self.dictionary.add(definitions)
        if not first < gap_to <= MAX_SEQUENCE:
            raise malformed(f"a gap from {first} to {gap_to}; the bounds are {first + 1} and {MAX_SEQUENCE}")
        self._check_follows(first)
        if gap_to <= self.received:
            return None
        gap = GapBatch(self.taken, memoryview(b""), (), gap_to, reason)
        self._cut = bytearray()
        self._cut_kept.resize(0)
        self.taken = self.received = gap_to
        return gap

    def commit(self, end: int) -> None:
        """Notes that everything below ``end`` is durable and visible."""
        if not self.committed <= end <= self.taken:
            raise ValueError(f"committed {self.committed} -> {end}, taken {self.taken}")
        self.committed = end

    def forget(self) -> None:
        """Frees what later cells would need; none are received any more."""
        self.dictionary = Dictionary()
        self._cut = bytearray()
        self._cut_kept.resize(0)

    def _fresh(self, first: int, cells: memoryview) -> memoryview:
        """What of ``cells`` was not received before."""
        if len(cells) % CELL_SIZE:
            raise malformed(f"{len(cells)} bytes are not whole cells of {CELL_SIZE}")
        count = len(cells) // CELL_SIZE
        self._check_bounds(first, count)
        if first == self.received:
            return cells
        # A copy, so that a few new cells do not keep a whole message of old ones in memory.
        return memoryview(bytes(cells[min(self.received - first, count) * CELL_SIZE :]))

    def _check_bounds(self, first: int, count: int) -> None:
        end = first + count
        if end > MAX_SEQUENCE:
            raise malformed(f"sequence {end} is above {MAX_SEQUENCE}")
        self._check_follows(first)
        unacknowledged = (end - self.committed) * CELL_SIZE
        if unacknowledged > self._bounds.credit:
            raise malformed(
                f"{unacknowledged} bytes are not yet acknowledged, "
                f"the credit is {self._bounds.named('credit')}"
            )

    def _check_follows(self, first: int) -> None:
        if first > self.received:
            raise malformed(f"cells begin at {first}, but {self.received} is the next that is missing")

    def _records(self, cells: memoryview) -> tuple[list[int], int]:
        """Where the blob records in ``cells`` begin, and how many cells lie in whole records."""
        kinds = np.frombuffer(cells, np.uint8)[::CELL_SIZE]
        count, position = len(kinds), 0
        blobs: list[int] = []
        for head in np.flatnonzero(kinds == BLOB).tolist():
            if head < position:  # inside the payload of the one before
                continue
            _, _, size, _, length, _, _, _ = BLOB_HEAD.unpack_from(cells, head * CELL_SIZE)
            if size != blob_cells(length):
                raise malformed(f"the record at {self.taken + head} has {length} bytes in {size} cells")
            if head + size > count:
                self._cut_needs = size
                return blobs, head
            blobs.append(head)
            position = head + size
        return blobs, count
