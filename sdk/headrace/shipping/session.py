"""One journal on one stream, without I/O: what to send next, and what an answer means.

Invariant: ``committed <= sent <= tail`` and ``(sent - committed) * 32 <= credit``, but for the first bytes
of a journal that another shipper carried further meanwhile.
"""

import math
from dataclasses import dataclass

from headrace_proto.wire import CELL_SIZE

MESSAGE_CELLS = (256 << 10) // CELL_SIZE
"""Cells in one message at most. A message has a price of its own, about 50 us; one that leaves the caches on
its way costs more (measured, both sides together: 43 ns a cell at 256 KiB, 100 at 1 MiB)."""

COLUMN_CELLS = 4 * MESSAGE_CELLS
"""The same by column, where a cell is 8 to 16 bytes."""

PATIENT_CELLS = (64 << 10) // CELL_SIZE
"""While something is on its way, fewer cells than these wait for it: they will go as one message."""

REST_SECONDS = 0.05
"""After a message, fewer than those wait for so long too, if nobody waits for them (ADR 0028)."""


@dataclass(slots=True)
class ShippingSession:
    """Where a journal stands on a stream. All numbers are sequences, but ``credit`` (bytes)."""

    opened: bool = False
    committed: int = 0
    sent: int = 0
    credit: int = 0
    by_column: bool = False
    """Whether the last message was: then the next one may have more cells."""
    rest_until: float = 0.0
    """By the shipper's clock."""
    _whole: int = 0
    """The tail when cells were sent last: the end of a record, which ``sent`` need not be."""

    def on_opened(self, committed: int, credit: int) -> None:
        """The daemon took the writer: goes on where it stands."""
        self.opened = True
        self.committed = self.sent = committed
        self.credit = credit

    def on_ack(self, committed: int, credit: int) -> None:
        """Everything below ``committed`` is durable and visible."""
        self.committed = max(self.committed, committed)
        self.sent = max(self.sent, committed)
        self.credit = credit

    def on_lost(self) -> None:
        """The stream is gone, or the daemon asks to open again."""
        self.opened = False

    def next_count(self, tail: int, now: float = math.inf) -> int:
        """How many cells from ``sent`` on to send now; 0: nothing, or better wait for an answer, or for more.

        ``now``: by the shipper's clock; not given where somebody waits for the cells.
        """
        if not self.opened:
            return 0
        room = self.credit // CELL_SIZE - (self.sent - self.committed)
        pending = tail - self.sent
        # The rest of a record that a message cut goes at once: before it, nothing of it is acknowledged.
        has_time = self.in_flight() or now < self.rest_until
        if has_time and pending < PATIENT_CELLS and self.sent == self._whole:
            return 0
        count = max(0, min(pending, room, COLUMN_CELLS if self.by_column else MESSAGE_CELLS))
        if count:
            self._whole = tail
        return count

    def on_sent(self, count: int, *, by_column: bool = False) -> None:
        """``count`` cells are on their way."""
        self.sent += count
        self.by_column = by_column

    def in_flight(self) -> bool:
        """Whether an acknowledgement is to come."""
        return self.sent > self.committed
