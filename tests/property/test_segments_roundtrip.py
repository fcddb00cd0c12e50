"""What is encoded is what is decoded, bit by bit; and bytes that changed never pass as points."""

import asyncio
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace_storage.errors import SegmentCorruptError
from headrace_storage.model import NewSegment, SegmentRef
from headrace_storage.objects import LocalStore
from headrace_storage.segments import schema, write
from headrace_storage.segments.columns import sort_by_series, take
from headrace_storage.segments.inline import decode_inline, encode_inline
from headrace_storage.segments.parquet import read_parquet
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.small import read_small, read_small_series
from headrace_storage.segments.write import SegmentWriter, encode_parquet
from points import EDGES, RUNS, TRICKY, WRITERS, Logged, exact, logged, to_points, to_rows

many = st.lists(logged, min_size=1, max_size=40)
first = Logged(RUNS[0], "loss", "", 1, 2, 3.0, WRITERS[0], 4, 5)
second = first._replace(step=6, sequence=7)


@pytest.fixture
def small_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few points have several row groups."""
    monkeypatch.setattr(write, "ROW_GROUP", 7)


def ref_of(segment: NewSegment) -> SegmentRef:
    return SegmentRef(1, segment.path, segment.inline, segment.rows, segment.size, segment.checksum, 0)


def inline_ref(points: list[Logged]) -> SegmentRef:
    data = encode_inline(to_rows(points))
    return SegmentRef(1, None, data, len(points), len(data), crc32(data), 0)


@given(many)
def test_inline_segments(points: list[Logged]) -> None:
    assert exact(to_points(decode_inline(encode_inline(to_rows(points))))) == exact(points)


@given(st.lists(many | st.sampled_from([[first], [first, second]]), max_size=8))
def test_many_inline_segments_at_once(parts: list[list[Logged]]) -> None:
    refs = [inline_ref(part) for part in parts]
    points = [point for part in parts for point in part]
    assert exact(to_points(read_small(refs))) == exact(points)
    for run_id, key in {point[:2] for point in points}:
        found = to_points(read_small_series(refs, run_id, key))
        series = [point for point in points if point[:2] == (run_id, key)]
        assert sorted(exact(found)) == sorted(exact(series))


@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_one_of_many_inline_segments_is_cut(damaged: int) -> None:
    refs = [inline_ref([first])._replace(id=number) for number in range(3)]
    data = (refs[damaged].inline or b"")[:-1]
    refs[damaged] = refs[damaged]._replace(inline=data, checksum=crc32(data))
    with pytest.raises(SegmentCorruptError) as raised:
        read_small(refs)
    assert raised.value.segment_id == damaged


@given(many, st.data())
def test_inline_segments_hold_only_what_occurs(points: list[Logged], data: st.DataObject) -> None:
    some = data.draw(st.integers(1, len(points)))
    decoded = decode_inline(encode_inline(take(to_rows(points), slice(some))))
    assert exact(to_points(decoded)) == exact(points[:some])
    assert len(decoded.series_table) == len({point[:3] for point in points[:some]})


@pytest.mark.usefixtures("small_row_groups")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many)
def test_parquet_segments(points: list[Logged]) -> None:
    data = encode_parquet(sort_by_series(to_rows(points)))
    back = to_points(read_parquet(pa.BufferReader(data)))
    assert exact(back) == exact(sorted(points, key=lambda point: point[:3]))


@pytest.mark.usefixtures("small_row_groups")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many)
def test_one_series_of_a_parquet_segment(points: list[Logged]) -> None:
    data = encode_parquet(sort_by_series(to_rows(points)))
    for run_id, key in [points[0][:2], points[-1][:2], (RUNS[0], "loss"), (RUNS[0], "missing")]:
        expected = [p for p in sorted(points, key=lambda p: p[:3]) if (p.run_id, p.key) == (run_id, key)]
        assert exact(to_points(read_parquet(pa.BufferReader(data), run_id, key))) == exact(expected)


def test_every_edge_value_in_every_number() -> None:
    points = [
        Logged(RUNS[0], "loss", "", step, time, value, WRITERS[0], index, order_time)
        for index, (step, time, order_time, value) in enumerate(
            (a, b, c, v) for a in EDGES for b in EDGES for c in EDGES for v in TRICKY
        )
    ]
    data = encode_parquet(sort_by_series(to_rows(points)))
    assert exact(to_points(read_parquet(pa.BufferReader(data)))) == exact(points)


def test_row_groups_of_a_large_file_are_skipped_by_their_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "ROW_GROUP", 10)
    points = [
        Logged(RUNS[0], f"key{index // 10}", "", index, 0, 0.0, WRITERS[0], index, 0) for index in range(100)
    ]
    data = bytearray(encode_parquet(sort_by_series(to_rows(points))))
    data[4:50] = bytes(46)  # the first row group
    read = read_parquet(pa.BufferReader(data), RUNS[0], "key7")
    assert read.step.tolist() == list(range(70, 80))


def test_readers_see_plain_columns() -> None:
    point = Logged(RUNS[0], "loss", "", 1, 2, 3.0, WRITERS[0], 4, 5)
    table = pa.parquet.read_table(pa.BufferReader(encode_parquet(to_rows([point]))))
    assert table.schema.names == schema.SCHEMA.names
    assert table.schema.field("run_id").type == pa.string()
    assert table.schema.field("timestamp").type == pa.timestamp("ms", "UTC")
    assert table.schema.field("value").type == pa.float64()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many, st.booleans(), st.data())
def test_changed_bytes_are_named_not_read(
    tmp_path: Path, points: list[Logged], inline: bool, data: st.DataObject
) -> None:
    store = LocalStore(tmp_path)
    writer = SegmentWriter(store, 1, inline_limit=1 << 20 if inline else 0)
    segment = asyncio.run(writer.write(to_rows(points)))
    ref = ref_of(segment)
    assert len(asyncio.run(SegmentReader(store).read([ref]))) == len(points)

    damage = data.draw(st.sampled_from(["flip", "cut", "extend"]))
    content = bytearray(ref.inline or asyncio.run(store.get(str(ref.path))))
    at = data.draw(st.integers(0, len(content) - 1))
    if damage == "flip":
        content[at] ^= data.draw(st.integers(1, 255))
    else:
        content = content[:at] if damage == "cut" else content + b"\0"
    if ref.path:
        asyncio.run(store.put(ref.path, bytes(content)))
    else:
        ref = ref._replace(inline=bytes(content))
    with pytest.raises(SegmentCorruptError) as raised:
        asyncio.run(SegmentReader(store).read([ref]))
    assert raised.value.path == (ref.path or "1 (in the catalog)")
    assert raised.value.segment_id == 1


def test_pages_are_checked_whenever_they_are_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    rng = np.random.default_rng(0)
    points = [Logged(RUNS[0], "loss", "", i, i, rng.normal(), WRITERS[0], i, i) for i in range(1000)]
    segment = asyncio.run(SegmentWriter(store, 1, inline_limit=0).write(to_rows(points)))
    ref, reader = ref_of(segment), SegmentReader(store)
    asyncio.run(reader.read([ref]))

    content = bytearray(asyncio.run(store.get(str(ref.path))))
    content[len(content) // 3] ^= 1
    asyncio.run(store.put(str(ref.path), bytes(content)))
    with pytest.raises(SegmentCorruptError):
        asyncio.run(reader.read([ref]))


@given(many)
def test_a_segment_says_what_it_is(points: list[Logged]) -> None:
    rows = to_rows(points)
    inline = encode_inline(rows)
    segment = asyncio.run(SegmentWriter(NoStore(), 1, inline_limit=len(inline)).write(rows))  # type: ignore[arg-type]
    assert segment == NewSegment(
        len(points), len(inline), crc32(inline), sorted({p.run_id for p in points}), inline=inline
    )


class NoStore:
    """A store that nobody may use."""
