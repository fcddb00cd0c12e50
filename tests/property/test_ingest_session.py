"""Whatever way a journal's bytes arrive, what comes out is the journal, as a naive model reads it."""

import struct
from dataclasses import dataclass
from typing import NamedTuple
from unittest.mock import patch
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.shipping import columnar
from headrace_ingest.admission import RefusedError
from headrace_ingest.bounds import Bounds
from headrace_ingest.columnar import Columns
from headrace_ingest.decode import Part, decode
from headrace_ingest.session import Batch, Session
from headrace_proto import wire
from headrace_proto.limits import MAX_TIMESTAMP
from headrace_proto.v1 import ingest_pb2
from headrace_proto.v1.tracking_pb2 import RunChange, SetParam, SetTag
from headrace_storage import model

RUNS = ["aa" * 16, "bb" * 16]
SERIES = [(0, "loss"), (0, "acc"), (1, "loss"), (0, "bad\0key"), (1, "x" * 251)]
GOOD_SERIES = 3
ATTEMPT = "t1"
WRITERS = [UUID(int=3), UUID(int=1), UUID(int=2)]


def definitions(series: int) -> bytes:
    """All runs, and the first ``series`` of ``SERIES``."""
    frames = [wire.run_frame(wire.RunDefinition(n, run, ATTEMPT)) for n, run in enumerate(RUNS)]
    frames += [
        wire.series_frame(wire.SeriesDefinition(n, run, key)) for n, (run, key) in enumerate(SERIES[:series])
    ]
    return b"".join(frames)


class Row(NamedTuple):
    series: model.Series
    step: int
    timestamp: int
    value: bytes
    writer: UUID
    sequence: int
    order_time: int


@dataclass
class Outcome:
    """What a journal means."""

    rows: list[Row]
    changes: list[model.Change]
    rejected: dict[tuple[UUID, int], str]


@dataclass
class Record:
    data: bytes
    kind: str = "ignored"
    change: model.RunChange | None = None


def meaning(writer: UUID, records: list[Record], defined: int) -> Outcome:
    """The model: one record after the other, one cell after the other."""
    outcome, sequence, order_time = Outcome([], [], {}), 0, 0
    for record in records:
        end = sequence + len(record.data) // wire.CELL_SIZE
        if record.kind == "metric":
            _, flags, _, series, step, timestamp, _ = wire.METRIC_CELL.unpack(record.data)
            if series >= defined:
                outcome.rejected[writer, sequence] = "BAD_REQUEST"
            elif series >= GOOD_SERIES or not 0 <= timestamp <= MAX_TIMESTAMP:
                outcome.rejected[writer, sequence] = "INVALID_PARAMETER_VALUE"
            else:
                if not flags & wire.TIMESTAMP_GIVEN:
                    order_time = max(order_time, timestamp)
                run, key = SERIES[series]
                name = model.Series(RUNS[run], key, ATTEMPT)
                value = record.data[24:]
                outcome.rows.append(Row(name, step, timestamp, value, writer, sequence, order_time))
        elif record.change is not None:
            outcome.changes.append(model.Change(writer, sequence, end, RUNS[0], record.change))
        elif record.kind != "ignored":
            for at in range(sequence, end):
                outcome.rejected[writer, at] = record.kind
        sequence = end
    return outcome


# Bytes that look like the kinds of cells, inside payloads.
texts = st.text("\x01\x02\x03z", max_size=120)
times = st.one_of(
    st.integers(0, MAX_TIMESTAMP), st.sampled_from([0, 5, -1, MAX_TIMESTAMP, MAX_TIMESTAMP + 1])
)


@st.composite
def metrics(draw: st.DrawFn) -> Record:
    cell = wire.METRIC_CELL.pack(
        wire.METRIC,
        draw(st.integers(0, 1)),
        0,
        draw(st.integers(0, len(SERIES))),
        draw(st.integers(-(2**63), 2**63 - 1)),
        draw(times),
        draw(st.floats()),
    )
    return Record(cell, "metric")


@st.composite
def changes(draw: st.DrawFn) -> Record:
    value = draw(texts)
    if draw(st.booleans()):
        message, change = RunChange(tag=SetTag(key="k", value=value)), model.SetTag("k", value)
        return Record(wire.blob_record(0, message.SerializeToString(), 1), "change", change)
    message = RunChange(param=SetParam(key="k" * 251, value=value))
    return Record(wire.blob_record(0, message.SerializeToString(), 1), "INVALID_PARAMETER_VALUE")


@st.composite
def damaged(draw: st.DrawFn) -> Record:
    data = bytearray(wire.blob_record(0, b"\x02" * draw(st.integers(1, 90)), 1))
    data[32] ^= 1
    return Record(bytes(data), "DATA_LOSS")


