"""What a stream has to send: acknowledgements of a writer flow together while they wait."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from headrace_ingest.admission import RefusedError
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_proto.v1.ingest_pb2 import Ack, Opened, Refused, Reject, ServerMessage
from headrace_storage import model

MAX_REJECTS: Final = 1000
"""Rejects in one message."""


@dataclass(slots=True)
class _Acknowledgement:
    handle: int
    committed: int
    rejects: deque[model.Reject] = field(default_factory=deque)


class Outbox:
    """Messages in the order in which they are to be sent; put and taken in one event loop."""

    def __init__(self, bounds: Bounds = DEFAULTS) -> None:
        self._bounds = bounds
        self._messages: deque[ServerMessage | _Acknowledgement] = deque()
        self._acknowledgements: dict[int, _Acknowledgement] = {}
        self._unread = 0
        self._filled = asyncio.Event()
        self._writing = False
        self._progress = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def opened(self, handle: int, opened: model.OpenedWriter) -> None:
        """The writer is open. Rejects that do not fit into this message come with Acks."""
        fits, rest = opened.rejects[:MAX_REJECTS], opened.rejects[MAX_REJECTS:]
        committed = rest[0].first if rest else opened.committed
        body = Opened(
            handle=handle,
            epoch=opened.epoch,
            committed=committed,
            rejects=map(_reject, fits),
            credit=self._bounds.credit,
            columns=True,
        )
        self._put(ServerMessage(opened=body))
        if rest:
            self.acknowledge(handle, opened.committed, rest)

    def acknowledge(self, handle: int, committed: int, rejects: Sequence[model.Reject]) -> None:
        """Everything below ``committed`` is durable and visible, but for ``rejects``."""
        waiting = self._acknowledgements.get(handle)
        if waiting is None:
            waiting = self._acknowledgements[handle] = _Acknowledgement(handle, committed)
            self._put(waiting)
        waiting.committed = committed
        waiting.rejects.extend(rejects)
        self._count(len(rejects))

    def refuse(self, handle: int, refusal: RefusedError) -> None:
        """The writer is not taken (any more)."""
        body = Refused(handle=handle, code=refusal.code, message=refusal.message)
        self._put(ServerMessage(refused=body))

    async def next(self) -> ServerMessage:
        """The next message, as soon as there is one."""
        await self._filled.wait()
        self._writing = True
        message = self._messages[0]
        if isinstance(message, _Acknowledgement):
            return self._next_part(message)
        self._drop_first()
        return message

    @property
    def busy(self) -> bool:
        """Whether a message waits, or is being written."""
        return self._writing or bool(self._messages)

    def sent(self) -> None:
        """The message that :meth:`next` gave last is written."""
        self._writing = False
        self._progress.set()

    async def progress(self) -> None:
        """Waits until a message was written. One task waits at a time."""
        self._progress.clear()
        await self._progress.wait()

    async def room(self) -> None:
        """Waits while the peer leaves too much unread."""
        await self._room.wait()

    def _next_part(self, whole: _Acknowledgement) -> ServerMessage:
        """The whole acknowledgement, or what lies below the first reject that does not fit."""
        taken = [whole.rejects.popleft() for _ in range(min(len(whole.rejects), MAX_REJECTS))]
        committed = whole.rejects[0].first if whole.rejects else whole.committed
        self._count(-len(taken))
        if not whole.rejects:
            del self._acknowledgements[whole.handle]
            self._drop_first()
        body = Ack(
            handle=whole.handle, committed=committed, rejects=map(_reject, taken), credit=self._bounds.credit
        )
        return ServerMessage(ack=body)

    def _put(self, message: ServerMessage | _Acknowledgement) -> None:
        self._messages.append(message)
        self._count(_weight(message))
        self._filled.set()

    def _drop_first(self) -> None:
        self._count(-_weight(self._messages.popleft()))
        if not self._messages:
            self._filled.clear()

    def _count(self, answers: int) -> None:
        self._unread += answers
        if self._unread > self._bounds.unread:
            self._room.clear()
        else:
            self._room.set()


def _weight(message: ServerMessage | _Acknowledgement) -> int:
    """What a message counts. An acknowledgement's rejects are counted as they come and go."""
    return 1 if isinstance(message, _Acknowledgement) else 1 + len(message.opened.rejects)


def _reject(reject: model.Reject) -> Reject:
    return Reject(first=reject.first, end=reject.end, code=reject.code, message=reject.message)
