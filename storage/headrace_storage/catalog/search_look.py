"""One search's look at the values of runs: from the cache where it is current, else from the catalog."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.placement import experiment_number
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.search_cache import ACTIVE, DELETED, Cached, SearchCache, run_ids
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.search.columns import (
    Column,
    Mask,
    Numbers,
    Positions,
    RunIdTexts,
    Texts,
    TextSets,
    TextTable,
    hex_digits,
)
from headrace_storage.search.evaluate import matching
from headrace_storage.search.grammar import Expression, Field, Group
from headrace_storage.search.order import RUN_ID
from headrace_storage.segments.summary import SummaryColumns

_QUERIES: Final = Queries("search")

_FEW: Final = 100
"""So many runs are read as they are; columns are for more."""

_MANY: Final = 8
"""From this part of all runs on, a look at all is quicker than one at each of some."""

_NUMBER_BYTES: Final = 10
"""Of a run in a column of numbers."""

_TEXTS: Final = {
    Group.PARAM: "parameter",
    Group.TAG: "tag",
    Group.ATTRIBUTE: "attribute",
    Group.DATASET: "dataset",
}
_SIZES: Final = {Group.PARAM: "size_of_parameter", Group.TAG: "size_of_tag", Group.DATASET: "size_of_dataset"}
"""The statements that read texts, and those that say how many bytes it will be, where that is not bounded."""

_NUMBER_OF: Final = {"last": "last_value", "min": "minimum", "max": "maximum", "first": "first_value"}
"""Where a summary has an aspect."""


class Scope(NamedTuple):
    """Which runs are looked at. No experiments: those of all."""

    experiment_ids: Sequence[str] = ()
    active: bool = True
    deleted: bool = False


class Look:
    """``connection`` is in a transaction, ``cache`` and ``unfolded`` are as of its snapshot.

    ``unfolded`` are the segments with points that are in no summary, and the positions of their runs.
    """

    def __init__(
        self,
        connection: Connection,
        summaries: Summaries,
        cache: SearchCache,
        unfolded: Sequence[tuple[int, Positions]],
        memory: int,
    ) -> None:
        self._connection = connection
        self._summaries = summaries
        self._cache = cache
        self._segments = unfolded
        self._memory = memory

    async def candidates(
        self, scope: Scope, expression: Expression, fields: set[Field]
    ) -> tuple[Positions, dict[Field, Column]]:
        """The runs that may match, and all their values of ``fields``."""
        metrics = [field for field in fields if field.group is Group.METRIC]
        positions = self._inside(scope)
        columns = {
            field: await self._other(field, positions) for field in fields if field.group is not Group.METRIC
        }
        # Metrics cost most: those of the runs that the other conditions leave.
        may = np.flatnonzero(matching(expression, columns.get, len(positions)))
        if len(may) < len(positions):
            columns = {field: column.take(may) for field, column in columns.items()}
            positions = positions[may]
        numbers = await self._metrics(metrics, positions)
        for field, column in numbers.items():
            columns[field] = column.otherwise(numbers[field.otherwise]) if field.otherwise else column
        return positions, columns

    async def unfolded_summaries(
        self, positions: Positions, keys: set[str] | None
    ) -> tuple[SummaryColumns, dict[str, int]]:
        """Summaries of the runs as they are now, and the runs' positions by id."""
        marks = np.zeros(len(self._cache), np.bool_)
        marks[positions] = True
        segments = [segment_id for segment_id, of in self._segments if marks[of].any()]
        places = dict(zip(self.hex_digits(positions), positions.tolist(), strict=True))
        return await self._summaries.within(self._connection, list(places), keys, segments), places

    def unfolded_among(self, positions: Positions) -> Positions:
        """Those of the runs that have points in no summary."""
        marks = np.zeros(len(self._cache), np.bool_)
        for _, of in self._segments:
            marks[of] = True
        return positions[marks[positions]]

    def hex_digits(self, positions: Positions) -> list[str]:
        """The ids of runs."""
        return hex_digits(self._cache.runs.run_id[positions])

    def _inside(self, scope: Scope) -> Positions:
        runs = self._cache.runs
        inside: Mask = np.zeros(len(self._cache), np.bool_)
        for wanted, stage in ((scope.active, ACTIVE), (scope.deleted, DELETED)):
            if wanted:
                inside |= runs.stage == stage
        if scope.experiment_ids:
            numbers = {experiment_number(experiment_id) for experiment_id in scope.experiment_ids}
            inside &= np.isin(runs.experiment_id, [number for number in numbers if number is not None])
        return np.flatnonzero(inside)

    async def _other(self, field: Field, positions: Positions) -> Column:
        """A field that is no metric."""
        runs = self._cache.runs
        if field == RUN_ID:
            return RunIdTexts(runs.run_id[positions])
        if not field.is_number:
            return await self._texts(field, positions)
        times = (runs.start_time if field.key == "start_time" else runs.end_time)[positions]
        return Numbers(times.astype(np.float64), times >= 0)

    async def _texts(self, field: Field, positions: Positions) -> Column:
        cached = self._cache.column(field)
        if cached is None:
            kind = TextSets if field.group is Group.DATASET else Texts
            cached = Cached(len(self._cache), TextTable(), kind)
            if len(positions) <= _FEW:
                await self._read_texts(cached, field, positions)
                return cached.at(positions)
            if field.group in _SIZES:
                size = await self._connection.fetchval(_QUERIES[_SIZES[field.group]], field.key)
                self._check(int(size), f"the values of {field.group} {field.key!r}")
            await self._read_texts(cached, field, None)
            self._cache.keep(field, cached)
        elif len(stale := positions[cached.stale_among(positions)]):
            await self._read_texts(cached, field, self._some(stale))
        return cached.at(positions)

    async def _read_texts(self, column: Cached, field: Field, positions: Positions | None) -> None:
        """Reads the texts of runs, or of all, into a column."""
        ids = None if positions is None else self.hex_digits(positions)
        rows = await self._connection.fetch(_QUERIES[_TEXTS[field.group]], ids, field.key)
        column.clear(slice(None) if positions is None else positions)
        for text, of in rows:
            column.set_text(self._cache.find(run_ids(of))[0], text)

    async def _metrics(self, fields: Sequence[Field], positions: Positions) -> dict[Field, Numbers]:
        """Metrics of the runs, with what is committed and not folded."""
        if not fields:
            return {}
        if len(positions) <= _FEW:
            fresh = positions
            missing = np.zeros(len(positions), np.bool_)
            columns = {field: Numbers(np.zeros(len(positions)), missing.copy()) for field in fields}
        else:
            fresh = self.unfolded_among(positions)
            cached = await self._current_metrics(fields, positions)
            columns = {
                field: Numbers(column.values[positions], column.present[positions])
                for field, column in cached.items()
            }
        if len(fresh):
            await self._overlay(columns, positions, fresh)
        return columns

    async def _current_metrics(self, fields: Sequence[Field], positions: Positions) -> dict[Field, Cached]:
        """Columns in which these runs are up to date. What is not is read in one go."""
        columns = {field: column for field in fields if (column := self._cache.column(field))}
        stale = np.zeros(len(positions), np.bool_)
        for column in columns.values():
            stale |= column.stale_among(positions)
        if stale.any():
            await self._read_metrics(columns, self._some(positions[stale]))
        new = {field: Cached(len(self._cache), None) for field in fields if field not in columns}
        if new:
            self._check(_NUMBER_BYTES * len(self._cache) * len(fields), f"{len(fields)} metrics of all runs")
            await self._read_metrics(new, None)
            for field, column in new.items():
                self._cache.keep(field, column)
        return columns | new

    async def _read_metrics(self, columns: Mapping[Field, Cached], positions: Positions | None) -> None:
        """Reads metrics of runs, or of all, into columns."""
        ids = None if positions is None else self.hex_digits(positions)
        keys = list({field.key for field in columns})
        more = any(field.aspect != "last" for field in columns)
        rows = await self._connection.fetch(_QUERIES["metrics"], ids, keys, more)
        for column in columns.values():
            column.clear(slice(None) if positions is None else positions)
        for row in rows:
            found, known = self._cache.find(run_ids(row["run_ids"]))
            for field, column in columns.items():
                if field.key == row["key"]:
                    column.set_numbers(found, np.frombuffer(row[field.aspect], ">f8")[known])

    async def _overlay(
        self, columns: Mapping[Field, Numbers], positions: Positions, fresh: Positions
    ) -> None:
        """Put the values of the runs ``fresh``, which are among ``positions``, as they are now."""
        summaries, runs = await self.unfolded_summaries(fresh, {field.key for field in columns})
        places = np.full(len(self._cache), -1, np.intp)
        places[positions] = np.arange(len(positions))
        of_key = defaultdict(list)
        for field, column in columns.items():
            column.present[places[fresh]] = False
            of_key[field.key].append((_NUMBER_OF[field.aspect], column))
        for (run_id, key), numbers in zip(summaries.keys, summaries.numbers, strict=True):
            place = places[runs[run_id]]
            for name, column in of_key[key]:
                column.values[place] = numbers[name]
                column.present[place] = True

    def _some(self, positions: Positions) -> Positions | None:
        """The runs to read, or ``None``: where they are many, all of them are read in less time."""
        return positions if len(positions) <= len(self._cache) // _MANY else None

    def _check(self, size: int, what: str) -> None:
        if size > self._memory:
            raise InvalidArgumentError(
                "filter_string or order_by",
                f"needs {what}, {size:,} bytes, and the bound is {self._memory:,} "
                "(HEADRACE_MAX_SEARCH of the daemon); name fewer, or experiments with fewer runs",
            )
