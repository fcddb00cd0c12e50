"""No room for the journal, on a file system that is really full and under HEADRACE_JOURNAL_MAX."""

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace import record
from headrace.config import Settings
from headrace.core import Core
from headrace.entities import Metric, Param, RunStatus, RunTag
from headrace.errors import DroppedError, InvalidArgumentError, JournalFullError
from headrace.journal import layout, room
from headrace.journal.reader import JournalReader
from headrace.journal.room import OnFull
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_proto.wire import CELL_SIZE
from small_disk import fill, small_disk

RUN = "0123456789abcdef" * 2
PATIENCE = 30.0

MakeLog = Callable[[OnFull], tuple[Writer, RunLog]]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("headrace.journal.folder.boot_id", lambda: "b")
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    monkeypatch.setattr(layout, "LARGEST_FILE", 4096 * CELL_SIZE)
    monkeypatch.setattr(room, "RETRY_SECONDS", 0.005)
    with small_disk(tmp_path / "disk", "2m") as mounted:
        yield mounted


@pytest.fixture
def make(disk: Path) -> MakeLog:
    """A journal with its reserve on a disk that is full: only the rest of its current file is left."""

    def made(on_full: OnFull) -> tuple[Writer, RunLog]:
        def another(_: Writer) -> Writer:
            header = {"uri": "x", "boot": "b"}
            return Writer(disk / "journals", uuid.uuid4().hex, header, 1.0, another, on_full=on_full)

        writer = another(None)  # type: ignore[arg-type]
        log = RunLog(writer, RUN, "")
        for step in range(65):
            log.log_metric("x", 1.0, step)
        fill(disk)
        return writer, log

    return made


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"it does not happen: {what}"
        time.sleep(0.005)


def steps(read: Any, writer: Writer) -> list[int]:
    return [point[2] for point in read(writer.folder).points]


def tags(read: Any, writer: Writer) -> dict[str, str]:
    changes = [RunChange.FromString(payload) for _, payload in read(writer.folder).blobs]
    return {change.tag.key: change.tag.value for change in changes if change.HasField("tag")}


def fill_up(log: RunLog, begin: int) -> int:
    """Logs until calls are dropped; the first step that was."""
    for step in range(begin, begin + 100_000):
        operation = log.log_metric("x", 1.0, step)
        if isinstance(operation.done() and operation.exception(0), DroppedError):
            return step
    raise AssertionError("the disk is not full")


def test_block_waits_until_there_is_room(
    make: MakeLog, disk: Path, read: Any, caplog: pytest.LogCaptureFixture
) -> None:
    writer, log = make("block")
    logged = 65

    def work() -> None:
        nonlocal logged
        while logged < 2000:
            log.log_metric("x", 1.0, logged)
            logged += 1

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: "logging waits" in caplog.text, "a warning")
    waiting = logged
    assert waiting < 2000
    (disk / "ballast").unlink()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert steps(read, writer) == list(range(2000))
    assert caplog.text.count("logging waits") == 1, "once a minute"


def test_block_goes_on_when_delivered_files_can_go(make: MakeLog, caplog: Any) -> None:
    writer, log = make("block")
    thread = threading.Thread(
        target=lambda: [log.log_metric("x", 1.0, step) for step in range(65, 900)], daemon=True
    )
    thread.start()
    until(lambda: "logging waits" in caplog.text, "a warning")
    while thread.is_alive():
        before = writer.written()
        writer.control[layout.COMMITTED] = before
        until(lambda: writer.written() > before or not thread.is_alive(), "it goes on")  # noqa: B023
    assert writer.written() >= 900
    assert not (writer.folder / layout.cells_name(0)).exists()


def test_a_waiting_call_lets_signals_through(make: MakeLog, read: Any) -> None:
    writer, log = make("block")
    seen: list[int] = []

    def handler(*_: object) -> None:
        seen.append(1)
        if len(seen) == 3:
            raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1, 0.05)
    step = 65
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - the call that waits is one of them
            while True:
                log.log_metric("x", 1.0, step)
                step += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert len(seen) == 3
    assert steps(read, writer) == list(range(step))


def test_drop_counts_and_tells_the_run(make: MakeLog, disk: Path, read: Any, caplog: Any) -> None:
    writer, log = make("drop")
    first = fill_up(log, 65)
    operations = [log.log_metric("x", 1.0), log.log_metrics({"a": 1.0, "b": 2.0}), log.change(b"")]
    operations.append(log.log_series("x", [1.0] * 1000))
    for operation in operations:
        with pytest.raises(DroppedError, match="no room for the journal") as caught:
            operation.wait(0)
        assert caught.value.operation is operation
    assert steps(read, writer) == list(range(first)), "all or nothing"
    assert caplog.text.count("points are dropped") == 1
    (disk / "ballast").unlink()
    again = 0
    while log.log_metric("x", 1.0, first).done():  # looks for room every few milliseconds
        again += 1
    assert steps(read, writer) == list(range(first + 1))
    assert tags(read, writer) == {f"headrace.dropped.{writer.name[:12]}": str(1 + 1 + 2 + 1 + 1000 + again)}