odd = st.sampled_from(
    [
        Record(bytes([wire.PAD]).ljust(32, b"\0")),
        Record(b"\0" * 32, "DATA_LOSS"),
        Record(bytes([9]).ljust(32, b"\1"), "BAD_REQUEST"),
        Record(wire.blob_record(7, b"", 1), "BAD_REQUEST"),
        Record(wire.blob_record(0, b"\xff\xff", 1), "BAD_REQUEST"),
    ]
)


@st.composite
def repeated(draw: st.DrawFn) -> list[Record]:
    """Rows of the same few metrics, as they travel by column; some number may be out of its bounds."""
    most = draw(st.sampled_from([GOOD_SERIES - 1, GOOD_SERIES - 1, len(SERIES)]))
    series = draw(st.lists(st.integers(0, most), min_size=1, max_size=4, unique=True))
    step, start = draw(st.integers(0, 9)), draw(st.sampled_from([7, -1, MAX_TIMESTAMP - 1]))
    records = []
    for row in range(draw(st.integers(1, 8))):
        for at in series:
            numbers = (at, step + row, start + row, draw(st.floats()))
            records.append(Record(wire.METRIC_CELL.pack(wire.METRIC, 0, 0, *numbers), "metric"))
    return records


journals = st.one_of(
    st.lists(metrics(), max_size=20),
    st.lists(st.one_of(metrics(), metrics(), changes(), damaged(), odd), max_size=40),
    repeated(),
)


def arrive(data: st.DataObject, writer: UUID, journal: bytes, defined: int) -> list[tuple[Session, Batch]]:
    """Sends ``journal`` in pieces that overlap, over connections that break and begin where it stood."""
    end = len(journal) // wire.CELL_SIZE
    batches: list[tuple[Session, Batch]] = []
    committed = 0
    while True:
        session = Session(writer, model.OpenedWriter(1, committed, 0, ()))
        session.receive(committed, definitions(defined), b"")
        breaks = data.draw(st.booleans())
        while session.received < end:
            first = data.draw(st.integers(committed, session.received))
            last = data.draw(st.integers(first, end))
            cells, append = journal[first * 32 : last * 32], ingest_pb2.Append()
            if cells and data.draw(st.booleans()) and columnar.by_column(cells, append):
                batch = session.receive_columns(first, b"", Columns.of(append.columns))
            else:
                batch = session.receive(first, b"", cells)
            if batch is not None:
                assert batch.first == session.taken - batch.count
                batches.append((session, batch))
                if data.draw(st.booleans()):
                    session.commit(batch.end)
                    committed = batch.end
            if breaks and data.draw(st.booleans()):
                break
        if session.received == end:
            assert session.taken == end
            return batches
        # What was taken and not committed is lost with the daemon.
        batches = [(owner, batch) for owner, batch in batches if batch.end <= committed]


@patch.object(columnar, "LEAST_CELLS", 1)
@patch.object(columnar, "LEAST_ROWS", 1)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding
@given(st.data(), st.lists(journals, min_size=1, max_size=3), st.sampled_from([GOOD_SERIES, len(SERIES)]))
def test_what_arrives_is_what_was_logged(
    data: st.DataObject, logged: list[list[Record]], defined: int
) -> None:
    wanted = Outcome([], [], {})
    waiting: dict[UUID, list[tuple[Session, Batch]]] = {}
    for writer, records in zip(WRITERS, logged, strict=False):
        outcome = meaning(writer, records, defined)
        wanted.rows += outcome.rows
        wanted.changes += outcome.changes
        wanted.rejected |= outcome.rejected
        waiting[writer] = arrive(data, writer, b"".join(record.data for record in records), defined)

    found = Outcome([], [], {})
    order_times = dict.fromkeys(waiting, 0)
    while any(waiting.values()):
        parts = []
        for writer, batches in waiting.items():
            # A part is of one session, as in the daemon.
            same = [batch for owner, batch in batches if owner is batches[0][0]]
            taken = same[: data.draw(st.integers(1, len(same)))] if batches else []
            if taken:
                parts.append(Part(writer, batches[0][0].dictionary, order_times[writer], taken))
                del batches[: len(taken)]
        decoded = decode(parts)
        for part, order_time in zip(parts, decoded.order_times, strict=True):
            order_times[part.writer] = order_time
        found.changes += decoded.changes
        for reject in decoded.rejects:
            for at in range(reject.first, reject.end):
                assert (reject.writer, at) not in found.rejected
                found.rejected[reject.writer, at] = reject.code
        found.rows += as_rows(decoded.rows)

    by_writer = sorted(found.rows, key=lambda row: (WRITERS.index(row.writer), row.sequence))
    assert by_writer == wanted.rows
    assert sorted(found.changes, key=lambda change: WRITERS.index(change.writer)) == wanted.changes
    assert found.rejected == wanted.rejected


