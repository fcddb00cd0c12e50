"""What the shipper says of the process that writes a journal, and when it only shows that it lives."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.core import Core
from headrace.journal.folder import boot_id
from headrace.journal.reader import JournalReader
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace.shipping.lane import Lane
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2

RUN = "0123456789abcdef" * 2
SHIPPER = bytes(16)


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return Writer(tmp_path, uuid.uuid4().hex, {"uri": "", "boot": boot_id()}, 1.0, lambda writer: writer)


@pytest.fixture
def reader(writer: Writer) -> Iterator[JournalReader]:
    reader = JournalReader(writer.folder)
    yield reader
    reader.close()


def opened(lane: Lane) -> Any:
    """Opens the lane; what was said, and then what is sent first."""
    message = lane.open_message(1, SHIPPER)
    lane.on_answer("opened", ingest_pb2.Opened(committed=lane.reader.committed, credit=1 << 20))
    return message.open.orphaned, lane.next_append()


def deliver(lane: Lane) -> None:
    lane.on_answer("ack", ingest_pb2.Ack(committed=lane.reader.tail, credit=1 << 20))


def test_a_process_with_nothing_to_say_introduces_its_runs(writer: Writer, reader: JournalReader) -> None:
    lane = Lane(reader, writer)
    assert not lane.wanted()
    RunLog(writer, RUN, "").log_metric("loss", 1.0)
    lane = Lane(reader, writer)
    opened(lane)
    deliver(lane)
    assert lane.wanted()
    assert not lane.finished()
    assert lane.fall_asleep() is False

    lane.on_lost()
    assert lane.fall_asleep() is False, "the next stream comes by the clock"
    lane.open_message(2, SHIPPER)
    lane.on_answer("opened", ingest_pb2.Opened(committed=1, credit=1 << 20))
    assert lane.fall_asleep() is True
    append = lane.next_append().append  # type: ignore[union-attr]
    assert (append.first, append.cells) == (1, b"")
    [run, series] = wire.parse_definitions(append.definitions)
    assert (run, series) == (wire.RunDefinition(0, RUN, ""), wire.SeriesDefinition(0, 0, "loss"))
    assert lane.next_append() is None
    assert lane.fall_asleep() is False


def test_after_the_introduction_only_what_is_new_is_defined(writer: Writer, reader: JournalReader) -> None:
    log = RunLog(writer, RUN, "")
    log.log_metric("loss", 1.0)
    lane = Lane(reader, writer)
    opened(lane)
    deliver(lane)
    lane.on_lost()
    opened(lane)
    log.log_metric("accuracy", 2.0)
    append = lane.next_append().append  # type: ignore[union-attr]
    assert len(append.cells) == wire.CELL_SIZE
    [series] = wire.parse_definitions(append.definitions)
    assert series == wire.SeriesDefinition(1, 0, "accuracy")


def test_a_closed_writer_leaves_when_all_is_delivered(writer: Writer, reader: JournalReader) -> None:
    RunLog(writer, RUN, "").log_metric("loss", 1.0)
    lane = Lane(reader, writer)
    writer.close()
    assert lane.wanted()
    assert not lane.finished()
    orphaned, append = opened(lane)
    assert orphaned
    assert append.append.cells
    deliver(lane)
    assert not lane.wanted()
    assert lane.finished()


@pytest.mark.parametrize("living", [True, False])
def test_a_journal_of_another_process_tells_whether_that_lives(
    writer: Writer, reader: JournalReader, *, living: bool
) -> None:
    RunLog(writer, RUN, "").log_metric("loss", 1.0)
    lane = Lane(reader, None, living=living)
    orphaned, _ = opened(lane)
    assert orphaned is not living
    deliver(lane)
    assert lane.wanted() is living
    lane.on_lost()
    assert (opened(lane)[1] is not None) is living


def test_a_call_does_not_wait_for_what_an_idle_process_would(
    core: Core, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = core.run_log(RUN)
    log.log_metric("loss", 1.0).wait(20)
    pauses = iter([3600.0])  # the one of the idle process; the channel may need a second attempt then
    monkeypatch.setattr("headrace.shipping.shipper.Backoff.next", lambda _: next(pauses, 0.05))
    shipper = core._shipper
    assert shipper is not None
    [lane] = shipper.lanes
    served.stop()
    deadline = time.monotonic() + 20
    while lane.opening:
        assert time.monotonic() < deadline, "the shipper does not notice that the stream is gone"
        time.sleep(0.01)
    served.start()
    log.log_metric("loss", 2.0).wait(20)


def test_a_process_that_does_not_speak_for_its_runs_keeps_none_alive(tmp_path: Path) -> None:
    header = {"uri": "", "boot": boot_id(), "attends": False}
    writer = Writer(tmp_path, uuid.uuid4().hex, header, 1.0, lambda writer: writer)
    RunLog(writer, RUN, "").log_metric("loss", 1.0)
    reader = JournalReader(writer.folder)
    lane = Lane(reader, writer)
    orphaned, append = opened(lane)
    assert orphaned
    assert append.append.cells, "it delivers all the same"
    deliver(lane)
    assert lane.next_append() is None
    reader.close()
