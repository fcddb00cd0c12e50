"""Experiments for the tracking service: made, read, searched, changed, deleted and restored."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import asyncpg

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.catalog.placement import experiment_number
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, PageTokenError
from headrace_storage.model import Experiment
from headrace_storage.search import experiments as search
from headrace_storage.search import listing

_QUERIES: Final = Queries("experiments")

_LARGEST: Final = 2**62

ACTIVE: Final = "active"
DELETED: Final = "deleted"


class ExperimentQuery(NamedTuple):
    """A search: in which stages, for what, in which order, and which page of it."""

    stages: Collection[str] = (ACTIVE,)
    filter: str = ""
    order_by: Sequence[str] = ()
    limit: int = 1000
    page_token: str = ""


class Experiments:
    """The experiments of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        name: str,
        artifact_location: str,
        tags: Mapping[str, str],
        *,
        experiment_id: str = "",
        creation_time: int = 0,
    ) -> Experiment:
        """A new experiment; an empty ``artifact_location`` is Headrace's own store.

        ``experiment_id`` and ``creation_time`` (ms since the epoch): of one that comes from elsewhere.

        Raises:
            AlreadyExistsError: the name is taken, maybe by a deleted experiment, or the id.
            InvalidArgumentError: a value that the database cannot hold.
        """
        wanted = experiment_number(experiment_id)
        if experiment_id and not wanted:
            problem = f"is {experiment_id[:50]!r}; expected a decimal number of at most 18 digits, above 0"
            raise InvalidArgumentError("experiment_id", problem)
        described = [name, artifact_location, creation_time or None]
        how = "create_with_id" if wanted else "create_experiment"

        async def work(connection: Connection) -> Experiment | None:
            if wanted:
                await connection.execute(_QUERIES["hold_ids"])
            number = await connection.fetchval(_QUERIES[how], *described, *([wanted] if wanted else []))
            if number is None:
                if wanted and await connection.fetchrow(_QUERIES["experiment_by_id"], wanted):
                    raise AlreadyExistsError("experiment", experiment_id)
                return None
            await connection.execute(_QUERIES["set_tags"], number, list(tags), list(tags.values()))
            return _experiment(await connection.fetchrow(_QUERIES["experiment_by_id"], number))

        return await self._database.retrying(work) or await self._name_is_taken(name)

    async def get(self, experiment_id: str) -> Experiment:
        """The experiment, deleted or not.

        Raises:
            NotFoundError: there is none.
        """
        async with self._database.acquire() as connection:
            return await experiment_by_id(connection, experiment_id)

    async def get_by_name(self, name: str) -> Experiment:
        """As :meth:`get`, by name."""
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_QUERIES["experiment_by_name"], name)
        if row is None:
            raise NotFoundError("experiment", name)
        return _experiment(row)

    async def search(self, query: ExperimentQuery) -> tuple[list[Experiment], str]:
        """A page of the experiments that match, and the token of the next one ("": none).

        Raises:
            InvalidArgumentError: the filter, the order or the token is none.
        """
        expression = listing.parse_filter(search.KIND, query.filter)
        orders = search.parse_orders(query.order_by)
        after = None
        if query.page_token:
            after = listing.place_of(orders, page_key(query.page_token, listing.TOKEN_TYPES))
        stages = list(query.stages)
        if query.filter or query.order_by:
            async with self._database.acquire() as connection:
                rows = await connection.fetch(_QUERIES["all_experiments"], stages)
            found = search.select(expression, [_experiment(row) for row in rows])
            found = listing.page(found, orders, search.place, after, query.limit + 1)
        else:
            found = await self._newest(stages, after or [_LARGEST, -_LARGEST], query.limit + 1)
        if len(found) <= query.limit:
            return found, ""
        found = found[: query.limit]
        ends = [search.place(found[-1], clause) for clause in orders]
        return found, page_token(listing.token_key(orders, ends))

    async def _newest(self, stages: list[str], end: Sequence[Any], limit: int) -> list[Experiment]:
        if any(type(part) is not int or abs(part) > _LARGEST for part in end):
            raise PageTokenError
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["newest_experiments"], stages, *end, limit)
        return [_experiment(row) for row in rows]

    async def rename(self, experiment_id: str, name: str) -> Experiment:
        """Gives an experiment another name.

        Raises:
            NotFoundError: there is none.
            InvalidArgumentError: it is deleted.
            AlreadyExistsError: the name is taken.
        """

        async def work(connection: Connection) -> Experiment | None:
            number = await _lock_active(connection, experiment_id)
            try:
                renamed = await connection.fetchval(_QUERIES["rename"], number, name)
            except asyncpg.UniqueViolationError as error:  # somebody took it at the same time
                raise AlreadyExistsError("experiment", name) from error
            return await experiment_by_id(connection, experiment_id) if renamed is not None else None

        return await self._database.retrying(work) or await self._name_is_taken(name)

    async def set_tags(self, experiment_id: str, tags: Mapping[str, str]) -> Experiment:
        """Writes tags over what they were. Raises as :meth:`rename` does."""

        async def work(connection: Connection) -> Experiment:
            number = await _lock_active(connection, experiment_id)
            await connection.execute(_QUERIES["set_tags"], number, list(tags), list(tags.values()))
            return await experiment_by_id(connection, experiment_id)

        return await self._database.retrying(work)

    async def delete_tag(self, experiment_id: str, key: str) -> Experiment:
        """Takes a tag away. Raises as :meth:`rename` does; NotFoundError also when it has no such tag."""

        async def work(connection: Connection) -> Experiment:
            number = await _lock_active(connection, experiment_id)
            if await connection.fetchval(_QUERIES["delete_tag"], number, key) is None:
                raise NotFoundError(f"tag of experiment {experiment_id}", key)
            return await experiment_by_id(connection, experiment_id)

        return await self._database.retrying(work)

    async def delete(self, experiment_id: str) -> Experiment:
        """Deletes an experiment, and the runs in it that are not deleted.

        Raises:
            NotFoundError: there is no such active experiment.
        """

        async def work(connection: Connection) -> Experiment:
            number, _ = await _lock_in_stage(connection, experiment_id, ACTIVE)
            now = await connection.fetchval(_QUERIES["now"])
            await connection.execute(_QUERIES["mark"], number, DELETED, now)
            await connection.execute(_QUERIES["delete_runs"], number, now)
            return await experiment_by_id(connection, experiment_id)

        return await self._database.retrying(work)

    async def restore(self, experiment_id: str) -> Experiment:
        """Restores an experiment, and the runs that were deleted with it.

        Raises:
            NotFoundError: there is no such deleted experiment.
        """

        async def work(connection: Connection) -> Experiment:
            number, deleted_at = await _lock_in_stage(connection, experiment_id, DELETED)
            await connection.execute(_QUERIES["mark"], number, ACTIVE, None)
            await connection.execute(_QUERIES["restore_runs"], number, deleted_at)
            return await experiment_by_id(connection, experiment_id)

        return await self._database.retrying(work)

    async def _name_is_taken(self, name: str) -> Experiment:
        taken = await self.get_by_name(name)
        raise AlreadyExistsError("experiment", name, "it is deleted" * (taken.lifecycle_stage == DELETED))


