"""Compares what was logged with what is readable. Pure: no processes, no files, no time.

Each point carries its origin in its value: ``number * SPAN + index`` says which stream of calls (one process,
one thread) logged it, as which of its calls. So every violation has one name:

- *lost*: the call returned, and the point is not readable;
- *duplicated*: readable more than once;
- *reordered*: readable before an earlier one of its stream and key, or while an earlier one is not there yet;
- *foreign*: readable, and not to be read here: never logged like this (another key, step, value), or hidden.

A launch that resumed the run from a step hides what earlier ones logged from that step on.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

SPAN: Final = 1 << 21
"""Points of a stream at most: what values of different streams are apart."""

EXACT: Final = 1 << 53

Integers = NDArray[np.int64]
Points = tuple[Integers, NDArray[np.float64]]
"""Steps and values of a key, in the order in which they were read."""


class Stream(NamedTuple):
    """What one process called, in its order. ``returned``: how many of the calls did, the first ones.

    ``launch`` is the one that the process took part in.
    """

    number: int
    keys: Integers
    steps: Integers
    returned: int
    launch: str = ""


class Resumed(NamedTuple):
    """A launch that resumed the run from a step."""

    launch: str
    step: int


class Verdict(NamedTuple):
    """Counts of points."""

    logged: int
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    foreign: int = 0

    @property
    def violations(self) -> int:
        """All of them; none is as it must be."""
        return self.lost + self.duplicated + self.reordered + self.foreign

    def __add__(self, other: object) -> "Verdict":
        """The sum, count by count."""
        assert isinstance(other, Verdict)
        return Verdict(*(mine + its for mine, its in zip(self, other, strict=True)))


def value_of(number: int, index: int) -> float:
    """The value of the point that stream ``number`` logs by its call ``index``."""
    return float(number * SPAN + index)


def check(streams: Iterable[Stream], read: Mapping[int, Points], resumed: Sequence[Resumed] = ()) -> Verdict:
    """Judges a complete reading, by key, of all that ``streams`` logged, after everything was delivered.

    ``resumed`` are the launches in their order; a launch of a stream that is not among them is a lost one.
    """
    known = {launch for launch, _ in resumed}
    whole = list(streams)
    lost = len({stream.launch for stream in whole if stream.returned and stream.launch} - known)
    verdict = _judge(whole, read, resumed, resumed, whole=True)
    return verdict._replace(lost=verdict.lost + lost)


def check_meanwhile(
    streams: Iterable[Stream],
    read: Mapping[int, Points],
    before: Sequence[Resumed] = (),
    after: Sequence[Resumed] = (),
) -> Verdict:
    """Judges a reading of some keys while streams go on: what is there must be a prefix of each key.

    ``before`` and ``after`` are the launches that were known when it was begun, and when it had ended.
    """
    return _judge(list(streams), read, before, after, whole=False)


def check_fork(streams: Iterable[Stream], read: Mapping[int, Points], forked: "Forked") -> Verdict:
    """Judges a complete reading of a fork as :func:`check` does.

    ``streams`` are those of the run that it was made of, and its own.
    """
    both = list(streams)
    own = [stream for stream in both if stream.number == forked.number]
    parents = [stream for stream in both if stream.number != forked.number]
    verdicts = []
    for count in range(forked.least, forked.most + 1):
        begun = forked.resumed[:count]
        known = {launch for launch, _ in begun}
        inherited = [
            _only(stream, (stream.steps <= forked.step) & ~hidden(stream, begun))
            for stream in parents
            if stream.launch in known
        ]
        verdicts.append(_judge([*inherited, *own], read, (), (), whole=True))
    return min(verdicts, key=lambda verdict: verdict.violations)


def check_counts(read: Mapping[int, Points], counts: Mapping[int, int]) -> Verdict:
    """Judges what summaries say of how many points keys have."""
    differences = [counts.get(key, 0) - len(steps) for key, (steps, _) in read.items()]
    return Verdict(
        0,
        lost=sum(-difference for difference in differences if difference < 0),
        duplicated=sum(difference for difference in differences if difference > 0),
    )


class Forked(NamedTuple):
    """A fork: its stream, the last step that it inherits, and the launches of the run that it is made of.

    When it was made, at least ``least`` and at most ``most`` of them had begun.
    """

    number: int
    step: int
    resumed: Sequence[Resumed]
    least: int
    most: int


def hidden(stream: Stream, resumed: Sequence[Resumed]) -> NDArray[np.bool_]:
    """Which points of a stream launches after its own hide; ``resumed`` has them in their order."""
    launches = [launch for launch, _ in resumed]
    later = resumed[launches.index(stream.launch) + 1 :] if stream.launch in launches else ()
    if not later:
        return np.zeros(len(stream.steps), np.bool_)
    found: NDArray[np.bool_] = stream.steps >= min(step for _, step in later)
    return found


def _only(stream: Stream, shown: NDArray[np.bool_]) -> Stream:
    """The stream, of which other points are of no key."""
    return stream._replace(keys=np.where(shown, stream.keys, -1))


def descents(values: NDArray[np.float64]) -> int:
    """How often a point comes after a later one of its stream; ``values`` in the order that a writer gave."""
    numbers, indexes, genuine = _origins(values)
    return sum(
        int(np.count_nonzero(np.diff(indexes[genuine & (numbers == number)]) < 0))
        for number in np.unique(numbers[genuine]).tolist()
    )


def _judge(
    streams: list[Stream],
    read: Mapping[int, Points],
    before: Sequence[Resumed],
    after: Sequence[Resumed],
    *,
    whole: bool,
) -> Verdict:
    """``before``: the launches that hide for certain; ``after``: those that may."""
    seen = {stream.number: np.zeros(len(stream.keys), np.int64) for stream in streams}
    by_number = {stream.number: stream for stream in streams}
    foreign = reordered = 0
    for key, (steps, values) in read.items():
        numbers, indexes, genuine = _origins(values)
        for number in np.unique(numbers[genuine]).tolist():
            if number not in by_number:
                genuine &= numbers != number
                continue
            stream = by_number[number]
            chosen = np.flatnonzero(genuine & (numbers == number))
            index = indexes[chosen]
            known = index < len(stream.keys)
            known[known] &= (stream.keys[index[known]] == key) & (
                stream.steps[index[known]] == steps[chosen][known]
            )
            known[known] &= ~hidden(stream, before)[index[known]]
            genuine[chosen[~known]] = False
            index = index[known]
            seen[number] += np.bincount(index, minlength=len(stream.keys))
            reordered += int(np.count_nonzero(np.diff(index) < 0))
        foreign += int(np.count_nonzero(~genuine))
    lost = duplicated = 0
    for stream in streams:
        count = seen[stream.number]
        expected = (stream.keys >= 0) & ~hidden(stream, after)
        duplicated += int(np.maximum(count - 1, 0).sum())
        if whole:
            lost += int(np.count_nonzero(expected[: stream.returned] & (count[: stream.returned] == 0)))
            # A call that a kill interrupted may have logged or not; nothing after it was called.
        else:
            reordered += _holes(stream, count, expected, read)
    logged = sum(stream.returned for stream in streams)
    return Verdict(logged, lost, duplicated, reordered, foreign)


def _origins(values: NDArray[np.float64]) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Of each value the stream and the index, and whether it can be of any."""
    genuine = (values >= 0) & (values < EXACT) & (values == np.floor(values))
    whole = np.where(genuine, values, 0).astype(np.int64)
    return whole // SPAN, whole % SPAN, genuine


def _holes(stream: Stream, count: Integers, expected: NDArray[np.bool_], read: Mapping[int, Points]) -> int:
    """Points that are not there, and not hidden, although a later one of the same key is."""
    holes = 0
    for key in read:
        present = count[stream.keys == key] > 0
        if present.any():
            before = slice(0, np.flatnonzero(present)[-1])
            holes += int(np.count_nonzero(expected[stream.keys == key][before] & ~present[before]))
    return holes
