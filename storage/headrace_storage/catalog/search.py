"""Searching runs: exact at all times, and quick over many runs.

What conditions and orders look at is kept in memory as columns (``search_cache.py``). Each search takes one
snapshot of the catalog, learns from ``touched`` which runs changed since the snapshot of the search before,
and reads those again, and only the columns that it needs. Points that are committed and not folded yet are
in no summary: they are added for the runs that have some. So a search sees exactly what was committed when
it began, and its cost is that of what changed, and of a look at an array for each condition.

Filters never become SQL. The statements are constant, keys and ids are their parameters.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.catalog.placement import experiment_number
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.runs import run_of
from headrace_storage.catalog.search_cache import (
    ACTIVE,
    DELETED,
    RUNS,
    Cached,
    RunColumns,
    RunIds,
    SearchCache,
    run_ids,
)
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.model import Run
from headrace_storage.search.columns import (
    Column,
    Mask,
    Numbers,
    Positions,
    RunIdTexts,
    Texts,
    TextTable,
    hex_digits,
)
from headrace_storage.search.evaluate import fields_of, matching
from headrace_storage.search.grammar import Expression, Field, Group, Order, parse_filter, parse_orders
from headrace_storage.search.order import RUN_ID, After, Sorting, after_key, after_of, complete, first_of
from headrace_storage.segments.read import replanning

_QUERIES: Final = Queries("search")

_FEW: Final = 100
"""So many runs are read as they are; columns are for more."""

_AT_ONCE: Final = 200
"""Runs of a page that are described at once."""

_MOST_WEIGHT: Final = 4_000_000
"""About the bytes of a page's runs: a page ends before what exceeds them, and has one run at least."""

_METRIC_WEIGHT: Final = 50

_PRUNE_AFTER: Final = 900.0
"""Seconds; columns that are older are made anew."""


class Query(NamedTuple):
    """What is searched for. No experiments: all."""

    filter: str = ""
    order_by: Sequence[str] = ()
    experiment_ids: Sequence[str] = ()
    active: bool = True
    deleted: bool = False
    limit: int = 1000
    page_token: str = ""


class Latest(NamedTuple):
    """The latest point of each of a run's metrics, as columns."""

    keys: Sequence[str] = ()
    values: Sequence[float] = ()
    timestamps: Sequence[int] = ()
    steps: Sequence[int] = ()


class FoundRun(NamedTuple):
    """A run with the latest point of each metric."""

    run: Run
    latest: Latest


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is searched for, understood."""

    query: Query
    filter: Expression
    orders: Sequence[Order]
    after: After | None

    def fields(self) -> set[Field]:
        """All fields whose values are needed."""
        named = {*fields_of(self.filter), *(order.field for order in self.orders)}
        return named | {field.otherwise for field in named if field.otherwise}


async def prune_touched(database: Database) -> None:
    """Forget what changed long ago. By one daemon at a time."""
    async with database.acquire() as connection:
        await connection.execute(_QUERIES["prune"], _PRUNE_AFTER)


class RunSearch:
    """Searches the runs of one catalog. ``memory``: bytes for columns; the least used give way."""

    def __init__(self, database: Database, summaries: Summaries, memory: int) -> None:
        self._database = database
        self._summaries = summaries
        self._memory = memory
        self._cache: SearchCache | None = None
        self._lock = asyncio.Lock()

    async def find(self, query: Query) -> tuple[list[FoundRun], str]:
        """A page of the runs that match, in order, and the token of the next page ("": none).

        Raises:
            FilterError: the filter or the order is none; it says where and why.
            InvalidArgumentError: the token is of another search, or memory does not suffice.
            SegmentCorruptError, SegmentMissingError: a segment that is needed is damaged.
        """
        orders = complete(parse_orders(query.order_by))
        after = None
        if query.page_token:
            key = page_key(query.page_token, [int, str, *[str] * len(orders)])
            after = after_of(orders, key)
        plan = _Plan(query, parse_filter(query.filter), orders, after)
        async with self._lock:
            return await replanning(partial(self._find, plan))

    async def _find(self, plan: _Plan) -> tuple[list[FoundRun], str]:
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            cache = self._cache = await _current(connection, self._cache)
            try:
                look = _Look(connection, self._summaries, cache, self._memory)
                await look.at_unfolded()
                positions, columns = await look.candidates(plan)
                chosen = await asyncio.to_thread(_page, plan, cache.runs.run_id[positions], columns)
                return await look.described(plan, positions, chosen, columns)
            finally:
                cache.shrink(self._memory)


async def _current(connection: Connection, known: SearchCache | None) -> SearchCache:
    """The cache as of the transaction's snapshot: ``known``, brought up to date, or a new one."""
    rows = await connection.fetch(_QUERIES["news"], known.snapshot if known else None)
    news = rows[0]
    if known is None or known.identity != news["identity"] or news["incomplete"]:
        cache = SearchCache(news["identity"], news["snapshot"])
        cache.put_runs(await _runs(connection, None))
        return cache
    touched = {row["what"]: run_ids(row["run_ids"]) for row in rows if row["what"] is not None}
    changed = await _runs(connection, touched[RUNS]) if RUNS in touched else None
    # Nothing below waits: the cache is either that of the snapshot before or that of this one.
    for what, ids in touched.items():
        known.touch(what, ids)
    if changed is not None:
        known.put_runs(changed)
    known.snapshot = news["snapshot"]
    return known


