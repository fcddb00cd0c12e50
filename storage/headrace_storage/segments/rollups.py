"""What a chart needs of a segment, without its points: they lie in the object, before Parquet's footer.

A rollup stands for up to :data:`RUN` consecutive rows of one series whose steps ascend. A key of a run has
rollups for all of its rows in a file or for none. Readers of Parquet go by the footer and never see these
bytes::

    rollups    r x 80 bytes (ROLLUP), by series, in the order of the rows
    index      s x 32 bytes (_INDEX), one record for each run and key, any order
    tail       s u32, crc32 of the index u32, magic "HRR1"

Minimum, maximum and sum are over the values that are not NaN, infinities among them; NaN, NaN and 0 when
there are none. Merging is associative. Numbers are little-endian.
"""

import struct
from collections import Counter
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from headrace_storage.model import Rows
from headrace_storage.segments.columns import starts_of_groups

ROLLUP: Final = np.dtype(
    [
        ("row", "<i8"),  # the first one's place in the file
        ("count", "<i8"),
        ("nan_count", "<i8"),
        ("step_first", "<i8"),
        ("step_last", "<i8"),
        ("min", "<f8"),
        ("max", "<f8"),
        ("sum", "<f8"),
        ("first", "<f8"),
        ("last", "<f8"),
    ]
)

RUN: Final = 1024
"""Rows of a rollup at most: 0.08 bytes a point, and a thousandth of the points to read."""

LEAST: Final = 256
"""Rows from which on a series of a file has rollups: below, they take more than they save."""

_WORTH: Final = 32
"""Rows for each rollup, at least: steps that often descend leave nothing to summarise."""

_AHEAD: Final = 64 << 10
"""Bytes that are read at once: the rollups and the footer of an object of a quarter of a million points."""

_INDEX: Final = np.dtype(
    [("digest", "<u8", (2,)), ("at", "<u4"), ("rollups", "<u4"), ("checksum", "<u4"), ("unused", "<u4")]
)
_TAIL: Final = struct.Struct("<II4s")
_MAGIC: Final = b"HRR1"
_FOOTER: Final = struct.Struct("<I4s")
_PARQUET: Final = b"PAR1"

Rollups = NDArray[Any]
"""An array of :data:`ROLLUP`."""

_RunKey = tuple[str, str]


class RollupBuilder:
    """Collects the rollups of a file while its rows are written, and gives the bytes before its footer."""

    def __init__(self) -> None:
        self._written = 0
        self._parts: dict[_RunKey, list[Rollups]] = {}
        self._rows: Counter[_RunKey] = Counter()

    def add(self, rows: Rows) -> None:
        """The next rows of the file, which is sorted by series."""
        if not len(rows):
            return
        stretches = _long_stretches(rows)
        begins = np.array([begin for _, begin, _ in stretches])
        ends = np.array([end for _, _, end in stretches])
        rollups = roll(rows.step, rows.value, _starts(rows, begins, ends))
        cuts = zip(
            np.searchsorted(rollups["row"], begins).tolist(),
            np.searchsorted(rollups["row"], ends).tolist(),
            strict=True,
        )
        rollups["row"] += self._written
        for (name, begin, end), (first, last) in zip(stretches, cuts, strict=True):
            self._parts.setdefault(name, []).append(rollups[first:last])
            self._rows[name] += end - begin
        self._written += len(rows)

    def finish(self) -> bytes:
        """The bytes; none when no series is long enough."""
        parts, index = [], []
        at = 0
        for name, found in self._parts.items():
            count = sum(map(len, found))
            if self._rows[name] < max(LEAST, count * _WORTH):
                continue
            data = b"".join(part.tobytes() for part in found)
            index.append((_digest(*name), at, count, crc32(data), 0))
            parts.append(data)
            at += count
        if not parts:
            return b""
        records = np.array(index, _INDEX).tobytes()
        return b"".join((*parts, records, _TAIL.pack(len(index), crc32(records), _MAGIC)))


def read_rollups(file: Any, size: int, run_id: str, key: str) -> Rollups | None:
    """The rollups of a series in an opened object of ``size`` bytes.

    ``None`` when only its rows can tell: the object or the series has no rollups, or they are damaged.
    """
    if size < _FOOTER.size + _TAIL.size:
        return None
    # All of it with one read, mostly: a chart reads hundreds of objects, and each call waits for its turn.
    ahead = max(0, size - _AHEAD)
    end = file.read_at(size - ahead, ahead)

    def read(count: int, at: int) -> Any:
        return end[at - ahead : at - ahead + count] if at >= ahead else file.read_at(count, at)

    footer, magic = _FOOTER.unpack(read(_FOOTER.size, size - _FOOTER.size))
    tail = size - _FOOTER.size - footer - _TAIL.size
    if magic != _PARQUET or tail < 0:
        return None
    series, checksum, magic = _TAIL.unpack(read(_TAIL.size, tail))
    begin = tail - series * _INDEX.itemsize
    if magic != _MAGIC or begin < 0:
        return None
    records = read(tail - begin, begin)
    if crc32(records) != checksum:
        return None
    index = np.frombuffer(records, _INDEX)
    found = np.flatnonzero((index["digest"] == _digest(run_id, key)).all(axis=1))
    if not len(found):
        return None
    entry = index[found[0]]
    before = int(index["rollups"].sum(dtype=np.int64)) - int(entry["at"])
    data = read(int(entry["rollups"]) * ROLLUP.itemsize, begin - before * ROLLUP.itemsize)
    return np.frombuffer(data, ROLLUP) if crc32(data) == entry["checksum"] else None


