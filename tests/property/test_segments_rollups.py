"""Rollups against a naive reading of the points, whatever the file looks like."""

import math
import struct
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace_storage.charts import into_buckets, means
from headrace_storage.segments import rollups, write
from headrace_storage.segments.columns import sort_by_series
from headrace_storage.segments.parquet import read_parquet
from headrace_storage.segments.points import points_of_rollups
from headrace_storage.segments.rollups import ROLLUP, Rollups, merge, read_rollups, roll
from headrace_storage.segments.write import encode_parquet
from points import RUNS, TRICKY, WRITERS, Logged, exact, logged, to_points, to_rows

many = st.lists(logged, min_size=1, max_size=60)
values = st.lists(st.sampled_from(TRICKY) | st.floats(), min_size=1, max_size=50)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few points have several row groups, and series of a few points have rollups."""
    monkeypatch.setattr(write, "ROW_GROUP", 7)
    monkeypatch.setattr(rollups, "RUN", 3)
    monkeypatch.setattr(rollups, "LEAST", 2)
    monkeypatch.setattr(rollups, "_WORTH", 1)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def check(rollup: Any, steps: list[int], of: list[float]) -> None:
    """Fail unless the rollup tells of these points, in their order."""
    numbers = [value for value in of if not math.isnan(value)]
    assert (rollup["count"], rollup["nan_count"]) == (len(of), len(of) - len(numbers))
    assert (rollup["step_first"], rollup["step_last"]) == (min(steps), max(steps))
    assert bits(rollup["first"]) in {bits(v) for s, v in zip(steps, of, strict=True) if s == min(steps)}
    assert bits(rollup["last"]) in {bits(v) for s, v in zip(steps, of, strict=True) if s == max(steps)}
    assert same(rollup["min"], min(numbers, default=math.nan))
    assert same(rollup["max"], max(numbers, default=math.nan))
    if sum(map(abs, numbers)) < math.inf:
        assert rollup["sum"] == pytest.approx(
            math.fsum(numbers), rel=1e-9, abs=max(map(abs, numbers), default=0) * 1e-9
        )


@pytest.mark.usefixtures("tiny")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many, st.booleans())
def test_rollups_of_a_file(points: list[Logged], by_step: bool) -> None:
    rows = sort_by_series(to_rows(points), by_step=by_step)
    data = encode_parquet(rows)
    stored = to_points(rows)
    groups = defaultdict(list)
    for row, point in enumerate(stored):
        groups[point.run_id, point.key].append((row, point))
    for (run_id, key), group in groups.items():
        found = read_rollups(pa.BufferReader(data), len(data), run_id, key)
        if found is None:
            assert len(group) < 2 or max(map(len, _attempts(group))) < 2
            continue
        assert found["count"].sum() == len(group)
        assert found["row"][0] == group[0][0]
        assert (found["row"][1:] == found["row"][:-1] + found["count"][:-1]).all()
        for rollup in found:
            of = [p for row, p in group if rollup["row"] <= row < rollup["row"] + rollup["count"]]
            assert len(of) <= 3
            assert len({point.attempt for point in of}) == 1
            assert [p.step for p in of] == sorted(p.step for p in of)
            check(rollup, [p.step for p in of], [p.value for p in of])
        some = found[np.arange(len(found)) % 3 != 1]
        back = points_of_rollups(pa.BufferReader(data), some)
        rows_of_some = {row for r in some for row in range(r["row"], r["row"] + r["count"])}
        assert [(s, bits(v)) for s, v in zip(back.step.tolist(), back.value.tolist(), strict=True)] == [
            (p.step, bits(p.value)) for row, p in group if row in rows_of_some
        ]


def _attempts(group: list[tuple[int, Logged]]) -> list[list[Logged]]:
    found = defaultdict(list)
    for _, point in group:
        found[point.attempt].append(point)
    return list(found.values())


@pytest.mark.usefixtures("tiny")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many)
def test_parquet_readers_do_not_see_them(points: list[Logged]) -> None:
    rows = sort_by_series(to_rows(points))
    data = encode_parquet(rows)
    assert exact(to_points(read_parquet(pa.BufferReader(data)))) == exact(to_points(rows))
    assert pq.read_table(pa.BufferReader(data)).num_rows == len(points)


def test_duckdb_does_not_see_them(tmp_path: Path) -> None:
    file = tmp_path / "points.parquet"
    data = encode_parquet(sort_by_series(to_rows(series("a", range(3000)))))
    file.write_bytes(data)
    assert b"HRR1" in bytes(data)
    with duckdb.connect() as connection:
        found = connection.execute("SELECT count(*), sum(step) FROM read_parquet(?)", [str(file)]).fetchone()
    assert found == (3000, sum(range(3000)))


@pytest.mark.usefixtures("tiny")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(many, st.data())
def test_damaged_ones_are_not_used(points: list[Logged], data: st.DataObject) -> None:
    rows = sort_by_series(to_rows(points))
    whole = bytes(encode_parquet(rows))
    found = {p[:2]: read_rollups(pa.BufferReader(whole), len(whole), *p[:2]) for p in points}
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[at] ^= data.draw(st.integers(1, 255))
    for cut in (damaged, whole[:at]):
        for (run_id, key), expected in found.items():
            back = read_rollups(pa.BufferReader(bytes(cut)), len(cut), run_id, key)
            assert back is None or (expected is not None and back.tobytes() == expected.tobytes())


@given(st.lists(values, min_size=1, max_size=8), st.integers(1, 20))
def test_merged(parts: list[list[float]], buckets: int) -> None:
    steps = iter(range(1000))
    rolled = []
    for part in parts:
        numbers = np.array([next(steps) for _ in part])
        rolled.append(roll(numbers, np.array(part), np.array([0])))
    everything = [value for part in parts for value in part]
    check(merge(np.concatenate(rolled), np.array([0]))[0], list(range(len(everything))), everything)
    found = into_buckets(rolled, buckets)
    assert len(found) <= buckets
    for bucket in found:
        of = everything[bucket["step_first"] : bucket["step_last"] + 1]
        check(bucket, list(range(bucket["step_first"], bucket["step_last"] + 1)), of)
    check_means(found, [everything[b["step_first"] : b["step_last"] + 1] for b in found])


def check_means(found: Rollups, of: list[list[float]]) -> None:
    for mean, values_of in zip(means(found).tolist(), of, strict=True):
        numbers = [value for value in values_of if not math.isnan(value)]
        if sum(map(abs, numbers)) < math.inf:
            assert not numbers or min(numbers) <= mean <= max(numbers)
            assert bool(numbers) != math.isnan(mean)
        elif not all(map(math.isfinite, numbers)):
            assert same(mean, sum(number for number in numbers if math.isinf(number)))


def test_nothing() -> None:
    assert len(into_buckets([], 10)) == 0
    assert len(into_buckets([np.empty(0, ROLLUP)], 10)) == 0
    assert rollups.RollupBuilder().finish() == b""


def series(key: str, steps: Iterable[int]) -> list[Logged]:
    return [Logged(RUNS[0], key, "", step, 0, 1.0, WRITERS[0], at, 0) for at, step in enumerate(steps)]


def test_a_short_series_has_none() -> None:
    data = encode_parquet(sort_by_series(to_rows(series("a", range(255)) + series("b", range(256)))))
    assert read_rollups(pa.BufferReader(data), len(data), RUNS[0], "a") is None
    found = read_rollups(pa.BufferReader(data), len(data), RUNS[0], "b")
    assert found is not None
    assert found["count"].tolist() == [256]


def test_steps_that_descend_all_the_time_have_none() -> None:
    builder = rollups.RollupBuilder()
    builder.add(to_rows(series("a", range(10_000, 0, -1))))
    assert builder.finish() == b""
