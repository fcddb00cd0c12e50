"""Around the hot path: full disks, refusals, old files, what a crash of the machine leaves."""

import errno
from pathlib import Path
from typing import Any

import pytest

from headrace.errors import JournalError
from headrace.journal import cells, layout, room
from headrace.journal.folder import boot_folder, header, try_lock, write_header, writer_lives
from headrace.journal.reader import HOST_CRASHED, JournalReader
from headrace.journal.rejects import append_rejects, read_rejects
from headrace.journal.run_log import RunLog
from headrace_proto.wire import CELL_SIZE

RUN = "0123456789abcdef" * 2


def test_a_full_disk_delays_and_loses_nothing(
    journals: Any, read: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    monkeypatch.setattr(room, "RETRY_SECONDS", 0.001)
    made = journals.writer()
    log = RunLog(made, RUN, "")
    refusals = 0
    allocate = cells.CellFile

    def sometimes_full(*arguments: Any) -> cells.CellFile:
        nonlocal refusals
        refusals += 1
        if refusals % 3:
            raise OSError(errno.ENOSPC, "no space left on device")
        return allocate(*arguments)

    monkeypatch.setattr(room, "CellFile", sometimes_full)
    for step in range(1000):
        log.log_metric("x", 1.0, step)
    assert refusals >= 3
    assert [point[2] for point in read(made.folder).points] == list(range(1000))
    assert [record.message for record in caplog.records if "no room for the journal" in record.message]


def test_a_journal_is_bounded(journals: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    made = journals.writer()
    made.room._bound = 0.0
    with pytest.raises(OSError, match="HEADRACE_JOURNAL_MAX"):
        made._allocate(made.folder / "x", 64, 64 * CELL_SIZE)


def test_prepared_files_are_used(journals: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    made = journals.writer()
    log = RunLog(made, RUN, "")
    allocated = []
    for step in range(3000):
        log.log_metric("x", 1.0, step)
        if step % 7 == 0:
            made.prepare()
            allocated += made._prepared
    assert allocated
    assert [point[2] for point in read(made.folder).points] == list(range(3000))
    ahead = {path.name for path in made.folder.glob(".*")}
    assert ahead <= {".reserve", *(file.path.name for file in made._prepared)}


def test_rejects_are_seen_by_the_operation(journals: Any) -> None:
    made = journals.writer()
    log = RunLog(made, RUN, "")
    good, bad = log.log_metric("x", 1.0), log.log_metric("x", 2.0)
    assert not bad.done()
    append_rejects(made.folder, made.control, [(1, 2, "INVALID_PARAMETER_VALUE", "no")])
    made.control[layout.COMMITTED] = 2
    assert good.exception() is None
    error = bad.exception()
    assert error is not None
    assert (error.code, error.message, error.operation) == ("INVALID_PARAMETER_VALUE", "no", bad)


def test_a_cut_line_of_rejects_is_replaced(journals: Any) -> None:
    made = journals.writer()
    append_rejects(made.folder, made.control, [(1, 2, "A", "first")])
    with (made.folder / layout.REJECTS_FILE).open("ab") as file:
        file.write(b'{"first": 5, "en')
    assert read_rejects(made.folder) == [(1, 2, "A", "first")]
    append_rejects(made.folder, made.control, [(1, 2, "A", "first"), (5, 6, "B", "again")])
    assert read_rejects(made.folder) == [(1, 2, "A", "first"), (5, 6, "B", "again")]
    assert made.control[layout.REJECTS] == 2


def test_only_committed_old_files_are_deleted(journals: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    monkeypatch.setattr(layout, "LARGEST_FILE", 64 * CELL_SIZE)
    made = journals.writer()
    log = RunLog(made, RUN, "")
    for step in range(300):
        log.log_metric("x", 1.0, step)
    reader = JournalReader(made.folder)
    reader.store(130, [])
    reader.retire(keep=3600)
    assert len(list(made.folder.glob("*.cells"))) == 5
    reader.retire(keep=0)
    assert min(path.name for path in made.folder.glob("*.cells")) == layout.cells_name(128)
    with pytest.raises(JournalError, match="were deleted"):
        reader.cells(0, 1)
    assert len(reader.cells(130, 10)) == 10 * CELL_SIZE


def test_what_a_crash_of_the_machine_lost_is_not_shipped(
    journals: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = journals.writer()
    log = RunLog(made, RUN, "")
    for step in range(50):
        log.log_metric("x", 1.0, step)
    log.change(b"\0" * 100)
    for step in range(50):
        log.log_metric("x", 1.0, step)
    tail = made.control[layout.TAIL]
    lost = tail - 20
    made.file.view[lost * CELL_SIZE : (lost + 1) * CELL_SIZE] = bytes(CELL_SIZE)
    assert JournalReader(made.folder).gap(lost) is None
    monkeypatch.setattr("headrace.journal.folder.boot_id", lambda: "another boot")
    reader = JournalReader(made.folder)
    assert reader.tail == tail
    assert len(reader.cells(0, tail)) == lost * CELL_SIZE
    assert reader.gap(lost) == (lost + 1, HOST_CRASHED)
    assert len(reader.cells(lost + 1, tail - lost - 1)) == (tail - lost - 1) * CELL_SIZE


def test_locks_tell_the_living_from_the_dead(journals: Any) -> None:
    made = journals.writer()
    assert writer_lives(made.folder)
    assert try_lock(made.folder / layout.WRITER_LOCK) is None
    made.close()
    assert not writer_lives(made.folder)


def test_a_network_file_system_is_avoided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("headrace.journal.folder.MOUNTS", mounts)
    assert not boot_folder(tmp_path / "journals").is_relative_to(tmp_path)
    assert "network file system" in caplog.text
    assert boot_folder(Path("/somewhere/local")).is_relative_to("/somewhere/local")


def test_something_else_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        JournalReader(tmp_path)
    (tmp_path / layout.CONTROL).write_bytes(b"x" * 100)
    with pytest.raises(JournalError, match="not a control page"):
        JournalReader(tmp_path)


def test_a_newer_format_is_refused(journals: Any) -> None:
    made = journals.writer()
    write_header(made.folder, header(made.folder) | {"format": 99})
    with pytest.raises(JournalError, match="upgrade headrace"):
        JournalReader(made.folder)


def test_files_that_go_while_they_are_looked_for_are_no_harm(
    journals: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    made = journals.writer()
    log = RunLog(made, RUN, "")
    for step in range(200):
        log.log_metric("x", 1.0, step)
    reader = JournalReader(made.folder)
    found = reader._files()
    reader.store(100, [])
    found[0][1].unlink()  # delivered, and deleted by a call that needs the room
    monkeypatch.setattr(reader, "_files", lambda: found)
    assert reader.gap(100) is None
    assert len(reader.cells(100, 1)) == CELL_SIZE
