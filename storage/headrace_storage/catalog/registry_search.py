"""Searching registered models and their versions: MLflow's rules, and the language of runs' filters."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from headrace_storage.catalog.database import Database
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.registry import read_registered, read_versions
from headrace_storage.registered import ModelVersion, RegisteredModel
from headrace_storage.search import listing
from headrace_storage.search.evaluate import fields_of
from headrace_storage.search.grammar import Expression, Field, Group

_QUERIES: Final = Queries("registry")

_TIMES: Final = {
    "creation_timestamp": "creation_time",
    "last_updated_timestamp": "last_update_time",
    "timestamp": "last_update_time",
}
_TAGS: Final = frozenset({Group.TAG})
MODELS: Final = listing.Kind(
    "registered models", {"name": "name", **_TIMES}, frozenset(_TIMES.values()), _TAGS
)
VERSIONS: Final = listing.Kind(
    "model versions",
    {
        "name": "name",
        "version_number": "version",
        "version": "version",
        "run_id": "run_id",
        "source_path": "source",
        "source": "source",
        **_TIMES,
    },
    frozenset({"version", *_TIMES.values()}),
    _TAGS,
)
_LAST_OF_MODELS: Final = (listing.parse_clause(MODELS, "name ASC"),)
_LAST_OF_VERSIONS: Final = (
    listing.parse_clause(VERSIONS, "last_updated_timestamp DESC"),
    listing.parse_clause(VERSIONS, "name ASC"),
    listing.parse_clause(VERSIONS, "version_number DESC"),
)


_PROMPT: Final = "mlflow.prompt.is_prompt"
"""The tag of what is no model: only who asks for it finds it. A model without it counts as ``false``, which
is what MLflow's clients ask for."""


class RegistryQuery(NamedTuple):
    """A search, and which page of it."""

    filter: str = ""
    order_by: Sequence[str] = ()
    limit: int = 100
    page_token: str = ""


class _Plan(NamedTuple):
    filter: Expression
    clauses: Sequence[listing.Clause]
    place: Sequence[Any] | None
    limit: int

    def keys(self) -> list[str]:
        """The keys of tags that it looks at."""
        return [field.key for field in fields_of(self.filter) if field.group is Group.TAG] + [_PROMPT]

    def chosen(self, rows: Sequence[Any], tag: Callable[[Any, str], str | None]) -> list[Any]:
        """The rows of the page, and one more if there is one."""
        asked = _PROMPT in self.keys()[:-1]

        def holds(row: Any) -> bool:
            prompt = tag(row, _PROMPT) or "false"
            if prompt == "true" and not asked:
                return False

            def of(field: Field) -> Sequence[Any]:
                if field.group is not Group.TAG:
                    value = row[field.key]
                else:
                    value = prompt if field.key == _PROMPT else tag(row, field.key)
                return () if value is None else (value,)

            return listing.matches(self.filter, of)

        found = [row for row in rows if holds(row)]
        return listing.page(found, self.clauses, _place, self.place, self.limit + 1)

    def token(self, chosen: Sequence[Any]) -> str:
        """The token of the page after this one."""
        if len(chosen) <= self.limit:
            return ""
        ends = [_place(chosen[self.limit - 1], clause) for clause in self.clauses]
        return page_token(listing.token_key(self.clauses, ends))


class RegistrySearch:
    """Searches the model registry of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def models(self, query: RegistryQuery) -> tuple[list[RegisteredModel], str]:
        """A page of the registered models that match, and the token of the next one ("": none).

        Raises:
            InvalidArgumentError: the filter, the order or the token is none.
        """
        plan = _plan(MODELS, query, _LAST_OF_MODELS)
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            tags = {
                (name, key): value
                for name, key, value in await connection.fetch(_QUERIES["tags_with_keys"], plan.keys())
            }
            rows = await connection.fetch(_QUERIES["names_of_models"])
            chosen = await asyncio.to_thread(plan.chosen, rows, lambda row, key: tags.get((row["name"], key)))
            names = [row["name"] for row in chosen[: query.limit]]
            return await read_registered(connection, names), plan.token(chosen)

    async def versions(self, query: RegistryQuery) -> tuple[list[ModelVersion], str]:
        """A page of the versions that match, and the token of the next one. Raises as :meth:`models` does."""
        plan = _plan(VERSIONS, query, _LAST_OF_VERSIONS)
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            statement = _QUERIES["tags_of_versions_with_keys"]
            tags = {
                (name, version, key): value
                for name, version, key, value in await connection.fetch(statement, plan.keys())
            }
            rows = await connection.fetch(_QUERIES["attributes_of_versions"])
            chosen = await asyncio.to_thread(
                plan.chosen, rows, lambda row, key: tags.get((row["name"], row["version"], key))
            )
            keys = [(row["name"], row["version"]) for row in chosen[: query.limit]]
            return await read_versions(connection, keys), plan.token(chosen)


def _plan(kind: listing.Kind, query: RegistryQuery, last: Sequence[listing.Clause]) -> _Plan:
    clauses = listing.parse_clauses(kind, query.order_by, last)
    place = None
    if query.page_token:
        place = listing.place_of(clauses, page_key(query.page_token, listing.TOKEN_TYPES))
    return _Plan(listing.parse_filter(kind, query.filter), clauses, place, query.limit)


def _place(row: Any, clause: listing.Clause) -> Any:
    return row[clause.field.key]
