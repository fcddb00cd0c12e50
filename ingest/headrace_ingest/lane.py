"""A writer that is open on a stream: what arrives for it, and what has to be said to it."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from headrace_ingest.admission import Claim, RefusedError
from headrace_ingest.attendance import Attendance
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_ingest.kept import Share
from headrace_ingest.session import Session
from headrace_proto.v1.ingest_pb2 import Refused
from headrace_storage.model import OpenedWriter, Reject


class Answers(Protocol):
    """Where what has to be said to a writer goes: a stream's ``Outbox``, or the daemon's own writer."""

    def acknowledge(self, handle: int, committed: int, rejects: Sequence[Reject]) -> None:
        """Everything below ``committed`` is durable and visible, but for ``rejects``."""
        ...

    def refuse(self, handle: int, refusal: RefusedError) -> None:
        """The writer is not taken (any more)."""
        ...


class Lane:
    """Ties a writer's session to the stream that it came by.

    ``order_time`` is that of the last row which was decoded.
    """

    def __init__(
        self,
        handle: int,
        claim: Claim,
        opened: OpenedWriter,
        outbox: Answers,
        attendance: Attendance | None = None,
        *,
        bounds: Bounds = DEFAULTS,
        share: Share | None = None,
    ) -> None:
        """``attendance``: where the runs are counted whose writer this is, if its process lives."""
        self.handle = handle
        self.writer = claim.writer
        self.shipper = claim.shipper
        self.session = Session(claim.writer, opened, bounds, share)
        self.order_time = opened.order_time
        self.refused = False
        self._outbox: Answers | None = outbox
        self._attendance = None if claim.orphaned else attendance
        if self._attendance:
            self._attendance.enter(self)

    @property
    def runs(self) -> set[str]:
        """The runs that the writer introduced on this stream."""
        return {run.run_id for run in self.session.dictionary.runs}

    @property
    def settled(self) -> bool:
        """Whether nothing that arrived waits for its commit."""
        return self.refused or self.session.committed == self.session.taken

    def acknowledge(self, end: int, rejects: Sequence[Reject]) -> None:
        """Everything below ``end`` is durable and visible, but for ``rejects``."""
        self.session.commit(end)
        if self._outbox and not self.refused:
            self._outbox.acknowledge(self.handle, end, rejects)

    def refuse(self, refusal: RefusedError) -> None:
        """Takes nothing more, and drops what waits for its commit."""
        if not self.refused:
            self.refused = True
            self.session.forget()
            if self._outbox:
                self._outbox.refuse(self.handle, refusal)

    def let_go(self) -> None:
        """Says nothing more; what arrived is still committed."""
        self._outbox = None
        if self._attendance:
            self._attendance.leave(self)

    def fence(self, holder: UUID | None) -> None:
        """Refuses because ``holder``, maybe the same shipper, opened the writer later."""
        if holder == self.shipper:
            self.refuse(RefusedError(Refused.STALE, "a newer Open of the same shipper exists"))
        else:
            self.refuse(
                RefusedError(Refused.FENCED, f"shipper {holder and holder.hex} opened the writer later")
            )

    def lose(self, reason: str) -> None:
        """Refuses because the daemon lost track: the shipper opens the writer again."""
        self.refuse(RefusedError(Refused.REOPEN, reason))
