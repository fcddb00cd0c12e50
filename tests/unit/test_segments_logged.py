"""Parts of a series, in whatever order they come, become one in logged order."""

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from headrace_storage.segments.logged import Columns, in_logged_order, logged_of
from points import RUNS, WRITERS, Logged, to_rows
from points import in_logged_order as ordered

# A writer's order time never falls, its sequence rises.
advances = st.integers(0, 2) | st.sampled_from([1 << 40, 1 << 60])
journals = st.lists(
    st.lists(st.tuples(advances, st.integers(1, 3) | st.just(1 << 59)), max_size=6), max_size=len(WRITERS)
)


def points_of(journals: list[list[tuple[int, int]]]) -> list[Logged]:
    points: list[Logged] = []
    for writer, journal in zip(WRITERS, journals, strict=False):
        times = accumulate(time for time, _ in journal)
        sequences = accumulate(ahead for _, ahead in journal)
        points += [
            Logged(RUNS[0], "loss", "", len(points) + at, sequence, time / 3, writer, sequence, time)
            for at, (time, sequence) in enumerate(zip(times, sequences, strict=True))
        ]
    return points


def told(parts: list[Columns]) -> list[tuple[int, int, float]]:
    return [point for part in parts for point in zip(*(column.tolist() for column in part), strict=True)]


@given(journals, st.randoms(use_true_random=False), st.integers(1, 5))
def test_parts_that_overlap(journals: list[list[tuple[int, int]]], chance: object, size: int) -> None:
    points = points_of(journals)
    chance.shuffle(points)  # type: ignore[attr-defined]
    parts = [logged_of(to_rows(points[at : at + size])) for at in range(0, len(points), size)]
    expected = [(point.step, point.timestamp, point.value) for point in ordered(points)]
    assert told(in_logged_order(parts)) == expected


@given(journals, st.randoms(use_true_random=False), st.integers(1, 5))
def test_parts_that_follow_one_another(
    journals: list[list[tuple[int, int]]], chance: object, size: int
) -> None:
    points = ordered(points_of(journals))
    parts = [logged_of(to_rows(points[at : at + size])) for at in range(0, len(points), size)]
    chance.shuffle(parts)  # type: ignore[attr-defined]
    expected = [(point.step, point.timestamp, point.value) for point in points]
    assert told(in_logged_order(parts)) == expected
