"""The checker objects to each kind of violation, and to nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import (
    Forked,
    Points,
    Resumed,
    Stream,
    Verdict,
    check,
    check_counts,
    check_fork,
    check_meanwhile,
    descents,
    hidden,
    value_of,
)

KEYS = 3
Reading = dict[int, Points]


def logged(rng: np.random.Generator, numbers: tuple[int, ...] = (1, 2, 300_000)) -> list[Stream]:
    """Streams of 50 calls, all of which returned."""
    return [Stream(number, rng.integers(KEYS, size=50), rng.integers(-9, 9, 50), 50) for number in numbers]


def readable(streams: list[Stream], rng: np.random.Generator) -> Reading:
    """What a reader gets when all is well: each stream in its order, mixed with the others at random."""
    reading = {}
    for key in range(KEYS):
        calls = [
            [
                (int(stream.steps[index]), value_of(stream.number, int(index)))
                for index in np.flatnonzero(stream.keys == key)
            ]
            for stream in streams
        ]
        turns = rng.permutation([number for number, its in enumerate(calls) for _ in its])
        points = [calls[turn].pop(0) for turn in turns.tolist()]
        reading[key] = np.array([step for step, _ in points]), np.array([value for _, value in points])
    return reading


def edit(
    reading: Reading, rng: np.random.Generator, how: Callable[[list[tuple[int, float]], int], None]
) -> Reading:
    """Changes one place, not the last, of one key."""
    key = int(rng.integers(KEYS))
    points = [(int(step), float(value)) for step, value in zip(*reading[key], strict=True)]
    how(points, int(rng.integers(len(points) - 1)))
    changed = np.array([step for step, _ in points]), np.array([value for _, value in points])
    return {**reading, key: changed}


@given(st.integers(0, 2**32))
def test_what_is_right_is_not_objected_to(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = logged(rng)
    assert check(streams, readable(streams, rng)) == Verdict(150)
    assert check_meanwhile(streams, readable(streams, rng)) == Verdict(150)


@given(st.integers(0, 2**32))
def test_one_dropped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = logged(rng)
    reading = edit(readable(streams, rng), rng, lambda points, at: points.pop(at) and None)
    assert check(streams, reading) == Verdict(150, lost=1)


@given(st.integers(0, 2**32))
def test_one_doubled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = logged(rng)
    reading = edit(readable(streams, rng), rng, lambda points, at: points.insert(at, points[at]))
    assert check(streams, reading) == Verdict(150, duplicated=1)
    assert check_meanwhile(streams, reading).duplicated == 1


@given(st.integers(0, 2**32))
def test_two_swapped(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = logged(rng, (5,))

    def swap(points: list[tuple[int, float]], at: int) -> None:
        points[at], points[at + 1] = points[at + 1], points[at]

    reading = edit(readable(streams, rng), rng, swap)
    assert check(streams, reading) == Verdict(50, reordered=1)
    assert check_meanwhile(streams, reading).reordered == 1


CHANGES: dict[str, Callable[[int, float], tuple[int, float]]] = {
    "the step": lambda step, value: (step + 100, value),
    "a bit of the value": lambda step, value: (step, float(np.nextafter(value, np.inf))),
    "no number": lambda step, _: (step, float("nan")),
    "infinite": lambda step, _: (step, float("inf")),
    "negative": lambda step, value: (step, -1.0 - value),
    "of nobody": lambda step, _: (step, value_of(77, 1)),
    "never called": lambda step, _: (step, value_of(2, 60)),
}


@pytest.mark.parametrize("change", CHANGES)
@given(seed=st.integers(0, 2**32))
def test_one_changed(change: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = logged(rng)

    def alter(points: list[tuple[int, float]], at: int) -> None:
        points[at] = CHANGES[change](*points[at])

    verdict = check(streams, edit(readable(streams, rng), rng, alter))
    assert (verdict.lost, verdict.foreign, verdict.duplicated) == (1, 1, 0)


def test_one_under_another_key() -> None:
    rng = np.random.default_rng(1)
    streams = logged(rng)
    reading = readable(streams, rng)
    reading[0], reading[1] = reading[1], reading[0]
    verdict = check(streams, reading)
    assert verdict.foreign == verdict.lost == len(reading[0][0]) + len(reading[1][0])


def test_a_call_that_did_not_return_may_have_logged_or_not() -> None:
    rng = np.random.default_rng(1)
    whole = logged(rng)
    interrupted = [stream._replace(returned=49) for stream in whole]
    assert check(interrupted, readable(whole, rng)) == Verdict(147)
    shorter = [Stream(number, keys[:49], steps[:49], 49) for number, keys, steps, *_ in whole]
    assert check(interrupted, readable(shorter, rng)) == Verdict(147)


def test_meanwhile_the_newest_may_be_missing_but_nothing_before() -> None:
    rng = np.random.default_rng(1)
    streams = logged(rng)
    earlier = [Stream(number, keys[:20], steps[:20], 20) for number, keys, steps, *_ in streams]
    assert not check_meanwhile(streams, readable(earlier, rng)).violations
    steps, values = readable(earlier, rng)[0]
    assert check_meanwhile(streams, {0: (steps[1:], values[1:])}).reordered == 1


def test_nothing_readable_is_all_lost() -> None:
    streams = logged(np.random.default_rng(1))
    assert check(streams, {}) == Verdict(150, lost=150)


def test_the_order_of_a_writer_across_keys() -> None:
    values = np.array([value_of(number, index) for index in range(20) for number in (1, 2)])
    assert descents(values) == 0
    values[[4, 10]] = values[[10, 4]]
    assert descents(values) > 0


def test_summaries_that_count_something_else() -> None:
    reading = readable(logged(np.random.default_rng(1)), np.random.default_rng(1))
    counts = {key: len(steps) for key, (steps, _) in reading.items()}
    assert not check_counts(reading, counts).violations
    assert check_counts(reading, {**counts, 1: counts[1] - 2}) == Verdict(0, lost=2)
    assert check_counts(reading, {**counts, 0: counts[0] + 3}) == Verdict(0, duplicated=3)
    assert check_counts(reading, {0: counts[0], 1: counts[1]}).lost == counts[2]


LAUNCHES = [Resumed("a", 1 << 20), Resumed("b", 3), Resumed("c", 1 << 20), Resumed("d", 5)]


def launched(rng: np.random.Generator) -> list[Stream]:
    """Streams of launches, one of which began last."""
    return [
        stream._replace(launch=launch)
        for stream, launch in zip(logged(rng, (1, 2, 3, 4)), "abcd", strict=True)
    ]


def shown(streams: list[Stream], rng: np.random.Generator, last: int = 5) -> Reading:
    """What a reader gets: of the first launch steps below 3, of the next two those below ``last``."""
    kept = [
        stream._replace(keys=np.where(stream.steps < bound, stream.keys, -1))
        for stream, bound in zip(streams, [3, last, last, 1 << 20], strict=True)
    ]
    return readable(kept, rng)


def test_what_launches_hide_is_what_the_ones_before_them_logged() -> None:
    streams = launched(np.random.default_rng(1))
    steps = [sorted(set(stream.steps[hidden(stream, LAUNCHES)].tolist())) for stream in streams]
    assert steps == [[3, 4, 5, 6, 7, 8], [5, 6, 7, 8], [5, 6, 7, 8], []]
    assert not hidden(streams[3]._replace(launch="e"), LAUNCHES).any()


@given(st.integers(0, 2**32))
def test_a_run_that_was_rewound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = launched(rng)
    assert check(streams, shown(streams, rng), LAUNCHES) == Verdict(200)
    assert check_meanwhile(streams, shown(streams, rng), LAUNCHES, LAUNCHES) == Verdict(200)
    assert check_meanwhile(streams, shown(streams, rng), LAUNCHES[:3], LAUNCHES) == Verdict(200)
    assert check_meanwhile(streams, shown(streams, rng, 1 << 20), LAUNCHES[:3], LAUNCHES) == Verdict(200)


@given(st.integers(0, 2**32))
def test_a_point_that_is_hidden_and_readable(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = launched(rng)
    number = int(rng.integers(3))
    index = int(rng.choice(np.flatnonzero(hidden(streams[number], LAUNCHES))))
    key = int(streams[number].keys[index])
    reading = shown(streams, rng)
    steps, values = reading[key]
    reading[key] = (
        np.append(steps, streams[number].steps[index]),
        np.append(values, value_of(streams[number].number, index)),
    )
    assert check(streams, reading, LAUNCHES) == Verdict(200, foreign=1)
    assert check_meanwhile(streams, reading, LAUNCHES, LAUNCHES).foreign == 1


@given(st.integers(0, 2**32))
def test_a_point_that_is_kept_and_missing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = launched(rng)
    reading = edit(shown(streams, rng), rng, lambda points, at: points.pop(at) and None)
    assert check(streams, reading, LAUNCHES) == Verdict(200, lost=1)


def test_a_launch_that_is_not_known_is_lost() -> None:
    rng = np.random.default_rng(1)
    streams = launched(rng)
    assert check(streams, shown(streams, rng, 1 << 20), LAUNCHES[:3]) == Verdict(200, lost=1)


def forked(streams: list[Stream], rng: np.random.Generator) -> tuple[Stream, Reading]:
    """A fork up to step 3, made when two launches had begun: its own stream, and what is readable of it."""
    own = Stream(9, rng.integers(KEYS, size=50), rng.integers(-9, 9, 50), 50)
    parts = [
        stream._replace(keys=np.where(stream.steps <= last, stream.keys, -1))
        for stream, last in zip(streams[:2], (2, 3), strict=True)
    ]
    return own, readable([*parts, own], rng)


@given(st.integers(0, 2**32))
def test_a_fork(seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = launched(rng)
    own, reading = forked(streams, rng)
    fork = Forked(9, 3, LAUNCHES, 1, 3)
    assert not check_fork([*streams, own], reading, fork).violations
    dropped = edit(reading, rng, lambda points, at: points.pop(at) and None)
    assert check_fork([*streams, own], dropped, fork).lost == 1


def test_a_fork_of_another_moment_or_step() -> None:
    rng = np.random.default_rng(1)
    streams = launched(rng)
    own, reading = forked(streams, rng)
    fork, both = Forked(9, 3, LAUNCHES, 1, 3), [*streams, own]
    assert check_fork(both, reading, fork._replace(step=2)).foreign > 0
    assert check_fork(both, reading, fork._replace(step=4)).lost > 0
    assert check_fork(both, reading, fork._replace(least=3)).lost > 0
    assert check_fork(both, reading, fork._replace(most=1)).foreign > 0