def roll(step: NDArray[np.int64], value: NDArray[np.float64], starts: NDArray[np.intp]) -> Rollups:
    """The rollups of the points from each start to the next one; within each, steps ascend."""
    rollups = np.empty(len(starts), ROLLUP)
    if not len(starts):
        return rollups
    ends = np.append(starts[1:], len(step)) - 1
    rollups["row"] = starts
    rollups["count"] = ends - starts + 1
    rollups["step_first"], rollups["step_last"] = step[starts], step[ends]
    rollups["first"], rollups["last"] = value[starts], value[ends]
    nan = np.isnan(value)
    if nan.any():
        rollups["nan_count"] = np.add.reduceat(nan, starts, dtype=np.int64)
        _put_bounds(rollups, value, value, np.where(nan, 0.0, value), starts)
    else:
        rollups["nan_count"] = 0
        _put_bounds(rollups, value, value, value, starts)
    return rollups


def merge(rollups: Rollups, starts: NDArray[np.intp]) -> Rollups:
    """One rollup for those from each start to the next one, which stand in the order of their first steps."""
    merged = np.empty(len(starts), ROLLUP)
    if not len(starts):
        return merged
    merged["row"] = -1
    for name in ("count", "nan_count"):
        merged[name] = np.add.reduceat(rollups[name], starts)
    merged["step_first"], merged["first"] = rollups["step_first"][starts], rollups["first"][starts]
    latest, ends = np.append(starts[1:], len(rollups)) - 1, rollups["step_last"]
    if (ends[1:] < ends[:-1]).any():
        group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(rollups)))
        latest = np.lexsort((ends, group))[latest]
    merged["step_last"], merged["last"] = rollups["step_last"][latest], rollups["last"][latest]
    _put_bounds(merged, rollups["min"], rollups["max"], rollups["sum"], starts)
    return merged


def chunks(count: int, size: int) -> NDArray[np.intp]:
    """Where each of the stretches of ``size`` begins that ``count`` points in one order make."""
    return np.arange(0, count, size, dtype=np.intp)


def _put_bounds(
    rollups: Rollups,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    addends: NDArray[np.float64],
    starts: NDArray[np.intp],
) -> None:
    """Fill in minimum, maximum and sum, by count and nan_count."""
    if rollups["nan_count"].any():
        low = np.where(np.isnan(low), np.inf, low)
        high = np.where(np.isnan(high), -np.inf, high)
    only_nan = rollups["count"] == rollups["nan_count"]
    rollups["min"] = np.where(only_nan, np.nan, np.minimum.reduceat(low, starts))
    rollups["max"] = np.where(only_nan, np.nan, np.maximum.reduceat(high, starts))
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs are data, too
        rollups["sum"] = np.add.reduceat(addends, starts)


def _long_stretches(rows: Rows) -> list[tuple[_RunKey, int, int]]:
    """Where the rows of runs' keys begin and end that have :data:`LEAST` rows of one attempt.

    Also the first and the last key: they may have more in other parts of the file.
    """
    starts = starts_of_groups(rows.series)
    ends = np.append(starts[1:], len(rows))
    codes, last = rows.series[starts], len(starts) - 1

    def name(at: int) -> _RunKey:
        series = rows.series_table[codes[at]]
        return series.run_id, series.key

    found: list[tuple[_RunKey, int, int]] = []
    done = -1
    for at in [0, *np.flatnonzero(ends - starts >= LEAST).tolist(), last]:
        if at <= done:
            continue
        this, begin, done = name(at), at, at
        while begin > 0 and name(begin - 1) == this:  # other attempts
            begin -= 1
        while done < last and name(done + 1) == this:
            done += 1
        found.append((this, int(starts[begin]), int(ends[done])))
    return found


def _starts(rows: Rows, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.intp]:
    """Where rollups begin: in stretches with each series, where steps descend, and after :data:`RUN` rows."""
    cuts = 1 + np.flatnonzero((rows.series[1:] != rows.series[:-1]) | (rows.step[1:] < rows.step[:-1]))
    inside = cuts < ends[np.searchsorted(begins, cuts, side="right") - 1]
    firsts = np.unique(np.concatenate((begins, ends[ends < len(rows)], cuts[inside])))
    numbers = -(-np.diff(firsts, append=len(rows)) // RUN)
    within = np.arange(numbers.sum()) - np.repeat(np.cumsum(numbers) - numbers, numbers)
    starts: NDArray[np.intp] = np.repeat(firsts, numbers) + RUN * within
    return starts


def _digest(run_id: str, key: str) -> tuple[int, int]:
    digest = blake2b(f"{run_id}\0{key}".encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
