"""The runs of a catalog as columns in memory, as of one snapshot. No I/O: ``search.py`` fills it.

Arrays are parallel: position i is the same run everywhere, in the order in which runs were met. A column
knows of each run whether its value is current; what changed is read again when it is next needed.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace_storage.search.columns import Column, Mask, Numbers, Positions, Texts, TextTable
from headrace_storage.search.grammar import Field, Group

RunIds = NDArray[np.bytes_]
"""Run ids as 16 bytes each, which sort as their hexadecimal digits do."""

GONE: Final = 0
ACTIVE: Final = 1
DELETED: Final = 2

RUNS: Final = 1
TOUCHED: Final = {Group.ATTRIBUTE: RUNS, Group.PARAM: 2, Group.TAG: 4, Group.METRIC: 8, Group.DATASET: 16}
"""The numbers of ``touched.what``."""


class RunColumns(NamedTuple):
    """What is known of all runs. ``end_time`` is -1 where there is none."""

    run_id: RunIds
    experiment_id: NDArray[np.int64]
    start_time: NDArray[np.int64]
    end_time: NDArray[np.int64]
    stage: NDArray[np.int8]


_NO_TIMES: Final = np.empty(0, np.int64)
NO_RUNS: Final = RunColumns(np.empty(0, "S16"), _NO_TIMES, _NO_TIMES, _NO_TIMES, np.empty(0, np.int8))


def run_ids(data: bytes | None) -> RunIds:
    """Ids that came one after the other."""
    return np.frombuffer(data or b"", "S16")


class Cached:
    """A column of the cache: its values, and which of them are to be read again."""

    def __init__(self, count: int, table: TextTable | None, texts: type[Texts] = Texts) -> None:
        self._texts = texts
        self.values = np.zeros(0)
        self.codes = np.zeros(0, np.int32)
        self.present = np.zeros(0, np.bool_)
        self.stale = np.zeros(0, np.bool_)
        self.table = table
        self.used = 0
        self.extend(count)
        self.stale[:] = False

    def extend(self, count: int) -> None:
        """Make room for runs that are new; nothing is known of them."""
        missing = count - len(self.stale)
        if missing:
            self.stale = np.concatenate([self.stale, np.ones(missing, np.bool_)])
            if self.table is None:
                self.values = np.concatenate([self.values, np.zeros(missing)])
                self.present = np.concatenate([self.present, np.zeros(missing, np.bool_)])
            else:
                self.codes = np.concatenate([self.codes, np.full(missing, -1, np.int32)])

    def clear(self, positions: Positions | slice) -> None:
        """Forget the values there: what is not set again is missing."""
        self.stale[positions] = False
        if self.table is None:
            self.present[positions] = False
        else:
            self.codes[positions] = -1

    def set_numbers(self, positions: Positions, values: NDArray[np.float64]) -> None:
        """Values of runs."""
        self.values[positions] = values
        self.present[positions] = True

    def set_text(self, positions: Positions, text: str) -> None:
        """The text that all these runs have."""
        assert self.table is not None  # noqa: S101 - the caller knows its field
        self.codes[positions] = self.table.code(text)

    def at(self, positions: Positions) -> Column:
        """The values of these runs, in their order."""
        if self.table is None:
            return Numbers(self.values[positions], self.present[positions])
        return self._texts(self.codes[positions], self.table)

    def stale_among(self, positions: Positions) -> Mask:
        """Which of these runs are to be read again."""
        if not self.stale.any():  # nearly always, and quicker than to look for each
            return np.zeros(len(positions), np.bool_)
        return self.stale[positions]

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        arrays = sum(array.nbytes for array in (self.values, self.codes, self.present, self.stale))
        return arrays + (self.table.size if self.table else 0)


class SearchCache:
    """Everything that search knows as of ``snapshot`` of the catalog ``identity``."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.snapshot = ""
        self.runs = NO_RUNS
        self.columns: dict[Field, Cached] = {}
        self._sorted_ids = self.runs.run_id
        self._sorted_positions = np.empty(0, np.intp)
        self._uses = 0

    def __len__(self) -> int:
        return len(self.runs.run_id)

    def find(self, ids: RunIds) -> tuple[Positions, Mask]:
        """The positions of those of the runs that are known, and which of ``ids`` they are."""
        if not len(self):
            return np.empty(0, np.intp), np.zeros(len(ids), np.bool_)
        places = np.minimum(np.searchsorted(self._sorted_ids, ids), len(self) - 1)
        known = self._sorted_ids[places] == ids
        return self._sorted_positions[places[known]], np.asarray(known, np.bool_)

    def put_runs(self, found: RunColumns) -> None:
        """Take over what was read of some runs, known ones or new."""
        positions, known = self.find(found.run_id)
        new = np.flatnonzero(~known)
        runs: Any = []
        arrays: Iterable[tuple[NDArray[Any], NDArray[Any]]] = zip(self.runs, found, strict=True)
        for mine, theirs in arrays:
            mine[positions] = theirs[known]
            runs.append(np.concatenate([mine, theirs[new]]) if len(new) else mine)
        self.runs = RunColumns(*runs)
        ids = found.run_id[new]
        order = np.argsort(ids)
        places = np.searchsorted(self._sorted_ids, ids[order])
        before = len(self._sorted_ids)
        self._sorted_ids = np.insert(self._sorted_ids, places, ids[order])
        self._sorted_positions = np.insert(self._sorted_positions, places, before + order)

    def touch(self, what: int, ids: RunIds) -> None:
        """What is known of these runs is out of date."""
        positions, _ = self.find(ids)
        if what == RUNS:
            # Those that are still there are put again.
            self.runs.stage[positions] = GONE
        for field, column in self.columns.items():
            if TOUCHED[field.group] == what:
                column.stale[positions[positions < len(column.stale)]] = True

    def column(self, field: Field) -> Cached | None:
        """The column of a field, with room for all runs, if it is known."""
        column = self.columns.get(field)
        if column is not None:
            self._uses += 1
            column.used = self._uses
            column.extend(len(self))
        return column

    def keep(self, field: Field, column: Cached) -> None:
        """Take over the column of a field."""
        self.columns[field] = column
        self._uses += 1
        column.used = self._uses

    def shrink(self, bound: int) -> None:
        """Forget the columns that were not used for longest, until the others take ``bound`` bytes."""
        sizes = {field: column.size for field, column in self._oldest_first()}
        total = sum(sizes.values())
        for field, size in sizes.items():
            if total <= bound:
                return
            del self.columns[field]
            total -= size

    def _oldest_first(self) -> Iterator[tuple[Field, Cached]]:
        yield from sorted(self.columns.items(), key=lambda item: item[1].used)