async def _runs(connection: Connection, ids: RunIds | None) -> RunColumns:
    row = await connection.fetchrow(_QUERIES["runs"], None if ids is None else hex_digits(ids))
    numbers = (
        np.frombuffer(row[name] or b"", ">i8").astype(np.int64)
        for name in ("experiment_id", "start_time", "end_time")
    )
    return RunColumns(run_ids(row["run_id"]), *numbers, np.frombuffer(row["stage"] or b"", np.int8))


def _page(plan: _Plan, ids: RunIds, columns: Mapping[Field, Column]) -> Positions:
    """Which of the candidates are on the page, and the one after it, as positions among them."""
    matched = np.flatnonzero(matching(plan.filter, columns.__getitem__, len(ids)))
    sortings = [Sorting(order, columns[order.field].take(matched)) for order in plan.orders]
    return matched[first_of(sortings, ids[matched], plan.after, plan.query.limit + 1)]


class _Look:
    """One search's look at the catalog: a transaction, and the cache as of its snapshot."""

    def __init__(self, connection: Connection, summaries: Summaries, cache: SearchCache, memory: int) -> None:
        self._connection = connection
        self._summaries = summaries
        self._cache = cache
        self._memory = memory
        self._segments: list[tuple[int, Positions]] = []

    async def at_unfolded(self) -> None:
        """Learn which segments hold points of which runs that are in no summary."""
        for segment_id, ids in await self._connection.fetch(_QUERIES["unfolded_runs"]):
            self._segments.append((segment_id, self._cache.find(run_ids(ids))[0]))

    async def candidates(self, plan: _Plan) -> tuple[Positions, dict[Field, Column]]:
        """The runs that may match, and all their values that the plan asks for."""
        fields = plan.fields()
        metrics = [field for field in fields if field.group is Group.METRIC]
        scope = self._scope(plan.query)
        others = await self._others(fields - set(metrics), scope)
        may = np.flatnonzero(matching(plan.filter, others.get, len(scope)))
        if len(may) < len(scope):
            others = {field: column.take(may) for field, column in others.items()}
            scope = scope[may]
        numbers = await self._metrics(metrics, scope)
        whole: dict[Field, Column] = {
            field: column.otherwise(numbers[field.otherwise]) if field.otherwise else column
            for field, column in numbers.items()
        }
        return scope, others | whole

    def _scope(self, query: Query) -> Positions:
        runs = self._cache.runs
        stages = [ACTIVE] * query.active + [DELETED] * query.deleted
        inside: Mask = np.isin(runs.stage, stages)
        if query.experiment_ids:
            numbers = {experiment_number(experiment_id) for experiment_id in query.experiment_ids}
            inside &= np.isin(runs.experiment_id, [number for number in numbers if number is not None])
        return np.flatnonzero(inside)

    async def _others(self, fields: set[Field], scope: Positions) -> dict[Field, Column]:
        runs = self._cache.runs
        every = np.ones(len(scope), np.bool_)
        columns: dict[Field, Column] = {}
        for field in fields:
            if field == RUN_ID:
                columns[field] = RunIdTexts(runs.run_id[scope])
            elif field.group is Group.DATASET:  # no run has one: they cannot be logged yet
                columns[field] = Texts(np.full(len(scope), -1, np.int32), TextTable())
            elif field.is_number:
                times = (runs.start_time if field.key == "start_time" else runs.end_time)[scope]
                present = every if field.key == "start_time" else times >= 0
                columns[field] = Numbers(times.astype(np.float64), present)
            else:
                columns[field] = await self._texts(field, scope)
        return columns

    async def _texts(self, field: Field, scope: Positions) -> Column:
        cached = self._cache.column(field)
        if cached is None and len(scope) <= _FEW:
            return (await self._read_texts(Cached(len(self._cache), TextTable()), field, scope)).at(scope)
        if cached is None:
            if field.group in (Group.PARAM, Group.TAG):
                size = await self._connection.fetchval(_QUERIES[f"size_of_{field.group}"], field.key)
                self._check(int(size), f"the values of {field.group} {field.key!r}")
            cached = await self._read_texts(Cached(len(self._cache), TextTable()), field, None)
            self._cache.keep(field, cached)
        elif len(stale := scope[cached.stale[scope]]):
            await self._read_texts(cached, field, stale)
        return cached.at(scope)

    async def _read_texts(self, column: Cached, field: Field, positions: Positions | None) -> Cached:
        """Reads the texts of runs, or of all, into a column."""
        rows = await self._connection.fetch(_QUERIES[str(field.group)], self._hex(positions), field.key)
        column.clear(slice(None) if positions is None else positions)
        for text, ids in rows:
            column.set_text(self._cache.find(run_ids(ids))[0], text)
        return column

    async def _metrics(self, fields: Sequence[Field], scope: Positions) -> dict[Field, Numbers]:
        """Metrics of the runs, with what is committed and not folded."""
        if not fields:
            return {}
        fresh = self._unfolded_among(scope)
        if len(scope) <= _FEW:
            columns = {
                field: Numbers(np.zeros(len(scope)), np.zeros(len(scope), np.bool_)) for field in fields
            }
            fresh = scope
        else:
            await self._refresh_metrics(fields, scope)
            columns = {field: self._cached_numbers(field, scope) for field in fields}
        if len(fresh):
            places = np.full(len(self._cache), -1, np.intp)
            places[scope] = np.arange(len(scope))
            await self._overlay(columns, places, fresh)
        return columns

    def _cached_numbers(self, field: Field, scope: Positions) -> Numbers:
        cached = self._cache.column(field)
        assert cached is not None  # noqa: S101 - _refresh_metrics made it
        return Numbers(cached.values[scope], cached.present[scope])

    async def _refresh_metrics(self, fields: Sequence[Field], scope: Positions) -> None:
        """All columns of metrics that are not there are read in one go, as are those that changed."""
        missing = [field for field in fields if self._cache.column(field) is None]
        if missing:
            self._check(10 * len(self._cache) * len(fields), f"{len(fields)} metrics of all runs")
            fetched = [Cached(len(self._cache), None) for _ in missing]
            await self._read_metrics(dict(zip(missing, fetched, strict=True)), None)
            for field, column in zip(missing, fetched, strict=True):
                self._cache.keep(field, column)
        known = {
            field: column
            for field in fields
            if field not in missing and (column := self._cache.column(field)) is not None
        }
        stale = np.zeros(len(scope), np.bool_)
        for column in known.values():
            stale |= column.stale[scope]
        if stale.any():
            await self._read_metrics(known, scope[stale])

    async def _read_metrics(self, columns: Mapping[Field, Cached], positions: Positions | None) -> None:
        keys = list({field.key for field in columns})
        more = any(field.aspect != "last" for field in columns)
        rows = await self._connection.fetch(_QUERIES["metrics"], self._hex(positions), keys, more)
        for column in columns.values():
            column.clear(slice(None) if positions is None else positions)
        for row in rows:
            found, known = self._cache.find(run_ids(row["run_ids"]))
            for field, column in columns.items():
                if field.key == row["key"]:
                    column.set_numbers(found, np.frombuffer(row[field.aspect], ">f8")[known])

    def _unfolded_among(self, scope: Positions) -> Positions:
        """Those of the runs that have points in no summary."""
        if not self._segments:
            return np.empty(0, np.intp)
        marks = np.zeros(len(self._cache), np.bool_)
        for _, positions in self._segments:
            marks[positions] = True
        return scope[marks[scope]]

    def _segments_of(self, positions: Positions) -> list[int]:
        marks = np.zeros(len(self._cache), np.bool_)
        marks[positions] = True
        return [segment_id for segment_id, of in self._segments if marks[of].any()]

    async def _overlay(self, columns: Mapping[Field, Numbers], places: Positions, fresh: Positions) -> None:
        """Put the values of ``fresh`` runs as they are now. ``places`` leads from a run to its place."""
        names = self._names(fresh)
        summaries = await self._summaries.within(
            self._connection, list(names), {field.key for field in columns}, self._segments_of(fresh)
        )
        query = defaultdict(list)
        for field, column in columns.items():
            column.present[places[fresh]] = False
            query[field.key].append((_NUMBER_OF[field.aspect], column))
        for (run_id, key), numbers in zip(summaries.keys, summaries.numbers, strict=True):
            place = places[names[run_id]]
            for name, column in query[key]:
                column.values[place] = numbers[name]
                column.present[place] = True

    async def described(
        self, plan: _Plan, positions: Positions, chosen: Positions, columns: Mapping[Field, Column]
    ) -> tuple[list[FoundRun], str]:
        """The runs of the page, as many as fit, and the token of the next page."""
        found: list[FoundRun] = []
        weight = 0
        limit = min(len(chosen), plan.query.limit)
        while len(found) < limit and weight < _MOST_WEIGHT:
            for run in await self._describe(
                positions[chosen[len(found) : min(limit, len(found) + _AT_ONCE)]]
            ):
                weight += _weight(run)
                if found and weight > _MOST_WEIGHT:
                    break
                found.append(run)
        if len(found) == len(chosen):
            return found, ""
        last = int(chosen[len(found) - 1])
        places = [columns[order.field].place(last) for order in plan.orders]
        after = After(places, bytes.fromhex(found[-1].run.run_id))
        return found, page_token(after_key(plan.orders, after))

    async def _describe(self, positions: Positions) -> list[FoundRun]:
        names = self._names(positions)
        ids = list(names)
        rows = await self._connection.fetch(_QUERIES["describe"], ids)
        runs = {run.run_id: run for run in map(run_of, rows)}
        latest = {
            row["run_id"].hex: Latest(*tuple(row)[1:])
            for row in await self._connection.fetch(_QUERIES["latest"], ids)
        }
        if len(fresh := self._unfolded_among(positions)):
            latest |= await self._latest_of(list(self._names(fresh)), self._segments_of(fresh))
        return [FoundRun(runs[run_id], latest.get(run_id, Latest())) for run_id in ids]

    async def _latest_of(self, ids: Sequence[str], segments: Sequence[int]) -> dict[str, Latest]:
        summaries = await self._summaries.within(self._connection, ids, None, segments)
        columns: dict[str, Latest] = defaultdict(lambda: Latest([], [], [], []))
        for (run_id, key), value, timestamp, step in zip(
            summaries.keys,
            *(summaries.numbers[f"last_{name}"].tolist() for name in ("value", "timestamp", "step")),
            strict=True,
        ):
            for column, one in zip(columns[run_id], (key, value, timestamp, step), strict=True):
                column.append(one)  # type: ignore[attr-defined]  # a list, see above
        return columns

    def _names(self, positions: Positions) -> dict[str, int]:
        """Run ids with their positions."""
        return dict(zip(hex_digits(self._cache.runs.run_id[positions]), positions.tolist(), strict=True))

    def _hex(self, positions: Positions | None) -> list[str] | None:
        return None if positions is None else hex_digits(self._cache.runs.run_id[positions])

    def _check(self, size: int, what: str) -> None:
        if size > self._memory:
            raise InvalidArgumentError(
                "filter_string or order_by",
                f"needs {what}, {size:,} bytes, and the bound is {self._memory:,} "
                "(HEADRACE_MAX_SEARCH of the daemon); name fewer, or experiments with fewer runs",
            )


_NUMBER_OF: Final = {"last": "last_value", "min": "minimum", "max": "maximum", "first": "first_value"}
"""Where a summary has an aspect."""


def _weight(found: FoundRun) -> int:
    texts = (text for named in (found.run.params, found.run.tags) for pair in named.items() for text in pair)
    return sum(map(len, texts)) + sum(map(len, found.latest.keys)) + _METRIC_WEIGHT * len(found.latest.keys)
