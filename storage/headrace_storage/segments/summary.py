"""Summaries of runs' keys as columns: of a segment's points, and merged.

The last point is the largest by (step, timestamp, value), MLflow's rule, the first one the smallest; NaN is
below every number, -0.0 below 0.0. Minimum and maximum are over the values that are not NaN. Merging is
associative and commutative: segments can be folded in any order.
"""

import json
import struct
from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace_storage.model import Point, Rows, Series, Summary
from headrace_storage.segments.columns import look_up, order_of, starts_of_groups
from headrace_storage.segments.names import MANY, Names, RunKeys, joined

SUMMARY: Final = np.dtype(
    [
        ("last_step", "<i8"),
        ("last_timestamp", "<i8"),
        ("last_value", "<f8"),
        ("first_step", "<i8"),
        ("first_timestamp", "<i8"),
        ("first_value", "<f8"),
        ("minimum", "<f8"),
        ("maximum", "<f8"),
        ("count", "<i8"),
        ("nan_count", "<i8"),
    ]
)

_HEAD: Final = struct.Struct("<4sI")
_MAGIC: Final = b"HRS1"

RunKey = tuple[str, str]


class SummaryColumns(NamedTuple):
    """``numbers[i]``, of dtype :data:`SUMMARY`, is the summary of ``keys[i]``; no (run, key) occurs twice."""

    keys: Sequence[RunKey]
    numbers: NDArray[Any]

    def entities(self) -> list[Summary]:
        """The same as one object for each key."""
        return [
            Summary(run_id, key, Point(*row[0:3]), Point(*row[3:6]), *row[6:])
            for (run_id, key), row in zip(self.keys, self.numbers.tolist(), strict=True)
        ]

    def only(self, run_ids: Collection[str], keys: Collection[str] | None) -> "SummaryColumns":
        """The part with these runs and, unless ``None``, keys."""
        chosen = [
            i for i, (run, key) in enumerate(self.keys) if run in run_ids and (keys is None or key in keys)
        ]
        return SummaryColumns(_chosen(self.keys, np.array(chosen, np.intp)), self.numbers[chosen])


NONE: Final = SummaryColumns((), np.empty(0, SUMMARY))


def summarise(rows: Rows) -> SummaryColumns:
    """The summaries of the points, by run and key."""
    if not len(rows):
        return NONE
    keys, places = _distinct_of(rows.series_table)
    codes = rows.series if places is None else look_up(places, rows.series)
    points = _Points(rows.step, rows.timestamp, rows.value)
    if (order := order_of(codes, len(keys))) is not None:
        codes = codes[order]
        points = _Points(rows.step[order], rows.timestamp[order], rows.value[order])
    starts = starts_of_groups(codes)
    numbers = np.empty(len(starts), SUMMARY)
    _put_ends(numbers, points, points, starts)
    numbers["count"] = np.diff(starts, append=len(codes))
    numbers["nan_count"] = np.add.reduceat(np.isnan(points.value), starts, dtype=np.int64)
    _put_bounds(numbers, points.value, points.value, starts)
    return SummaryColumns(_chosen(keys, codes[starts]), numbers)


def merge(parts: Sequence[SummaryColumns]) -> SummaryColumns:
    """The summaries of all points together, by run and key."""
    parts = [part for part in parts if len(part.keys)]
    if not parts:
        return NONE
    numbers = np.concatenate([part.numbers for part in parts])
    keys, places = _merged([part.keys for part in parts])
    codes = np.arange(len(numbers), dtype=np.uint32) if places is None else places
    if (order := order_of(codes, len(keys))) is not None:
        codes, numbers = codes[order], numbers[order]
    if len(keys) == len(numbers):
        return SummaryColumns(keys, numbers)
    starts = starts_of_groups(codes)
    merged = np.empty(len(starts), SUMMARY)
    last, first = (
        _Points(*(np.ascontiguousarray(numbers[f"{end}_{name}"]) for name in _Points._fields))
        for end in ("last", "first")
    )
    _put_ends(merged, last, first, starts)
    merged["count"] = np.add.reduceat(numbers["count"], starts)
    merged["nan_count"] = np.add.reduceat(numbers["nan_count"], starts)
    _put_bounds(merged, numbers["minimum"], numbers["maximum"], starts)
    return SummaryColumns(keys, merged)


def encode_summaries(summaries: SummaryColumns) -> bytes:
    """Bytes for the catalog: magic "HRS1", count u32, the numbers, the (run, key) pairs as JSON."""
    names = json.dumps(list(summaries.keys), separators=(",", ":")).encode()
    return _HEAD.pack(_MAGIC, len(summaries.keys)) + summaries.numbers.tobytes() + names


