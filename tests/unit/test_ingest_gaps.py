"""A session that is told of a gap, and what decoding makes of it."""

from uuid import uuid4

import pytest

from headrace_ingest.admission import MAX_SEQUENCE, RefusedError
from headrace_ingest.bounds import Bounds
from headrace_ingest.decode import Part, decode
from headrace_ingest.session import GapBatch, Session
from headrace_proto.wire import CELL_SIZE
from headrace_storage.model import Gap, OpenedWriter
from ingest_client import RUN, cells, change, define

TAG = {"key": "k", "value": "x" * 200}


def session(committed: int = 0, credit: int = 1000) -> Session:
    return Session(uuid4(), OpenedWriter(1, committed, 0, ()), Bounds(credit=credit * CELL_SIZE))


def test_a_gap_takes_the_place_of_its_cells() -> None:
    writer = session()
    definitions = define(["loss"])
    before = writer.receive(0, definitions, cells([1.0, 2.0]))
    gap = writer.skip(2, b"", 10, "DELETED")
    after = writer.receive(10, b"", cells([3.0]))
    assert before
    assert gap
    assert after
    assert (gap.first, gap.end, gap.count) == (2, 10, 0)
    decoded = decode([Part(writer.writer, writer.dictionary, 0, [before, gap, after])])
    assert decoded.rows.sequence.tolist() == [0, 1, 10]
    assert decoded.gaps == [Gap(writer.writer, 2, 10, "DELETED", [RUN])]
    writer.commit(11)


def test_a_record_that_was_cut_is_part_of_the_gap() -> None:
    writer = session()
    record = change(tag=TAG)
    assert writer.receive(0, define([]), cells([]) + record[: 2 * CELL_SIZE]) is None
    gap = writer.skip(2, b"", 100, "DELETED")
    assert gap
    assert (gap.first, gap.end) == (0, 100)
    assert writer.cut_bytes == 0
    assert writer.receive(100, b"", record)


def test_a_gap_is_trimmed_like_cells() -> None:
    writer = session(committed=50)
    assert writer.skip(10, b"", 50, "DELETED") is None
    gap = writer.skip(10, b"", 60, "DELETED")
    assert gap
    assert (gap.first, gap.end) == (50, 60)


@pytest.mark.parametrize(("first", "to"), [(0, 0), (5, 5), (9, 3), (51, 60), (50, MAX_SEQUENCE + 1)])
def test_a_gap_that_cannot_be_is_refused(first: int, to: int) -> None:
    with pytest.raises(RefusedError):
        session(committed=50).skip(first, b"", to, "DELETED")


def test_a_huge_gap_takes_no_memory_and_no_credit_of_its_own() -> None:
    writer = session(credit=10)
    gap = writer.skip(0, b"", 1 << 50, "HOST_CRASHED")
    assert isinstance(gap, GapBatch)
    assert len(decode([Part(writer.writer, writer.dictionary, 0, [gap])]).rows) == 0
    with pytest.raises(RefusedError, match="credit"):
        writer.receive(1 << 50, define(["loss"]), cells([1.0]))
    committed = session(credit=10)
    committed.skip(0, b"", 1 << 50, "HOST_CRASHED")
    committed.commit(1 << 50)
    assert committed.receive(1 << 50, define(["loss"]), cells([1.0]))