def test_the_reserve_takes_the_end_of_the_run_and_what_was_dropped(make: MakeLog, read: Any) -> None:
    writer, log = make("drop")
    fill_up(log, 65)
    operation = record.end(log, "process", RunStatus.FINISHED)
    assert not operation.done()
    assert tags(read, writer) == {f"headrace.dropped.{writer.name[:12]}": "1"}
    last = RunChange.FromString(read(writer.folder).blobs[-1][1])
    assert last.HasField("end")


def test_block_has_the_reserve_for_the_end_too(make: MakeLog, read: Any) -> None:
    writer, log = make("block")
    while writer.written() < writer.file.end or writer._prepared:
        log.log_metric("x", 1.0)
    record.end(log, "process", RunStatus.FINISHED)
    assert RunChange.FromString(read(writer.folder).blobs[-1][1]).HasField("end")


def test_raise_names_the_path_and_writes_nothing(make: MakeLog, disk: Path, read: Any) -> None:
    writer, log = make("raise")
    before = writer.written()
    points = [Metric("m", 1.0, 0, step) for step in range(500)]
    with pytest.raises(JournalFullError, match="HEADRACE_JOURNAL_MAX") as caught:
        record.batch(log, points, [Param("p", "1")], [RunTag("t", "x" * 4000)])
    assert caught.value.path == writer.folder
    assert caught.value.bound == disk_size(disk)
    assert isinstance(caught.value, OSError)
    assert writer.written() == before
    record.metric(log, "x", 1.0)  # there is room for this one
    with pytest.raises(JournalFullError):
        record.tags(log, {str(number): "x" * 1000 for number in range(100)})
    assert writer.written() == before + 1
    (disk / "ballast").unlink()
    record.batch(log, points, [Param("p", "1")], [RunTag("t", "x" * 4000)])
    content = read(writer.folder)
    assert [point[2] for point in content.points if point[1] == "m"] == list(range(500))
    assert len(content.blobs) == 2


def test_a_definition_without_room_is_like_a_point(make: MakeLog, disk: Path, read: Any) -> None:
    writer, log = make("raise")
    with pytest.raises(JournalFullError):  # noqa: PT012 - one of them
        for number in range(10_000):
            log.log_metric(f"{number}-{'x' * 200}", 1.0)
            if writer.written() >= writer.file.end - 1:
                pytest.fail("the file of cells was full first")
    (disk / "ballast").unlink()
    log.log_metric("after", 1.0)
    assert read(writer.folder).points[-1][1] == "after"


def test_the_bound_is_for_all_journals_together(disk: Path) -> None:
    def journal(bound: float) -> RunLog:
        name = uuid.uuid4().hex
        header = {"uri": "x", "boot": "b"}
        writer = Writer(disk / "journals", name, header, bound, lambda _: writer, on_full="raise")
        return RunLog(writer, RUN, "")

    quarter = disk_size(disk) // 4
    journal(1.0).log_series("x", [1.0] * (quarter // CELL_SIZE))
    with pytest.raises(JournalFullError, match="HEADRACE_JOURNAL_MAX, "):
        journal(0.25).log_series("x", [1.0] * 2000)


def test_a_journal_is_made_when_there_is_room(disk: Path, caplog: Any) -> None:
    ballast = fill(disk)
    made: list[Writer] = []

    def work() -> None:
        made.append(Writer(disk / "journals", "a" * 32, {"uri": "x", "boot": "b"}, 1.0, lambda w: w))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: "logging waits" in caplog.text, "a warning")
    ballast.unlink()
    thread.join(PATIENCE)
    RunLog(made[0], RUN, "").log_metric("x", 1.0)
    assert [path.name for path in (disk / "journals").iterdir()] == ["a" * 32]


@pytest.mark.parametrize("on_full", ["drop", "raise"])
def test_a_run_does_not_start_without_a_journal(disk: Path, on_full: OnFull) -> None:
    fill(disk)
    core = Core("headrace://127.0.0.1:1", Settings(journal_dir=disk / "journals", on_full=on_full))
    with pytest.raises(JournalFullError, match=str(disk)):
        core.run_log(RUN)


def test_an_interrupted_call_is_dropped_when_there_is_no_room_for_a_spare(make: MakeLog) -> None:
    writer, log = make("drop")
    operation = writer.in_turn(lambda: log.log_metric("x", 1.0))
    assert isinstance(operation.exception(0), DroppedError)
    assert writer.room.untold() == [(RUN, "")]


def test_a_closing_process_does_not_wait_for_a_waiting_thread(make: MakeLog, caplog: Any) -> None:
    writer, log = make("block")

    def work() -> None:
        with pytest.raises(JournalFullError):
            log.log_series("x", [1.0] * 100_000)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: "logging waits" in caplog.text, "a warning")
    writer.close()
    writer.room.on_full = "raise"  # lets the thread go
    thread.join(PATIENCE)


def test_the_policy_is_checked() -> None:
    assert Settings.from_environment({}).on_full == "block"
    assert Settings.from_environment({"HEADRACE_ON_FULL": "drop"}).on_full == "drop"
    with pytest.raises(InvalidArgumentError, match="HEADRACE_ON_FULL is 'wait'; expected block, drop or"):
        Settings.from_environment({"HEADRACE_ON_FULL": "wait"})


def disk_size(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_frsize * status.f_blocks


def test_what_a_reader_sees_is_whole(make: MakeLog) -> None:
    writer, log = make("drop")
    end = fill_up(log, 65)
    reader = JournalReader(writer.folder)
    assert reader.tail == end
    reader.close()
