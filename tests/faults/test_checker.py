"""The checker objects to each kind of violation, and to nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker import Points, Stream, Verdict, check, check_meanwhile, descents, value_of

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
    shorter = [Stream(number, keys[:49], steps[:49], 49) for number, keys, steps, _ in whole]
    assert check(interrupted, readable(shorter, rng)) == Verdict(147)


def test_meanwhile_the_newest_may_be_missing_but_nothing_before() -> None:
    rng = np.random.default_rng(1)
    streams = logged(rng)
    earlier = [Stream(number, keys[:20], steps[:20], 20) for number, keys, steps, _ in streams]
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
