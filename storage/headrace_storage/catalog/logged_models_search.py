"""Searching logged models: MLflow's rules, and the language of runs' filters."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.logged_models import read_models
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.catalog.placement import experiment_number
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.registered import LoggedModel
from headrace_storage.search import listing
from headrace_storage.search.evaluate import fields_of
from headrace_storage.search.grammar import Expression, Field, Group

_QUERIES: Final = Queries("logged_models")

_TIMES: Final = {
    "creation_timestamp": "creation_time",
    "creation_time": "creation_time",
    "creation_timestamp_ms": "creation_time",
    "last_updated_timestamp": "last_update_time",
    "last_updated_timestamp_ms": "last_update_time",
}
KIND: Final = listing.Kind(
    "logged models",
    {name: name for name in ("name", "model_id", "model_type", "status", "source_run_id", "experiment_id")}
    | _TIMES,
    frozenset(_TIMES.values()),
    frozenset({Group.METRIC, Group.PARAM, Group.TAG}),
    frozenset({Group.METRIC}),
)
_LAST: Final = (
    listing.parse_clause(KIND, "creation_timestamp DESC"),
    listing.parse_clause(KIND, "model_id ASC"),
)

_MOST_POINTS: Final = 100_000
"""That the models of a page have: each is 100 bytes of a message or more."""

OnDataset = tuple[str, str]
"""Name and digest of a dataset; an empty digest is any."""


class ModelOrder(NamedTuple):
    """A clause of an order: an attribute, or a metric, maybe on a dataset."""

    field_name: str
    ascending: bool = True
    dataset: OnDataset = ("", "")


class ModelQuery(NamedTuple):
    """A search. ``experiment_ids``: ``None`` is all. With ``datasets``, only metrics on one of them count."""

    experiment_ids: Sequence[str] | None = None
    filter: str = ""
    datasets: Sequence[OnDataset] = ()
    order_by: Sequence[ModelOrder] = ()
    limit: int = 100
    page_token: str = ""


class _Values(NamedTuple):
    """What is needed of the candidates: attributes; texts by group, model, key; points by model, key."""

    attributes: Sequence[Any]
    texts: dict[tuple[Group, str, str], str]
    points: dict[tuple[str, str], list[tuple[float, OnDataset]]]
    evaluated: set[str]
    """Models that have a point on one of the query's datasets."""


class ModelSearch:
    """Searches the logged models of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, query: ModelQuery) -> tuple[list[LoggedModel], str]:
        """A page of the models that match, and the token of the next one ("": none).

        It may be shorter than was asked for.

        Raises:
            InvalidArgumentError: the filter, the order, a dataset or the token is none.
        """
        if not all(name for name, _ in query.datasets):
            raise InvalidArgumentError("datasets", "name a dataset without dataset_name")
        expression = listing.parse_filter(KIND, query.filter)
        clauses = listing.completed([_clause(order) for order in query.order_by], _LAST)
        place = None
        if query.page_token:
            place = listing.place_of(clauses, page_key(query.page_token, listing.TOKEN_TYPES))
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            values = await _read(connection, query, expression, clauses)

            def choose() -> list[Any]:
                found = [
                    row for row in values.attributes if _matches(row, expression, query.datasets, values)
                ]
                return listing.page(
                    found, clauses, lambda row, clause: _place(row, clause, values), place, query.limit + 1
                )

            chosen = await asyncio.to_thread(choose)  # there may be very many
            on_page = await _fitting(connection, chosen[: query.limit])
            models = await read_models(connection, [row["model_id"] for row in on_page])
        if len(on_page) == len(chosen):
            return models, ""
        ends = [_place(on_page[-1], clause, values) for clause in clauses]
        return models, page_token(listing.token_key(clauses, ends))


async def _fitting(connection: Connection, rows: Sequence[Any]) -> Sequence[Any]:
    """The first models, as many as fit on a page with all of their points; one at least."""
    counts = dict(await connection.fetch(_QUERIES["points_of_models"], [row["model_id"] for row in rows]))
    sums = accumulate(counts.get(row["model_id"], 0) for row in rows)
    return rows[: max(1, sum(total <= _MOST_POINTS for total in sums))]


def _clause(order: ModelOrder) -> listing.Clause:
    name = order.field_name
    if name.startswith("metrics.") and "`" not in name and '"' not in name:
        name = f"metrics.`{name.removeprefix('metrics.')}`"
    return listing.parse_clause(KIND, name)._replace(ascending=order.ascending, dataset=order.dataset)


async def _read(
    connection: Connection, query: ModelQuery, expression: Expression, clauses: Sequence[listing.Clause]
) -> _Values:
    numbers = None
    if query.experiment_ids is not None:
        found = map(experiment_number, query.experiment_ids)
        numbers = [number for number in found if number is not None]
    fields = {*fields_of(expression), *(clause.field for clause in clauses)}
    keys = {group: [field.key for field in fields if field.group is group] for group in KIND.groups}
    attributes = await connection.fetch(_QUERIES["candidates"], numbers)
    texts: Sequence[Any] = ()
    points: Sequence[Any] = ()
    if keys[Group.PARAM] or keys[Group.TAG]:
        statement = _QUERIES["texts_of_candidates"]
        texts = await connection.fetch(statement, numbers, keys[Group.PARAM], keys[Group.TAG])
    if keys[Group.METRIC] or query.datasets:
        statement = _QUERIES["metrics_of_candidates"]
        points = await connection.fetch(statement, numbers, keys[Group.METRIC], bool(query.datasets))
    return await asyncio.to_thread(_values, attributes, texts, points, query.datasets)


def _values(
    attributes: Sequence[Any],
    text_rows: Sequence[Any],
    point_rows: Sequence[Any],
    datasets: Sequence[OnDataset],
) -> _Values:
    texts, points, evaluated = {}, defaultdict(list), set()
    for kind, model_id, key, value in text_rows:
        texts[Group.PARAM if kind == 1 else Group.TAG, model_id, key] = value
    for model_id, key, value, *dataset in point_rows:
        points[model_id, key].append((value, (dataset[0], dataset[1])))
        if _is_on((dataset[0], dataset[1]), datasets):
            evaluated.add(model_id)
    return _Values(attributes, texts, points, evaluated)


def _matches(row: Any, expression: Expression, datasets: Sequence[OnDataset], values: _Values) -> bool:
    model_id = row["model_id"]
    if datasets and model_id not in values.evaluated:
        return False

    def of(field: Field) -> Sequence[Any]:
        if field.group is Group.METRIC:
            points = values.points.get((model_id, field.key), ())
            return [value for value, dataset in points if not datasets or _is_on(dataset, datasets)]
        if field.group is Group.ATTRIBUTE:
            found = _attribute(row, field.key)
        else:
            found = values.texts.get((field.group, model_id, field.key))
        return () if found is None else (found,)

    return listing.matches(expression, of)


def _place(row: Any, clause: listing.Clause, values: _Values) -> Any:
    if clause.field.group is Group.ATTRIBUTE:
        return _attribute(row, clause.field.key)
    points = values.points.get((row["model_id"], clause.field.key), ())
    wanted = [clause.dataset] if clause.dataset[0] else []
    return next((value for value, dataset in points if not wanted or _is_on(dataset, wanted)), None)


def _attribute(row: Any, key: str) -> Any:
    value = row[key]
    if key == "source_run_id":
        return value and value.hex
    return str(value) if key == "experiment_id" else value or None


def _is_on(dataset: OnDataset, wanted: Sequence[OnDataset]) -> bool:
    return any(dataset[0] == name and digest in ("", dataset[1]) for name, digest in wanted)
