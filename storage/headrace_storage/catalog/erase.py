"""Erases what was deleted, for good: ``headrace gc``.

Of a run only its id stays, so that points and changes which journals still deliver make no new run. Files
that hold nothing but points of erased runs go to the collector. Those that other runs share are written anew
by the compactor; meanwhile nobody reads these points. Logged models go with the run that made them, unless a
registered model is made of them.
"""

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.placement import experiment_number
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import InvalidArgumentError

_QUERIES: Final = Queries("erase")


class Deleted(NamedTuple):
    """Which deleted runs and experiments: all, or these runs and those in these experiments.

    ``before``: only what was deleted before that time, in ms; 0: any. ``most_runs`` at once.
    """

    run_ids: Collection[str] = ()
    experiment_ids: Collection[str] = ()
    before: int = 0
    most_runs: int = 1000


class Erased(NamedTuple):
    """What was erased. ``more``: there are more runs than were asked for at once."""

    run_ids: list[str]
    experiment_ids: list[str]
    more: bool


class Eraser:
    """Erases runs and experiments of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase(self, deleted: Deleted, *, dry_run: bool = False) -> Erased:
        """Erases deleted runs and the deleted experiments that are empty then, or says which it would.

        Raises:
            InvalidArgumentError: an id that cannot be one.
        """
        runs = [_uuid(run_id) for run_id in deleted.run_ids]
        experiments = [_number(experiment_id) for experiment_id in deleted.experiment_ids]
        named = runs, experiments, deleted.before

        async def work(connection: Connection) -> Erased:
            rows = await connection.fetch(_QUERIES["victims"], *named, deleted.most_runs + 1)
            victims = [row["run_id"] for row in rows[: deleted.most_runs]]
            found = await connection.fetch(_QUERIES["empty_experiments"], *named, victims)
            empty = [row["experiment_id"] for row in found]
            if not dry_run:
                # Experiments before runs: the order of locks.
                empty = [row[0] for row in await connection.fetch(_QUERIES["lock_experiments"], empty)]
                victims = [row[0] for row in await connection.fetch(_QUERIES["lock_runs"], victims)]
                # Now that no fork of them can be made any more.
                victims = [row[0] for row in await connection.fetch(_QUERIES["without_forks"], victims)]
                await _erase(connection, victims)
                await connection.execute(_QUERIES["erase_models"], victims, empty)
                await connection.execute(_QUERIES["erase_experiments"], empty)
            more = len(rows) > deleted.most_runs
            return Erased([run_id.hex for run_id in victims], [str(number) for number in empty], more)

        return await self._database.retrying(work)

    async def with_files(self, most: int) -> list[tuple[UUID, str]]:
        """Erased runs whose files may be there yet, with their artifact URIs."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["erased_with_files"], most)
        return [(row["run_id"], row["artifact_uri"]) for row in rows]

    async def forget_files(self, run_ids: Collection[UUID]) -> None:
        """Their files are deleted."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["forget_files"], list(run_ids))

    async def models_with_files(self, most: int) -> list[tuple[str, str]]:
        """The artifact URIs, as ids too, of erased logged models whose files may be there yet."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["models_with_files"], most)
        return [(row["artifact_uri"], row["artifact_uri"]) for row in rows]

    async def forget_models(self, artifact_uris: Collection[str]) -> None:
        """Their files are deleted."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["forget_models"], list(artifact_uris))


async def _erase(connection: Connection, run_ids: list[UUID]) -> None:
    await connection.execute(_QUERIES["leave_tombstones"], run_ids)
    # Segments before summaries, as the fold does.
    segments: list[int] = []
    # A merge that was waited for has put points elsewhere, where only another look finds them.
    while await connection.fetchval(_QUERIES["in_segments"], run_ids):
        rows = await connection.fetch(_QUERIES["set_apart"], run_ids)
        segments += [row["segment_id"] for row in rows]
    alone = [row["segment_id"] for row in await connection.fetch(_QUERIES["without_others"], segments)]
    await connection.execute(_QUERIES["remove_segments"], alone)
    datasets = [row["dataset_id"] for row in await connection.fetch(_QUERIES["lock_datasets"], run_ids)]
    await connection.execute(_QUERIES["erase_runs"], run_ids)
    await connection.execute(_QUERIES["erase_datasets"], datasets)


def _uuid(run_id: str) -> UUID:
    try:
        return UUID(hex=run_id)
    except ValueError:
        raise InvalidArgumentError("run_ids", "holds what is not 32 hexadecimal digits") from None


def _number(experiment_id: str) -> int:
    number = experiment_number(experiment_id)
    if number is None:
        raise InvalidArgumentError("experiment_ids", "holds what is no decimal number")
    return number
