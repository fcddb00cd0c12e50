"""Steps and values of one series, and nothing else: what a chart reads where rollups do not do."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace_storage.segments.rollups import Rollups

_NAMES = ["run_id", "key"]
_NUMBERS = ["step", "value"]


class Points(NamedTuple):
    """Columns of one length, in any order."""

    step: NDArray[np.int64]
    value: NDArray[np.float64]

    def between(self, first_step: int, last_step: int) -> "Points":
        """Those with steps in these bounds, which belong to it."""
        inside = (self.step >= first_step) & (self.step <= last_step)
        return self if inside.all() else Points(self.step[inside], self.value[inside])


def join(parts: Sequence[Points]) -> Points:
    """The points of all parts."""
    if not parts:
        return Points(np.empty(0, np.int64), np.empty(0))
    return Points(np.concatenate([p.step for p in parts]), np.concatenate([p.value for p in parts]))


def points_of_series(parquet: pq.ParquetFile, groups: Sequence[int], run_id: str, key: str) -> Points:
    """The points of a series in some row groups of a file that is opened with its names as dictionaries."""
    parts = []
    for group in groups:
        table = parquet.read_row_group(group, columns=_NAMES + _NUMBERS)
        table = table.unify_dictionaries().combine_chunks()
        at = np.ones(len(table), bool)
        for name, text in zip(_NAMES, (run_id, key), strict=True):
            column = table[name].chunk(0)
            at &= column.indices.to_numpy() == pc.index(column.dictionary, text).as_py()
        if at.any():
            step, value = _numbers(table)
            parts.append(Points(step[at], value[at]))
    return join(parts)


def points_of_rollups(
    file: Any, rollups: Rollups, last_step: Callable[[str], int | None] | None = None
) -> Points:
    """The points of an opened object that the rollups, in the order of their rows, stand for.

    With ``last_step``, only those up to their attempt's one.
    """
    begins = rollups["row"]
    ends = begins + rollups["count"]
    gaps = begins[1:] != ends[:-1]
    ranges = list(
        zip(begins[np.append(True, gaps)].tolist(), ends[np.append(gaps, True)].tolist(), strict=True)
    )
    parts = []
    names = [] if last_step is None else ["attempt"]
    with pq.ParquetFile(file, read_dictionary=names, page_checksum_verification=True) as parquet:
        first = 0
        for group in range(parquet.metadata.num_row_groups):
            last = first + parquet.metadata.row_group(group).num_rows
            inside = [
                (max(a, first) - first, min(b, last) - first) for a, b in ranges if a < last and b > first
            ]
            first = last
            if inside:
                table = parquet.read_row_group(group, columns=_NUMBERS + names)
                table = table.unify_dictionaries().combine_chunks()
                step, value = _numbers(table)
                if last_step is None:
                    parts += [Points(step[a:b], value[a:b]) for a, b in inside]
                    continue
                shown = _shown(table["attempt"].chunk(0), step, last_step)
                parts += [Points(step[a:b][shown[a:b]], value[a:b][shown[a:b]]) for a, b in inside]
    return join(parts)


def _shown(
    attempt: pa.DictionaryArray, step: NDArray[np.int64], last_step: Callable[[str], int | None]
) -> NDArray[np.bool_]:
    lasts = [last_step(token) for token in attempt.dictionary.to_pylist()]
    hidden = np.array([last is None for last in lasts], np.bool_)
    bounds = np.array([last or 0 for last in lasts], np.int64)
    codes = attempt.indices.to_numpy()
    shown: NDArray[np.bool_] = ~hidden[codes] & (step <= bounds[codes])
    return shown


def _numbers(table: pa.Table) -> Points:
    return Points(*(table[name].chunk(0).to_numpy() for name in _NUMBERS))