def as_rows(rows: model.Rows) -> list[Row]:
    assert len(set(rows.series_table)) == len(rows.series_table)
    return [
        Row(
            rows.series_table[rows.series[at]],
            int(rows.step[at]),
            int(rows.timestamp[at]),
            struct.pack("<d", rows.value[at]),
            rows.writer_table[rows.writer[at]],
            int(rows.sequence[at]),
            int(rows.order_time[at]),
        )
        for at in range(len(rows))
    ]


@given(st.integers(0, 50), st.binary(max_size=400), st.binary(max_size=2000))
def test_any_bytes_are_taken_or_refused(first: int, frames: bytes, cells: bytes) -> None:
    session = Session(WRITERS[0], model.OpenedWriter(1, 3, 0, ()))
    session.receive(3, definitions(len(SERIES)), b"")
    try:
        batch = session.receive(first, frames, cells)
    except RefusedError:
        return
    assert 3 <= session.taken <= session.received
    if batch is not None:
        decode([Part(WRITERS[0], session.dictionary, 0, [batch])])


@given(st.data())
def test_the_credit_bounds_what_is_not_committed(data: st.DataObject) -> None:
    session = Session(WRITERS[0], model.OpenedWriter(1, 0, 0, ()), Bounds(credit=3200))
    cell = bytes([wire.PAD]).ljust(32, b"\0")
    for _ in range(10):
        count = data.draw(st.integers(0, 120))
        fits = session.received + count - session.committed <= 100
        if not fits:
            with pytest.raises(RefusedError, match="the credit is 3200"):
                session.receive(session.received, b"", cell * count)
            return
        session.receive(session.received, b"", cell * count)
        session.commit(data.draw(st.integers(session.committed, session.taken)))


def rows_of(*series: int, start: int = 7, count: int = 4) -> bytes:
    """So many rows of these metrics."""
    return b"".join(
        wire.METRIC_CELL.pack(wire.METRIC, 0, 0, at, row, start + row, 0.5)
        for row in range(count)
        for at in series
    )


@patch.object(columnar, "LEAST_CELLS", 1)
def by_column(cells: bytes) -> Columns:
    append = ingest_pb2.Append()
    assert columnar.by_column(cells, append)
    return Columns.of(append.columns)


@pytest.mark.parametrize(
    ("cells", "defined", "bad"),
    [
        (rows_of(0), GOOD_SERIES, 0),
        (rows_of(0, 1), GOOD_SERIES, 0),
        (rows_of(0, start=-1), GOOD_SERIES, 1),
        (rows_of(0, 2, start=MAX_TIMESTAMP - 2), GOOD_SERIES, 2),
        (rows_of(0, GOOD_SERIES), GOOD_SERIES, 4),
        (rows_of(0, GOOD_SERIES), len(SERIES), 4),
        (rows_of(0, len(SERIES)), len(SERIES), 4),
    ],
)
def test_columns_are_judged_as_cells_are(cells: bytes, defined: int, bad: int) -> None:
    decoded = []
    for by_columns in (False, True):
        session = Session(WRITERS[0], model.OpenedWriter(1, 0, 0, ()))
        if by_columns:
            batch = session.receive_columns(0, definitions(defined), by_column(cells))
        else:
            batch = session.receive(0, definitions(defined), cells)
        assert batch is not None
        decoded.append(decode([Part(WRITERS[0], session.dictionary, 0, [batch])]))
    assert as_rows(decoded[0].rows) == as_rows(decoded[1].rows)
    assert decoded[0].rejects == decoded[1].rejects
    assert sum(reject.end - reject.first for reject in decoded[1].rejects) == bad


def test_columns_that_overlap_are_cut() -> None:
    session = Session(WRITERS[0], model.OpenedWriter(1, 0, 0, ()))
    session.receive(0, definitions(GOOD_SERIES), rows_of(0, count=6))
    batch = session.receive_columns(4, b"", by_column(rows_of(0, count=8)))
    assert batch is not None
    assert (batch.first, batch.end, session.received) == (6, 12, 12)
    with pytest.raises(RefusedError):
        session.receive_columns(13, b"", by_column(rows_of(0)))


def test_columns_may_follow_a_cut_record_only_as_its_rest() -> None:
    session = Session(WRITERS[0], model.OpenedWriter(1, 0, 0, ()))
    record = wire.blob_record(0, bytes(32 * 9), 1)
    assert session.receive(0, definitions(GOOD_SERIES), record[: 5 * wire.CELL_SIZE]) is None
    assert session.receive_columns(5, b"", by_column(rows_of(0))) is None
    assert (session.taken, session.received, session.cut_bytes) == (0, 9, 9 * wire.CELL_SIZE)
