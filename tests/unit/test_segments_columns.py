"""Sorting, joining and selecting points, against what Python does with tuples."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from headrace_storage.segments.columns import (
    concat,
    select_series,
    sort_as_logged,
    sort_by_series,
    take,
    used,
)
from points import RUNS, WRITERS, Logged, exact, in_logged_order, logged, to_points, to_rows


def series(point: Logged) -> tuple[str, str, str]:
    return point[:3]


@given(st.lists(logged))
def test_points_are_sorted_by_series_and_else_stay_in_order(points: list[Logged]) -> None:
    rows = sort_by_series(to_rows(points))
    assert exact(to_points(rows)) == exact(sorted(points, key=series))
    assert rows.series_table == sorted({series(point) for point in points})
    assert (rows.series[1:] >= rows.series[:-1]).all()


@given(st.lists(logged))
def test_points_are_sorted_by_series_and_step(points: list[Logged]) -> None:
    rows = sort_by_series(to_rows(points), by_step=True)
    assert exact(to_points(rows)) == exact(sorted(points, key=lambda point: (*series(point), point.step)))


@given(st.lists(logged))
def test_logged_order_is_time_then_writer_then_sequence(points: list[Logged]) -> None:
    assert exact(to_points(sort_as_logged(to_rows(points)))) == exact(in_logged_order(points))


@given(st.lists(st.lists(logged)))
def test_joined_points_keep_their_names(parts: list[list[Logged]]) -> None:
    rows = concat([to_rows(part) for part in parts])
    assert exact(to_points(rows)) == exact(point for part in parts for point in part)
    assert len(set(rows.series_table)) == len(rows.series_table)


@given(st.lists(logged, min_size=1))
def test_a_selection_has_one_key_of_one_run(points: list[Logged]) -> None:
    run_id, key, _ = series(points[0])
    chosen = select_series(to_rows(points), run_id, key)
    assert exact(to_points(chosen)) == exact(p for p in points if (p.run_id, p.key) == (run_id, key))


def test_more_series_than_one_pass_of_the_radix_sort_takes() -> None:
    count = (1 << 16) + 100
    points = [
        Logged(RUNS[0], f"key{index * 7919 % count}", "", 0, 0, float(index), WRITERS[0], index, 0)
        for index in range(count)
    ]
    assert exact(to_points(sort_by_series(to_rows(points)))) == exact(sorted(points, key=series))


def test_the_result_names_only_series_that_occur() -> None:
    points = [Logged(RUNS[0], key, "", 0, 0, 0.0, WRITERS[0], 0, 0) for key in ("c", "b", "a", "d")]
    some = take(to_rows(points), slice(1, 3))
    assert used(some.series, len(some.series_table)).tolist() == [1, 2]
    result = sort_by_series(some)
    assert [entry.key for entry in result.series_table] == ["a", "b"]
    assert exact(to_points(result)) == exact([points[2], points[1]])


def test_a_series_that_the_table_holds_twice_becomes_one() -> None:
    points = [Logged(RUNS[0], key, "", 0, 0, 0.0, WRITERS[0], 0, 0) for key in ("b", "a", "x")]
    rows = to_rows(points)
    twice = replace(rows, series_table=[*rows.series_table[:2], rows.series_table[0]])
    result = sort_by_series(twice)
    assert [entry.key for entry in result.series_table] == ["a", "b"]
    assert result.series.tolist() == [0, 1, 1]
