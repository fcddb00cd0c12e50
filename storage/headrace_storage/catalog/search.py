"""Searching runs: exact at all times, and quick over many runs.

What conditions and orders look at is kept in memory as columns (``search_cache.py``). Each search takes one
snapshot of the catalog, learns from ``touched`` which runs changed since the snapshot of the search before,
and reads those again, and only the columns that it needs (``search_look.py``). Points that are committed and
not folded yet are in no summary: they are added for the runs that have some. So a search sees exactly what
was committed when it began, and its cost is that of what changed, of a look at an array for each condition,
and of the page's runs (``search_page.py``).

Filters never become SQL. The statements are constant, keys and ids are their parameters.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.search_cache import RUNS, RunColumns, RunIds, SearchCache, run_ids
from headrace_storage.catalog.search_look import Look, Scope
from headrace_storage.catalog.search_page import FoundRun, read_page
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.search.columns import Column, Positions, hex_digits
from headrace_storage.search.evaluate import fields_of, matching
from headrace_storage.search.grammar import Expression, Field, Order, parse_filter, parse_orders
from headrace_storage.search.order import After, Sorting, after_key, after_of, complete, first_of
from headrace_storage.segments.read import replanning

_QUERIES: Final = Queries("search")

_PRUNE_AFTER: Final = 300.0
"""Seconds; a cache that is older is made anew."""

_MANY: Final = 20_000
"""So many runs are looked at in a thread, which leaves the loop to others."""


class Query(NamedTuple):
    """What is searched for."""

    scope: Scope = Scope()
    filter: str = ""
    order_by: Sequence[str] = ()
    limit: int = 1000
    page_token: str = ""


class _Plan(NamedTuple):
    """A query, understood."""

    scope: Scope
    filter: Expression
    orders: Sequence[Order]
    after: After | None
    limit: int

    def fields(self) -> set[Field]:
        """All fields whose values are needed."""
        named = {*fields_of(self.filter), *(order.field for order in self.orders)}
        return named | {field.otherwise for field in named if field.otherwise}


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
        plan = _understood(query)
        async with self._lock:
            return await replanning(partial(self._find, plan))

    async def _find(self, plan: _Plan) -> tuple[list[FoundRun], str]:
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            cache, unfolded = await _current(connection, self._cache)
            self._cache = cache
            look = Look(connection, self._summaries, cache, unfolded, self._memory)
            try:
                positions, columns = await look.candidates(plan.scope, plan.filter, plan.fields())
                ids = cache.runs.run_id[positions]
                if len(positions) < _MANY:
                    chosen = _page(plan, ids, columns)
                else:
                    chosen = await asyncio.to_thread(_page, plan, ids, columns)
                found = await read_page(connection, look, positions[chosen[: plan.limit]])
            finally:
                cache.shrink(self._memory)
        if len(found) == len(chosen):
            return found, ""
        last = int(chosen[len(found) - 1])
        places = [columns[order.field].place(last) for order in plan.orders]
        after = After(places, bytes.fromhex(found[-1].run.run_id))
        return found, page_token(after_key(plan.orders, after))


async def prune_touched(database: Database) -> None:
    """Forget what changed long ago. By one daemon at a time."""
    async with database.acquire() as connection:
        await connection.execute(_QUERIES["prune"], _PRUNE_AFTER)


def _understood(query: Query) -> _Plan:
    orders = complete(parse_orders(query.order_by))
    after = None
    if query.page_token:
        after = after_of(orders, page_key(query.page_token, [int, str, *[str] * len(orders)]))
    return _Plan(query.scope, parse_filter(query.filter), orders, after, query.limit)


async def _current(
    connection: Connection, known: SearchCache | None
) -> tuple[SearchCache, list[tuple[int, Positions]]]:
    """The cache as of the transaction's snapshot: ``known``, brought up to date, or a new one.

    With it the segments that are not folded, each with the positions of its runs.
    """
    snapshot = None if known is None else known.snapshot  # one that knows no runs counts as well
    news, *rest = await connection.fetch(_QUERIES["news"], snapshot)
    touched = {row["number"]: run_ids(row["run_ids"]) for row in rest if row["kind"] == 1}
    if known is None or known.identity != news["identity"] or news["incomplete"]:
        cache = SearchCache(news["identity"])
        cache.put_runs(await _runs(connection, None))
    else:
        cache = known
        changed = await _runs(connection, touched[RUNS]) if RUNS in touched else None
        # Nothing here waits: the cache is either that of the snapshot before or that of this one.
        for what, ids in touched.items():
            cache.touch(what, ids)
        if changed is not None:
            cache.put_runs(changed)
    cache.snapshot = news["snapshot"]
    unfolded = [(row["number"], cache.find(run_ids(row["run_ids"]))[0]) for row in rest if row["kind"] == 2]
    return cache, unfolded


async def _runs(connection: Connection, ids: RunIds | None) -> RunColumns:
    row = await connection.fetchrow(_QUERIES["runs"], None if ids is None else hex_digits(ids))
    experiments, starts, ends = (
        np.frombuffer(row[name] or b"", ">i8").astype(np.int64)
        for name in ("experiment_id", "start_time", "end_time")
    )
    stages = np.frombuffer(row["stage"] or b"", np.int8)
    return RunColumns(run_ids(row["run_id"]), experiments, starts, ends, stages)


def _page(plan: _Plan, ids: RunIds, columns: Mapping[Field, Column]) -> Positions:
    """Which of the candidates are on the page, and the one after it, as positions among them."""
    matched = np.flatnonzero(matching(plan.filter, columns.__getitem__, len(ids)))
    sortings = [Sorting(order, columns[order.field].take(matched)) for order in plan.orders]
    return matched[first_of(sortings, ids[matched], plan.after, plan.limit + 1)]
