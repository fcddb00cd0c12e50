"""Runs and rejects for the tracking service: reads, and writes outside any journal."""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from headrace_storage.catalog.apply import apply_changes, lock_runs, parents_in
from headrace_storage.catalog.changes import RUN_NAME_TAG
from headrace_storage.catalog.commit import reject_of
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.experiments import ACTIVE, experiment_by_id
from headrace_storage.catalog.lineage import lineage_of
from headrace_storage.catalog.placement import place_runs
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, NotYetError
from headrace_storage.model import Change, CreateRun, Run, RunStatus, StoredReject

_QUERIES: Final = Queries("runs")

_EARLY_MS: Final = 60_000
"""For so long the creation of a run is expected after its first points."""

_NO_WRITER: Final = UUID(int=0)


class Runs:
    """The runs of a database, and what was refused of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_run(self, run_id: str | None, create: CreateRun) -> Run:
        """A new run, or the completion of a placeholder; ``None`` makes an id.

        The same request again is answered with the run that the first one made.

        Raises:
            AlreadyExistsError: the id is taken.
            NotFoundError: there is no such experiment (a name that is not there is created).
            InvalidArgumentError: the experiment is deleted, or a value that the database cannot hold.
        """
        id_ = _uuid(run_id) if run_id else uuid4()
        if id_ is None:
            raise InvalidArgumentError("run_id", "is not 32 hexadecimal digits")
        change = Change(_NO_WRITER, 0, 1, id_.hex, create)

        async def work(connection: Connection) -> Run:
            if create.experiment_id:
                await experiment_by_id(connection, create.experiment_id)
            placements = await place_runs(connection, [create])
            [placement] = placements.values()
            if placement.detour:
                raise InvalidArgumentError("experiment", f"cannot be used: {placement.detour}")
            erased = await lock_runs(connection, [change.run_id], parents_in([create]))
            for reject in await apply_changes(connection, [change], placements, erased):
                if reject.code == "RESOURCE_ALREADY_EXISTS":
                    raise AlreadyExistsError("run", change.run_id)
                raise InvalidArgumentError("value", reject.message)
            return _run(await connection.fetchrow(_QUERIES["get_run"], change.run_id))

        return await self._database.retrying(work)

    async def reachable(self) -> None:
        """CatalogUnavailableError when the database does not answer."""
        async with self._database.acquire() as connection:
            await connection.fetchval(_QUERIES["reachable"])

    async def get_run(self, run_id: str) -> Run:
        """The run with its params and tags, deleted or not; a run whose metrics came first counts.

        Raises:
            NotFoundError: there is none.
        """
        row = await self._fetchrow("get_run", _uuid(run_id))
        if row is None:
            raise NotFoundError("run", run_id)
        return _run(row)

    async def existing(self, run_ids: Sequence[str]) -> list[str]:
        """The ids as they are stored, each once and ascending, of runs that are deleted or not.

        Raises:
            NotFoundError: there is not one of them; it names the first.
        """
        ids = [_uuid(run_id) for run_id in run_ids]
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["existing"], [id_ for id_ in ids if id_ is not None])
        found = {row["run_id"] for row in rows}
        for run_id, id_ in zip(run_ids, ids, strict=True):
            if id_ not in found:
                raise NotFoundError("run", run_id)
        return sorted(id_.hex for id_ in found)

    async def artifact_uri(self, run_id: str) -> str:
        """Where the files of a run are, deleted or not.

        Raises:
            NotFoundError: there is no such run.
            NotYetError: it has points and no creation yet, which is on its way, or will never be.
        """
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_QUERIES["artifact_uri"], _uuid(run_id), _EARLY_MS)
        if row is None:
            raise NotFoundError("run", run_id)
        if row["early"]:
            raise NotYetError("run", run_id)
        uri: str = row["artifact_uri"]
        return uri

    async def delete(self, run_id: str) -> Run:
        """Hides a run; one that is deleted already stays so.

        Raises:
            NotFoundError: there is none.
        """
        return await self._mark("delete", run_id)

    async def restore(self, run_id: str) -> Run:
        """Shows a deleted run again; one that is not deleted stays as it is.

        Raises:
            NotFoundError: there is none.
        """
        return await self._mark("restore", run_id)

    async def stage(self, run_id: str) -> str:
        """``active`` or ``deleted``. Raises as :meth:`get_run` does."""
        async with self._database.acquire() as connection:
            stage: str | None = await connection.fetchval(_QUERIES["stage"], _uuid(run_id))
        if stage is None:
            raise NotFoundError("run", run_id)
        return stage

    async def update(
        self, run_id: str, status: RunStatus | None, end_time: int | None, run_name: str | None
    ) -> Run:
        """The run after a change of what is not ``None``, as MLflow's REST API has it: nothing else changes.

        Raises:
            NotFoundError: there is none.
            InvalidArgumentError: it is deleted.
        """
        id_ = _uuid(run_id)

        async def work(connection: Connection) -> Run:
            stage = await connection.fetchval(_QUERIES["lock_stage"], id_)
            if stage is None:
                raise NotFoundError("run", run_id)
            if stage != ACTIVE:
                raise InvalidArgumentError("run_id", f"names the deleted run {run_id}; restore it first")
            await connection.execute(_QUERIES["update"], id_, status, end_time, run_name)
            if run_name is not None:
                await connection.execute(_QUERIES["name_tag"], id_, RUN_NAME_TAG, run_name)
            return _run(await connection.fetchrow(_QUERIES["get_run"], id_))

        return await self._database.retrying(work)

    async def _mark(self, how: str, run_id: str) -> Run:
        id_ = _uuid(run_id)

        async def work(connection: Connection) -> Run:
            await connection.execute(_QUERIES[how], id_)
            row = await connection.fetchrow(_QUERIES["get_run"], id_)
            if row is None:
                raise NotFoundError("run", run_id)
            return _run(row)

        return await self._database.retrying(work)

    async def list_rejects(self, run_id: str | None, limit: int) -> list[StoredReject]:
        """Up to ``limit`` refused operations of a run, or of all, newest first."""
        of_run = _uuid(run_id) if run_id else None
        if run_id and of_run is None:
            return []
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["list_rejects"], of_run, limit)
        return [StoredReject(reject_of(row), created_at) for *row, created_at in rows]

    async def _fetchrow(self, name: str, argument: object) -> Any:
        async with self._database.acquire() as connection:
            return await connection.fetchrow(_QUERIES[name], argument)


def _uuid(run_id: str) -> UUID | None:
    try:
        return UUID(hex=run_id)
    except ValueError:
        return None


def _run(row: Any) -> Run:
    return Run(
        run_id=row["run_id"].hex,
        run_name=row["run_name"],
        experiment_id=str(row["experiment_id"]),
        user_id=row["user_id"],
        status=RunStatus(row["status"]),
        start_time=row["start_time"],
        end_time=row["end_time"],
        lifecycle_stage=row["lifecycle_stage"],
        artifact_uri=row["artifact_uri"],
        params=json.loads(row["params"]),
        tags=json.loads(row["tags"]),
        lineage=lineage_of(row["datasets"], row["models"]),
    )