async def experiment_by_id(connection: Connection, experiment_id: str) -> Experiment:
    """The experiment, deleted or not; NotFoundError when there is none."""
    row = await connection.fetchrow(_QUERIES["experiment_by_id"], experiment_number(experiment_id))
    if row is None:
        raise NotFoundError("experiment", experiment_id)
    return _experiment(row)


async def _lock(connection: Connection, experiment_id: str) -> tuple[int, str, int | None]:
    number = experiment_number(experiment_id)
    row = await connection.fetchrow(_QUERIES["lock_experiment"], number)
    if number is None or row is None:
        raise NotFoundError("experiment", experiment_id)
    return number, row["lifecycle_stage"], row["deleted_at"]


async def _lock_active(connection: Connection, experiment_id: str) -> int:
    number, stage, _ = await _lock(connection, experiment_id)
    if stage != ACTIVE:
        raise InvalidArgumentError(
            "experiment_id", f"names the deleted experiment {number}; restore it first"
        )
    return number


async def _lock_in_stage(connection: Connection, experiment_id: str, expected: str) -> tuple[int, int | None]:
    number, stage, deleted_at = await _lock(connection, experiment_id)
    if stage != expected:
        raise NotFoundError(f"{expected} experiment", experiment_id)
    return number, deleted_at


def _experiment(row: Any) -> Experiment:
    return Experiment(
        experiment_id=str(row["experiment_id"]),
        name=row["name"],
        artifact_location=row["artifact_location"],
        lifecycle_stage=row["lifecycle_stage"],
        creation_time=row["creation_time"],
        last_update_time=row["last_update_time"],
        tags=json.loads(row["tags"]),
    )
