"""Summaries against a naive reading of the rule, and in whatever order they are merged."""

import functools
import math
import random
from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headrace_storage.segments.summary import (
    SUMMARY,
    SummaryColumns,
    decode_summaries,
    encode_summaries,
    merge,
    summarise,
)
from points import Logged, logged, to_rows

Key = tuple[Any, ...]


def by_rule(point: Logged) -> Key:
    """MLflow's rule; NaN lowest, -0.0 below 0.0."""
    nan = math.isnan(point.value)
    return (
        point.step,
        point.timestamp,
        not nan,
        0.0 if nan else point.value,
        math.copysign(1, point.value) if not nan else 0,
    )


def naive(points: list[Logged]) -> dict[tuple[str, str], Key]:
    """The rule, point by point."""
    groups = defaultdict(list)
    for point in points:
        groups[point.run_id, point.key].append(point)
    result = {}
    for key, group in groups.items():
        last, first = max(group, key=by_rule), min(group, key=by_rule)
        numbers = [p.value for p in group if not math.isnan(p.value)]
        result[key] = (
            by_rule(last),
            by_rule(first),
            min(numbers, default=None),
            max(numbers, default=None),
            len(group),
            len(group) - len(numbers),
        )
    return result


def found(summaries: SummaryColumns) -> dict[tuple[str, str], Key]:
    result = {}
    for summary in summaries.entities():
        last, first = (
            by_rule(Logged("", "", "", end.step, end.timestamp, end.value, None, 0, 0))  # type: ignore[arg-type]
            for end in (summary.last, summary.first)
        )
        least, most = (None if math.isnan(v) else v for v in (summary.minimum, summary.maximum))
        result[summary.run_id, summary.key] = (last, first, least, most, summary.count, summary.nan_count)
    return result


@given(st.lists(logged))
def test_of_points(points: list[Logged]) -> None:
    assert found(summarise(to_rows(points))) == naive(points)


@given(st.lists(st.lists(logged, max_size=6), max_size=6), st.randoms())
def test_merged_in_any_order_and_nesting(parts: list[list[Logged]], chance: random.Random) -> None:
    summaries = [summarise(to_rows(part)) for part in parts]
    chance.shuffle(summaries)
    flat = merge(summaries)
    nested = functools.reduce(lambda one, other: merge([one, other]), summaries, merge([]))
    assert found(flat) == found(nested) == naive([point for part in parts for point in part])
    assert list(flat.keys) == sorted(flat.keys)


@given(st.lists(logged))
def test_encoded(points: list[Logged]) -> None:
    summaries = summarise(to_rows(points))
    back = decode_summaries(encode_summaries(summaries))
    assert list(back.keys) == list(summaries.keys)
    assert back.numbers.tobytes() == summaries.numbers.tobytes()
    assert back.numbers.dtype == SUMMARY


@given(st.lists(logged))
def test_of_some_runs_and_keys(points: list[Logged]) -> None:
    runs, keys = {p.run_id for p in points[:2]}, {p.key for p in points[:1]}
    whole = summarise(to_rows(points))
    assert found(whole.only(runs, keys)) == naive([p for p in points if p.run_id in runs and p.key in keys])
    assert found(whole.only(runs, None)) == naive([p for p in points if p.run_id in runs])
