"""What a crash of the machine, or a deletion, leaves of a journal: all that is intact, and nothing else."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.journal import layout
from headrace.journal.holes import holes
from headrace.journal.reader import DELETED, HOST_CRASHED, JournalReader
from headrace.journal.run_log import RunLog
from headrace_proto import wire
from headrace_proto.wire import CELL_SIZE

RUN = "0123456789abcdef" * 2
NOW = 1_700_000_000_000
SERIES = 5
PAGE = 8
"""Cells of a page in these tests."""

metric = st.builds(
    lambda kind, series, step, value: wire.METRIC_CELL.pack(kind, 0, 0, series, step, NOW, value),
    st.sampled_from([wire.METRIC, wire.METRIC, wire.LATE]),
    st.integers(0, SERIES - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
)
blob = st.binary(max_size=700).map(lambda payload: wire.blob_record(0, payload, NOW))
records = st.lists(metric | blob, min_size=1, max_size=60)


def places(written: list[bytes]) -> dict[int, bytes]:
    at, found = 0, {}
    for record in written:
        found[at] = record
        at += len(record) // CELL_SIZE
    return found


@settings(max_examples=150)
@given(records, st.sets(st.integers(0, 40)))
def test_what_is_not_in_a_hole_is_intact_and_begins_where_a_record_begins(
    written: list[bytes], zeroed: set[int]
) -> None:
    cells = bytearray(b"".join(written))
    count = len(cells) // CELL_SIZE
    for page in zeroed:
        begin, end = page * PAGE * CELL_SIZE, min((page + 1) * PAGE * CELL_SIZE, len(cells))
        cells[begin:end] = bytes(max(0, end - begin))
    lost = {at for first, end in holes(bytes(cells), SERIES) for at in range(first, end)}
    begins = places(written)
    at = 0
    while at < count:
        if at in lost:
            at += 1
            continue
        assert at in begins, "a record is read from its middle"
        size = len(begins[at]) // CELL_SIZE
        assert not lost.intersection(range(at, at + size))
        at += size
    for begin, record in begins.items():
        size = len(record) // CELL_SIZE
        pages = {cell // PAGE for cell in range(begin, begin + size)}
        if not pages & zeroed:
            assert begin not in lost, "an intact record counts as lost"


def test_random_bytes_behind_a_hole_are_not_taken_for_records() -> None:
    noise = random.Random(1).randbytes(2000 * CELL_SIZE)
    assert holes(bytes(CELL_SIZE) + noise, SERIES) == [(0, 2001)]


@pytest.fixture
def files_of_64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    monkeypatch.setattr(layout, "LARGEST_FILE", 64 * CELL_SIZE)


def journal(journals: Any) -> Path:
    writer = journals.writer()
    log = RunLog(writer, RUN, "")
    for step in range(300):
        log.log_metric("x", 1.0, step)
    folder: Path = writer.folder
    return folder


@pytest.mark.usefixtures("files_of_64")
def test_deleted_files_are_a_gap_up_to_the_next_one(journals: Any) -> None:
    folder = journal(journals)
    (folder / layout.cells_name(64)).unlink()
    (folder / layout.cells_name(128)).unlink()
    reader = JournalReader(folder)
    assert reader.gap(10) is None
    assert len(reader.cells(10, 300)) == 54 * CELL_SIZE
    assert reader.gap(64) == reader.gap(100) == (192, DELETED)
    assert reader.gap(192) is None
    (folder / layout.cells_name(256)).unlink()
    assert JournalReader(folder).gap(256) == (300, DELETED)


@pytest.mark.usefixtures("files_of_64")
def test_a_truncated_file_is_a_gap_up_to_the_next_one(journals: Any) -> None:
    folder = journal(journals)
    os.truncate(folder / layout.cells_name(64), 10 * CELL_SIZE + 5)
    reader = JournalReader(folder)
    assert len(reader.cells(64, 300)) == 10 * CELL_SIZE
    assert reader.gap(74) == (128, DELETED)


@pytest.mark.usefixtures("files_of_64")
def test_pages_that_a_crash_lost_are_gaps_and_the_rest_is_read(
    journals: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = journal(journals)
    monkeypatch.setattr("headrace.journal.folder.boot_id", lambda: "another boot")
    with (folder / layout.cells_name(64)).open("r+b") as file:
        file.write(bytes(16 * CELL_SIZE))
    (folder / layout.cells_name(256)).unlink()
    reader = JournalReader(folder)
    assert reader.tail == 300
    assert reader.gap(64) == (80, HOST_CRASHED)
    assert len(reader.cells(60, 100)) == 4 * CELL_SIZE
    assert len(reader.cells(80, 100)) == 48 * CELL_SIZE
    assert reader.gap(256) == (300, HOST_CRASHED)
