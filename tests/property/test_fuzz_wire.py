"""Any bytes at the daemon's door are taken, or refused by a documented exception, in bounded memory.

Bytes that are nearly right find more than noise does: each example damages valid ones.
"""

import contextlib
import tracemalloc
from collections.abc import Callable
from uuid import UUID

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from headrace_ingest.admission import RefusedError, check_open
from headrace_ingest.bounds import Bounds
from headrace_ingest.columnar import Columns
from headrace_ingest.decode import Part, decode
from headrace_ingest.dictionary import Dictionary
from headrace_ingest.session import Session
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2
from headrace_proto.v1.ingest_pb2 import ClientMessage, Open
from headrace_proto.v1.models_pb2 import Dataset, DatasetInput, LinkMetric, LogDataset
from headrace_proto.v1.tracking_pb2 import CreateRun, RunChange, SetParam
from headrace_storage.model import OpenedWriter
from ingest_client import NOW, cells, change, define

EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
WRITER = UUID(int=1)
NAMES = define(["loss", "acc", "k" * 250])
CELLS = (
    cells([1.0, 2.0])
    + change(param=SetParam(key="lr", value="x" * 70))
    + cells([3.0], series=2)
    + change(create=CreateRun(experiment_name="e", tags={"a": "b"}))
    + change(dataset=LogDataset(input=DatasetInput(dataset=Dataset(name="n", digest="d"), tags={"a": "b"})))
    + change(link_metric=LinkMetric(key="loss", model_id="m"))
    + cells([4.0], series=1)
)
OPEN = ClientMessage(
    open=Open(
        handle=1,
        writer_id=bytes(16),
        shipper_id=bytes(16),
        open_number=1,
        format=wire.FORMAT,
        labels={"a": "b"},
    )
).SerializeToString()


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """``data`` with bits flipped, pieces cut, doubled, zeroed or set to what is extreme."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        if not result:
            break
        at, size = draw(st.integers(0, len(result) - 1)), draw(st.integers(1, 40))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            result[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 1:
            del result[at : at + size]
        elif kind == 2:
            result[at:at] = result[at : at + size]
        elif kind == 3:
            result[at : at + size] = bytes(len(result[at : at + size]))
        elif kind == 4:
            result[at : at + size] = b"\xff" * len(result[at : at + size])
        else:
            del result[at:]
    return bytes(result)


def receive(names: bytes, data: bytes | ingest_pb2.Columns) -> None:
    """What a stream does with a message, and what the committer does with what comes of it."""
    session = Session(WRITER, OpenedWriter(1, 0, 0, ()))
    try:
        if isinstance(data, bytes):
            count = len(data) // wire.CELL_SIZE
            batch = session.receive(0, names, data)
        else:
            count = data.count
            batch = session.receive_columns(0, names, Columns.of(data))
    except RefusedError:
        return
    assert 0 <= session.taken <= session.received == count
    if batch is None:
        return
    assert batch.end == session.taken
    decoded = decode([Part(WRITER, session.dictionary, 0, [batch])])
    # Each record is a point, a change or a refusal, and no two of them.
    taken = decoded.rows.sequence.tolist()
    taken += [at for one in decoded.changes for at in range(one.sequence, one.end)]
    taken += [at for one in decoded.rejects for at in range(one.first, one.end)]
    assert len(taken) == len(set(taken))
    assert all(batch.first <= at < batch.end for at in taken)


@EXAMPLES
@given(st.one_of(st.binary(max_size=300), damaged(NAMES)))
@example(bytes(8))
@example(bytes(64))
@example(wire.FRAME_HEAD.pack(0, 0))
@example(b"\xff" * 8)
def test_definitions(frames: bytes) -> None:
    with contextlib.suppress(RefusedError):
        Dictionary().add(frames)
    whole = wire.whole_frames(frames)
    assert 0 <= whole <= len(frames)
    with contextlib.suppress(wire.MalformedError):
        list(wire.parse_definitions(frames[:whole]))


@pytest.mark.parametrize("whole", [b"", NAMES])
def test_an_empty_frame_is_no_frame(whole: bytes) -> None:
    """Pages that never reached the disk are zeros: a length and a checksum that fit each other."""
    assert wire.whole_frames(whole + bytes(4096)) == len(whole)


@EXAMPLES
@given(st.one_of(st.binary(max_size=300), damaged(CELLS)), st.one_of(st.just(NAMES), damaged(NAMES)))
@example(bytes([wire.BLOB]) + bytes(31), NAMES)
@example(wire.BLOB_HEAD.pack(wire.BLOB, 0, 0, 0, 2**32 - 1, 0, NOW, 0), NAMES)
@example(wire.BLOB_HEAD.pack(wire.BLOB, 0, 1, 2**32 - 1, 0, 0, NOW, 0), NAMES)
@example(cells([1.0], series=2**32 - 1, timestamp=-(2**63)), NAMES)
def test_cells(data: bytes, names: bytes) -> None:
    receive(names, data)


NUMBERS = st.builds(
    lambda first, stride, each: ingest_pb2.Numbers(first=first, stride=stride, each=each),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.binary(max_size=40),
)


@EXAMPLES
@given(
    st.builds(
        lambda count, skipped, heads, steps, timestamps, extra: ingest_pb2.Columns(
            count=count,
            skipped=skipped,
            heads=heads,
            steps=steps,
            timestamps=timestamps,
            values=bytes(8 * count + extra),
        ),
        st.integers(0, 9),
        st.integers(0, 3),
        st.lists(st.sampled_from([b"\1" + bytes(7), b"\1\1" + bytes(6), b"\1" + b"\xff" * 7, bytes(8)])).map(
            b"".join
        ),
        NUMBERS,
        NUMBERS,
        st.sampled_from([0, 0, 0, 1, 8]),
    ),
    st.one_of(st.just(NAMES), damaged(NAMES)),
)
def test_columns(columns: ingest_pb2.Columns, names: bytes) -> None:
    receive(names, columns)


@EXAMPLES
@given(damaged(RunChange(create=CreateRun(experiment_name="e", tags={"a": "b"})).SerializeToString()))
def test_changes(payload: bytes) -> None:
    """Bytes whose checksum is right and whose content is not."""
    receive(NAMES, wire.blob_record(0, payload, NOW))


@EXAMPLES
@given(st.one_of(st.binary(max_size=200), damaged(OPEN)))
def test_messages(data: bytes) -> None:
    try:
        message = ClientMessage.FromString(data)
    except DecodeError:
        return
    if message.WhichOneof("body") == "open":
        with contextlib.suppress(RefusedError):
            check_open(message.open)


def memory_of(work: Callable[[], object]) -> int:
    """The most bytes that ``work`` takes at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_a_message_takes_is_bounded_by_its_size() -> None:
    """The worst that are known: every cell a refusal of its own; every cell a record; tiny definitions."""
    size = 1 << 16
    for data in (
        (cells([1.0]) + bytes([77]) + bytes(31)) * (size // 64),
        wire.blob_record(0, b"", NOW) * (size // 32),
        bytes(size),
    ):
        assert memory_of(lambda data=data: receive(NAMES, data)) < 60 * size  # type: ignore[misc]


def test_a_dictionary_takes_no_more_than_it_counts() -> None:
    bounds = Bounds(definitions=1 << 20)

    def fill() -> Dictionary:
        names = Dictionary(bounds)
        names.add(define([]))
        with contextlib.suppress(RefusedError):
            for first in range(0, 100_000, 100):
                frames = [
                    wire.series_frame(wire.SeriesDefinition(at, 0, f"k{at}"))
                    for at in range(first, first + 100)
                ]
                names.add(b"".join(frames))
        assert len(names.series) < 100_000, "the bound was met"
        return names

    fill()  # what pyarrow imports at its first array is not the dictionary's
    assert memory_of(fill) < 1.5 * bounds.definitions