def decode_summaries(data: bytes) -> SummaryColumns:
    """What :func:`encode_summaries` was given; ValueError when the bytes are not its."""
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise ValueError("not encoded summaries")
    _, count = _HEAD.unpack_from(data)
    numbers = np.frombuffer(data, SUMMARY, count, _HEAD.size)
    keys = [(run_id, key) for run_id, key in json.loads(data[_HEAD.size + numbers.nbytes :])]
    if len(keys) != count:
        raise ValueError("encoded summaries with another number of names")
    return SummaryColumns(keys, numbers)


class _Points(NamedTuple):
    """Columns of one length, in the order in which the rule compares them."""

    step: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    value: NDArray[np.float64]


_Places = NDArray[np.uint32] | None
"""The place of each pair among the distinct ones, which ascend; ``None`` when it is its own."""


def _distinct_of(table: Sequence[Series]) -> tuple[Sequence[RunKey], _Places]:
    """The runs and keys of the series."""
    if len(table) < MANY:
        return _distinct([(series.run_id, series.key) for series in table])
    places, names = RunKeys.of(Names.of(table)).names.ranked()
    return RunKeys(names), places


def _merged(parts: Sequence[Sequence[RunKey]]) -> tuple[Sequence[RunKey], _Places]:
    """The runs and keys of all parts, which follow each other."""
    if sum(map(len, parts)) < MANY:
        return _distinct([pair for part in parts for pair in part])
    places, names = joined([_as_names(part) for part in parts]).ranked()
    return RunKeys(names), places


def _as_names(keys: Sequence[RunKey]) -> Names:
    return keys.names if isinstance(keys, RunKeys) else Names.of([Series(*pair, "") for pair in keys])


def _distinct(pairs: list[RunKey]) -> tuple[list[RunKey], _Places]:
    keys = sorted(set(pairs))
    if keys == pairs:
        return keys, None
    place = {pair: code for code, pair in enumerate(keys)}
    return keys, np.fromiter((place[pair] for pair in pairs), np.uint32, len(pairs))


def _chosen(keys: Sequence[RunKey], at: NDArray[np.integer[Any]]) -> Sequence[RunKey]:
    if isinstance(keys, RunKeys):
        return RunKeys(keys.names.take(at))
    return [keys[place] for place in at.tolist()]


def _put_ends(
    numbers: NDArray[Any], candidates_last: _Points, candidates_first: _Points, starts: NDArray[np.intp]
) -> None:
    """Fill in the last and the first point of each group of candidates."""
    ends = np.append(starts[1:], len(candidates_last.step)) - 1
    if _steps_ascend(candidates_last.step, starts) and candidates_first is candidates_last:
        chosen_last, chosen_first = ends, starts
    else:
        chosen_last = _extremes(np.maximum, candidates_last, starts)
        chosen_first = _extremes(np.minimum, candidates_first, starts)
    for end, points, chosen in (
        ("last", candidates_last, chosen_last),
        ("first", candidates_first, chosen_first),
    ):
        for name, column in zip(_Points._fields, points, strict=True):
            numbers[f"{end}_{name}"] = column[chosen]


def _steps_ascend(step: NDArray[np.int64], starts: NDArray[np.intp]) -> bool:
    """Whether each step of a group is larger than the one before it, which is what trainings log."""
    ascends = step[1:] > step[:-1]
    ascends[starts[1:] - 1] = True
    return bool(ascends.all())


def _put_bounds(
    numbers: NDArray[Any], low: NDArray[np.float64], high: NDArray[np.float64], starts: NDArray[np.intp]
) -> None:
    """Fill in minimum and maximum, whose candidates are ``low`` and ``high``, by count and nan_count."""
    if numbers["nan_count"].any():
        # Not fmin and fmax: over a signalling NaN, they give NaN.
        low = np.where(np.isnan(low), np.inf, low)
        high = np.where(np.isnan(high), -np.inf, high)
    only_nan = numbers["count"] == numbers["nan_count"]
    numbers["minimum"] = np.where(only_nan, np.nan, np.minimum.reduceat(low, starts))
    numbers["maximum"] = np.where(only_nan, np.nan, np.maximum.reduceat(high, starts))


def _extremes(better: np.ufunc, points: _Points, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The position of the extreme point of each group: by step, then timestamp, then value."""
    positions = np.arange(len(points.step))
    for column in points:
        values = _sortable(column if len(positions) == len(column) else column[positions])
        best = better.reduceat(values, starts)
        kept = np.flatnonzero(values == np.repeat(best, np.diff(starts, append=len(values))))
        positions, starts = positions[kept], np.searchsorted(kept, starts)
    return positions[starts]


def _sortable(column: NDArray[Any]) -> NDArray[np.int64]:
    """Integers in the column's order: for floats, their bits made to ascend, NaN below everything."""
    if column.dtype != np.float64:
        return column
    bits = column.view(np.int64)
    ascending = np.where(bits < 0, bits ^ np.iinfo(np.int64).max, bits)
    ascending[np.isnan(column)] = np.iinfo(np.int64).min
    return ascending
