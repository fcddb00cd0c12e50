"""What a stream has to send, and in which order."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from headrace_ingest.admission import RefusedError
from headrace_ingest.bounds import Bounds
from headrace_ingest.outbox import MAX_REJECTS, Outbox
from headrace_proto.v1.ingest_pb2 import Refused
from headrace_storage.model import OpenedWriter, Reject


def rejects(first: int, end: int) -> list[Reject]:
    return [Reject(UUID(int=1), at, at + 1, "CODE", "why") for at in range(first, end)]


async def taken(outbox: Outbox) -> Any:
    message = await asyncio.wait_for(outbox.next(), 5)
    outbox.sent()
    return getattr(message, message.WhichOneof("body"))


async def test_acknowledgements_that_wait_flow_together() -> None:
    outbox = Outbox()
    outbox.acknowledge(1, 10, rejects(3, 4))
    outbox.acknowledge(2, 5, [])
    outbox.acknowledge(1, 20, rejects(15, 16))
    one, two = await taken(outbox), await taken(outbox)
    assert (one.handle, one.committed, [reject.first for reject in one.rejects]) == (1, 20, [3, 15])
    assert (two.handle, two.committed) == (2, 5)
    assert not outbox.busy
    outbox.acknowledge(1, 30, [])
    assert (await taken(outbox)).committed == 30


async def test_a_part_acknowledges_only_what_its_rejects_cover() -> None:
    outbox = Outbox()
    outbox.acknowledge(1, 5000, rejects(100, 100 + 2 * MAX_REJECTS + 1))
    first, second, last = [await taken(outbox) for _ in range(3)]
    assert [len(part.rejects) for part in (first, second, last)] == [MAX_REJECTS, MAX_REJECTS, 1]
    assert first.committed == second.rejects[0].first
    assert second.committed == last.rejects[0].first
    assert last.committed == 5000


async def test_opened_leaves_what_does_not_fit_to_acks() -> None:
    outbox = Outbox()
    outbox.opened(1, OpenedWriter(3, 9000, 0, rejects(0, MAX_REJECTS + 5)))
    opened, ack = await taken(outbox), await taken(outbox)
    assert (opened.epoch, opened.committed, len(opened.rejects)) == (3, MAX_REJECTS, MAX_REJECTS)
    assert (ack.committed, len(ack.rejects)) == (9000, 5)


async def test_a_refusal_comes_after_what_was_said_before() -> None:
    outbox = Outbox()
    outbox.acknowledge(1, 10, [])
    outbox.refuse(1, RefusedError(Refused.FENCED, "gone"))
    assert (await taken(outbox)).committed == 10
    assert (await taken(outbox)).message == "gone"


async def test_a_peer_that_does_not_read_is_not_read() -> None:
    outbox = Outbox(Bounds(unread=3 * MAX_REJECTS))
    outbox.acknowledge(1, 10**9, rejects(0, 3 * MAX_REJECTS))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.room(), 0.01)
    await taken(outbox)
    await asyncio.wait_for(outbox.room(), 5)


async def test_opened_and_refusals_count_as_unread_too() -> None:
    outbox = Outbox(Bounds(unread=1000))
    outbox.opened(1, OpenedWriter(3, 9000, 0, rejects(0, 900)))
    for handle in range(2, 101):
        outbox.refuse(handle, RefusedError(Refused.STALE, "gone"))
    await asyncio.wait_for(outbox.room(), 5)
    outbox.refuse(101, RefusedError(Refused.STALE, "gone"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(outbox.room(), 0.01)
    await taken(outbox)
    await asyncio.wait_for(outbox.room(), 5)


async def test_it_is_busy_until_the_message_is_written() -> None:
    outbox = Outbox()
    outbox.acknowledge(1, 10, [])
    await outbox.next()
    assert outbox.busy
    outbox.sent()
    assert not outbox.busy
