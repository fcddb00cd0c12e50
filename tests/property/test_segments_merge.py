"""A merge gives the points of its sources as one sort of them all would, and holds few of them at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headrace_storage.errors import SegmentCorruptError
from headrace_storage.model import Rows, SegmentRef, Series
from headrace_storage.objects import LocalStore
from headrace_storage.segments import write
from headrace_storage.segments.columns import concat, sort_by_series, take
from headrace_storage.segments.merge import Chunk, Merge
from headrace_storage.segments.parquet import read_parquet
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.write import SegmentWriter
from points import RUNS, WRITERS, Logged, exact, logged, to_points, to_rows

PIECE = 250
ROWS = 5000
"""Of a source."""

sources_of_points = st.lists(st.lists(logged, min_size=1, max_size=12), min_size=1, max_size=4)


def chunks(rows: Rows, size: int) -> Iterator[Chunk]:
    """``rows``, sorted by series, ``size`` at a time, each with the best line that can be told."""
    for start in range(0, len(rows), size):
        part, rest = take(rows, slice(start, start + size)), take(rows, slice(start + size, None))
        if not len(rest):
            yield Chunk(part, None)
            return
        last = part.series[-1]
        least = rest.step[rest.series == last].min(initial=2**63 - 1)
        yield Chunk(part, (rows.series_table[last], int(least)))


def wanted(parts: Sequence[Rows]) -> list[Logged]:
    return to_points(sort_by_series(concat(parts), by_step=True))


@settings(max_examples=50)
@given(sources_of_points, st.integers(1, 30), st.integers(1, 40))
def test_a_merge_is_one_stable_sort(sources: list[list[Logged]], chunk: int, piece: int) -> None:
    parts = [sort_by_series(to_rows(points)) for points in sources]
    merge = Merge([chunks(rows, chunk) for rows in parts], piece)
    pieces = list(merge)
    assert [len(rows) for rows in pieces[:-1]] == [piece] * (len(pieces) - 1)
    assert 0 < len(pieces[-1]) <= piece
    assert exact(point for rows in pieces for point in to_points(rows)) == exact(wanted(parts))
    for rows in pieces:
        assert list(rows.series_table) == sorted({rows.series_table[code] for code in rows.series})


def series_rows(keys: NDArray[np.integer[Any]], steps: NDArray[np.integer[Any]]) -> Rows:
    """Points of so many keys, sorted by key as a segment is, every seventh a NaN."""
    numbers = np.arange(len(keys))
    rows = Rows(
        keys.astype(np.uint32),
        steps.astype(np.int64),
        numbers,
        np.where(numbers % 7 == 0, np.nan, numbers.astype(np.float64)),
        np.zeros(len(keys), np.uint32),
        numbers,
        numbers,
        [Series(RUNS[0], f"key{number:06d}", "") for number in range(int(keys.max()) + 1)],
        [WRITERS[0]],
    )
    return sort_by_series(rows)


def ascending(source: int, keys: int) -> Rows:
    """What a source holds that goes on where the source before ended."""
    numbers = np.arange(ROWS)
    return series_rows(numbers % keys, source * ROWS + numbers // keys)


@pytest.mark.parametrize("keys", [1, 3, 100, 2000])
@pytest.mark.parametrize("inputs", [2, 20])
def test_about_a_chunk_of_each_source_is_held(inputs: int, keys: int) -> None:
    merge = Merge([chunks(ascending(source, keys), PIECE) for source in range(inputs)], PIECE)
    assert sum(len(piece) for piece in merge) == inputs * ROWS
    assert merge.most_held <= (2 * inputs + 1) * PIECE


def test_one_series_in_sources_that_overlap_is_held_in_part() -> None:
    steps = np.arange(ROWS)
    parts = [series_rows(np.zeros(ROWS, int), steps + shift) for shift in (0, 1, 100)]
    merge = Merge([chunks(rows, PIECE) for rows in parts], PIECE)
    assert exact(point for piece in merge for point in to_points(piece)) == exact(wanted(parts))
    assert merge.most_held <= 7 * PIECE


def test_only_the_series_whose_steps_do_not_ascend_is_held_as_a_whole() -> None:
    rng = np.random.default_rng(1)
    keys = np.repeat([0, 1, 2, 3], ROWS // 4)
    steps = np.where(keys == 1, rng.integers(0, 1000, ROWS), np.arange(ROWS))
    parts = [series_rows(keys, steps) for _ in range(3)]
    merge = Merge([chunks(rows, PIECE) for rows in parts], PIECE)
    assert exact(point for piece in merge for point in to_points(piece)) == exact(wanted(parts))
    assert 3 * ROWS // 4 <= merge.most_held <= 3 * (ROWS // 4 + 2 * PIECE)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalStore:
    """A store whose segments have small row groups."""
    monkeypatch.setattr(write, "ROW_GROUP", PIECE)
    return LocalStore(tmp_path)


async def stored(store: LocalStore, rows: Rows, number: int) -> SegmentRef:
    segment = await SegmentWriter(store, 1, inline_limit=0).write(rows)
    return SegmentRef(number, segment.path, None, segment.rows, segment.size, segment.checksum, 0)


async def test_files_are_merged_a_row_group_at_a_time(store: LocalStore) -> None:
    parts = [ascending(source, 40) for source in range(6)]
    refs = [await stored(store, rows, number) for number, rows in enumerate(parts)]
    merge = Merge(SegmentReader(store).sources(refs), PIECE)
    output = await SegmentWriter(store, 2).write_merged(merge)
    assert merge.most_held <= 13 * PIECE
    data = await store.get(str(output.path))
    assert (output.rows, output.size, output.checksum) == (6 * ROWS, len(data), crc32(data))
    assert output.runs == [RUNS[0]]
    assert pq.ParquetFile(pa.BufferReader(data)).num_row_groups == 6 * ROWS // PIECE
    assert exact(to_points(read_parquet(pa.BufferReader(data)))) == exact(wanted(parts))


async def test_a_source_without_all_its_rows_is_named_and_nothing_is_stored(store: LocalStore) -> None:
    refs = [await stored(store, ascending(source, 3), source) for source in range(2)]
    refs[1] = refs[1]._replace(rows=ROWS + 1)
    before = await store.list("segments/")
    with pytest.raises(SegmentCorruptError) as raised:
        await SegmentWriter(store, 1).write_merged(Merge(SegmentReader(store).sources(refs), PIECE))
    assert raised.value.segment_id == 1
    assert await store.list("segments/") == before
