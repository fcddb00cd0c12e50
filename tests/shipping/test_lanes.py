"""A journal that cannot be read, or whose answers cannot be stored, leaves the others alone. No gRPC here."""

import asyncio
import errno
import uuid
from pathlib import Path
from typing import Any

import numpy as np  # by column, only where NumPy is loaded
import pytest

from headrace.errors import JournalError
from headrace.journal.layout import COMMITTED
from headrace.journal.reader import JournalReader
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace.shipping import shipper as shipping
from headrace.shipping.columnar import LEAST_CELLS
from headrace.shipping.lane import Lane
from headrace.shipping.session import REST_SECONDS
from headrace.shipping.shipper import Shipper
from headrace_proto.v1 import ingest_pb2 as pb

RUN = "0123456789abcdef" * 2


class Stream:
    """What a shipper sends, and a daemon that has nothing yet and takes everything."""

    def __init__(self) -> None:
        self.writers: dict[int, str] = {}
        self.appended: dict[str, int] = {}
        self.columns = False
        self.by_column = False
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    async def send(self, message: pb.ClientMessage) -> None:
        if message.HasField("open"):
            handle = message.open.handle
            self.writers[handle] = message.open.writer_id.hex()
            self._answers.put_nowait(
                pb.ServerMessage(
                    opened=pb.Opened(handle=handle, epoch=1, credit=1 << 20, columns=self.columns)
                )
            )
        elif message.HasField("append"):
            append = message.append
            self.by_column |= append.HasField("columns")
            assert not append.cells or not append.HasField("columns")
            end = append.gap_to or append.first + (append.columns.count or len(append.cells) // 32)
            self.appended[self.writers[append.handle]] = end
            ack = pb.Ack(handle=append.handle, committed=end, credit=1 << 20)
            self._answers.put_nowait(pb.ServerMessage(ack=ack))

    async def messages(self) -> Any:
        while True:
            yield await self._answers.get()

    def cancel(self) -> None:
        pass


class Link:
    uri = "headrace://here:1"

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def connection(self, *, start: bool) -> Any:  # noqa: ARG002
        return self

    def ingest(self) -> Stream:
        return self._stream

    async def failed(self, _: Any) -> None:
        pass


def journal(root: Path) -> Writer:
    writer = Writer(root, uuid.uuid4().hex, {"uri": "x", "boot": "b"}, 1.0, lambda w: w)
    log = RunLog(writer, RUN, "")
    for step in range(100):
        log.log_metric("x", 1.0, step)
    return writer


@pytest.fixture(autouse=True)
def _this_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.journal.folder.boot_id", lambda: "b")
    monkeypatch.setattr(shipping, "AGAIN_SECONDS", 0.05)


async def until_delivered(stream: Stream, writer: Writer) -> None:
    async with asyncio.timeout(30):
        while stream.appended.get(writer.name) != 100 or writer.committed() != 100:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("broken", ["cells", "store"])
async def test_a_broken_journal_does_not_hold_up_the_others(
    tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream()
    shipper = Shipper(Link(stream), bytes(16), keep=600)  # type: ignore[arg-type]
    bad, good = journal(tmp_path), journal(tmp_path)
    for writer in (bad, good):
        assert shipper.take_on(writer.folder, writer)
    lane = shipper.lane(bad.name)
    assert lane

    def fails(*_: object) -> Any:
        if broken == "cells":
            raise JournalError("cut short")
        raise OSError(errno.ENOSPC, "no space left on device")

    setattr(lane.reader, broken, fails)
    running = asyncio.create_task(shipper.run())
    try:
        await until_delivered(stream, good)
        assert "trying again" in caplog.text
        await until_delivered(stream, bad)  # after a rest
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shipper.let_go()


async def test_deleted_cells_are_a_gap(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    stream = Stream()
    shipper = Shipper(Link(stream), bytes(16), keep=600)  # type: ignore[arg-type]
    writer = journal(tmp_path)
    for path in writer.folder.glob("*.cells"):
        path.unlink()
    shipper.take_on(writer.folder, writer)
    running = asyncio.create_task(shipper.run())
    try:
        await until_delivered(stream, writer)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shipper.let_go()
    assert "100 cells" in caplog.text


async def test_a_journal_that_rests_with_nothing_pending_is_shipped_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = Stream()
    shipper = Shipper(Link(stream), bytes(16), keep=600)  # type: ignore[arg-type]
    writer = journal(tmp_path)
    writer.control[COMMITTED] = 100
    shipper.take_on(writer.folder, writer)
    lane = shipper.lane(writer.name)
    assert lane

    def fails() -> int:
        raise OSError(errno.EMFILE, "too many open files")

    lane.reader.known_reject = fails  # type: ignore[method-assign]
    running = asyncio.create_task(shipper.run())
    try:
        async with asyncio.timeout(30):
            while "trying again" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            while shipper.lane(writer.name) is None:  # noqa: ASYNC110 -- it rests
                await asyncio.sleep(0.01)
        RunLog(writer, RUN, "").log_metric("x", 1.0, 100)
        async with asyncio.timeout(30):
            while stream.appended.get(writer.name) != 101:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shipper.let_go()


def test_a_writer_does_not_wake_the_loop_at_each_call_while_a_daemon_does_not_answer(tmp_path: Path) -> None:
    writer = Writer(tmp_path, uuid.uuid4().hex, {"uri": "x", "boot": "b"}, 1.0, lambda w: w)
    RunLog(writer, RUN, "").log_metric("x", 1.0)
    lane = Lane(JournalReader(writer.folder), writer)
    lane.open_message(1, b"s" * 16)
    assert not lane.fall_asleep()
    assert not writer.asleep
    lane.on_lost()
    assert lane.fall_asleep(), "there is something to deliver"
    lane.close()


def test_what_nobody_waits_for_rests_a_while(tmp_path: Path) -> None:
    writer = Writer(tmp_path, uuid.uuid4().hex, {"uri": "x", "boot": "b"}, 1.0, lambda w: w)
    run = RunLog(writer, RUN, "")
    lane = Lane(JournalReader(writer.folder), writer)
    woken: list[str] = []
    writer.wake = lambda: woken.append("woken")
    lane.open_message(1, b"s" * 16)
    lane.on_answer("opened", pb.Opened(handle=1, committed=0, credit=1 << 20))
    run.log_metric("x", 1.0)
    assert lane.next_append(now=5.0) is not None
    lane.on_answer("ack", pb.Ack(handle=1, committed=1, credit=1 << 20))
    operation = run.log_metric("x", 2.0)
    assert not lane.fall_asleep(now=5.01)
    assert lane.next_append(now=5.01) is None
    assert lane.rests(5.01) == pytest.approx(REST_SECONDS - 0.01)
    run.log_metric("x", 3.0)
    assert not woken, "the clock looks after what is only logged"
    operation.add_done_callback(lambda _: None)
    assert len(woken) == 1
    assert (lane.rests(5.01), lane.fall_asleep(now=5.01)) == (0.0, True)
    assert lane.next_append(now=5.01) is not None
    lane.on_answer("ack", pb.Ack(handle=1, committed=3, credit=1 << 20))
    run.log_metric("x", 4.0)
    assert lane.rests(5.02)
    writer.close()
    assert not lane.rests(5.02), "nothing more will come"
    assert lane.next_append(now=5.02) is not None
    lane.close()


@pytest.mark.parametrize("daemon_takes_columns", [False, True])
async def test_cells_travel_by_column_where_the_daemon_takes_that(
    tmp_path: Path, daemon_takes_columns: bool
) -> None:
    stream = Stream()
    stream.columns = daemon_takes_columns
    shipper = Shipper(Link(stream), bytes(16), keep=600)  # type: ignore[arg-type]
    writer = Writer(tmp_path, uuid.uuid4().hex, {"uri": "x", "boot": "b"}, 1.0, lambda w: w)
    RunLog(writer, RUN, "").log_series("x", np.ones(LEAST_CELLS))  # type: ignore[arg-type]
    assert shipper.take_on(writer.folder, writer)
    running = asyncio.create_task(shipper.run())
    try:
        async with asyncio.timeout(30):
            while writer.committed() != LEAST_CELLS:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert stream.by_column == daemon_takes_columns
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        shipper.let_go()
