"""Logged models: made, finalized, tagged, read and deleted. Their points come with commits (lineage.py)."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID, uuid4

from headrace_storage.catalog import model_rules as rules
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.experiments import ACTIVE, DELETED, experiment_by_id
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_storage.registered import LoggedModel, ModelMetric, ModelStatus, NewModel

_QUERIES: Final = Queries("logged_models")

NOUN: Final = "logged model"


class LoggedModels:
    """The logged models of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewModel) -> LoggedModel:
        """A new model, PENDING. The same again, with the id of the first, is answered with that one.

        Raises:
            NotFoundError: there is no such experiment or run.
            InvalidArgumentError: the experiment is deleted, or a value breaks a rule.
            AlreadyExistsError: the id is another model's.
        """
        model_id = rules.model_id(new.model_id) if new.model_id else f"m-{uuid4().hex}"
        name = rules.logged_name(new.name) or f"model-{model_id[2:10]}"
        params, tags = rules.logged_params(new.params), rules.logged_tags(new.tags)
        labels = [rules.label(key, getattr(new, key)) for key in ("model_type", "creator_id")]
        run, created = _run(new.source_run_id), new.creation_time

        async def work(connection: Connection) -> LoggedModel:
            experiment = await experiment_by_id(connection, new.experiment_id)
            if experiment.lifecycle_stage == DELETED:
                raise InvalidArgumentError(
                    "experiment_id", f"names the deleted experiment {new.experiment_id}"
                )
            if run is not None and not await connection.fetchval(_QUERIES["run_exists"], run):
                raise NotFoundError("run", new.source_run_id)
            arguments = (
                int(new.experiment_id),
                name,
                labels[0],
                run,
                labels[1],
                ModelStatus.PENDING,
                created,
            )
            if await connection.fetchval(_QUERIES["create"], model_id, *arguments) is None:
                found = await _get(connection, model_id, allow_deleted=True)
                if (found.experiment_id, found.name) != (new.experiment_id, name):
                    raise AlreadyExistsError(NOUN, model_id)
                return found
            await connection.execute(_QUERIES["add_params"], model_id, list(params), list(params.values()))
            await connection.execute(_QUERIES["set_tags"], model_id, list(tags), list(tags.values()))
            return await _get(connection, model_id)

        return await self._database.retrying(work)

    async def get(self, model_id: str, *, allow_deleted: bool = False) -> LoggedModel:
        """The model with all of its points.

        Raises:
            NotFoundError: there is none, or it is deleted.
        """
        async with self._database.acquire() as connection:
            return await _get(connection, model_id, allow_deleted=allow_deleted)

    async def artifact_uri(self, model_id: str) -> str:
        """Where the files of a model are, deleted or not. NotFoundError: there is none."""
        async with self._database.acquire() as connection:
            found = await connection.fetchval(_QUERIES["artifact_uri"], model_id)
        if found is None:
            raise NotFoundError(NOUN, model_id)
        return str(found)

    async def finalize(self, model_id: str, status: ModelStatus, message: str = "") -> LoggedModel:
        """The model is READY, or FAILED. NotFoundError: there is none."""
        return await self._change(model_id, "finalize", status, rules.label("status_message", message))

    async def set_tags(self, model_id: str, tags: Mapping[str, str]) -> LoggedModel:
        """Writes tags over what they were. NotFoundError: there is none."""
        checked = rules.logged_tags(tags)
        return await self._change(model_id, "set_tags", list(checked), list(checked.values()))

    async def log_params(self, model_id: str, params: Mapping[str, str]) -> LoggedModel:
        """Writes params, each once: the same again is taken.

        Raises:
            NotFoundError: there is no such model.
            InvalidArgumentError: a param has another value already.
        """
        checked = rules.logged_params(params)

        async def work(connection: Connection) -> LoggedModel:
            await _lock(connection, model_id)
            for key, value in await connection.fetch(_QUERIES["params"], model_id, list(checked)):
                if value != checked[key]:
                    problem = f"is {value[:100]!r} of model {model_id}, and params are written once"
                    raise InvalidArgumentError(f"param {key[:100]!r}", problem)
            columns = list(checked), list(checked.values())
            await connection.execute(_QUERIES["add_params"], model_id, *columns)
            return await _get(connection, model_id, allow_deleted=True)

        return await self._database.retrying(work)

    async def delete_tag(self, model_id: str, key: str) -> LoggedModel:
        """Takes a tag away. NotFoundError: there is no such model, or tag."""

        async def work(connection: Connection) -> LoggedModel:
            await _lock(connection, model_id)
            if await connection.fetchval(_QUERIES["delete_tag"], model_id, key) is None:
                raise NotFoundError(f"tag of {NOUN} {model_id}", key)
            return await _get(connection, model_id, allow_deleted=True)

        return await self._database.retrying(work)

    async def delete(self, model_id: str) -> LoggedModel:
        """Hides a model. NotFoundError: there is none."""
        return await self._change(model_id, "mark", DELETED)

    async def restore(self, model_id: str) -> LoggedModel:
        """Shows a deleted model again. NotFoundError: there is none."""
        return await self._change(model_id, "mark", ACTIVE)

    async def _change(self, model_id: str, how: str, *arguments: object) -> LoggedModel:
        async def work(connection: Connection) -> LoggedModel:
            await _lock(connection, model_id)
            await connection.execute(_QUERIES[how], model_id, *arguments)
            return await _get(connection, model_id, allow_deleted=True)

        return await self._database.retrying(work)


async def read_models(
    connection: Connection, model_ids: Sequence[str], *, allow_deleted: bool = False
) -> list[LoggedModel]:
    """Those of the models that there are, in this order."""
    rows = await connection.fetch(_QUERIES["models"], model_ids, allow_deleted)
    points = defaultdict(list)
    for row in await connection.fetch(_QUERIES["metrics"], model_ids):
        model_id, key, value, timestamp, step, name, digest, run_id = row
        points[model_id].append(ModelMetric(key, value, timestamp, step, name, digest, run_id.hex))
    found = {row["model_id"]: _model(row, points[row["model_id"]]) for row in rows}
    return [found[model_id] for model_id in model_ids if model_id in found]


async def _get(connection: Connection, model_id: str, *, allow_deleted: bool = False) -> LoggedModel:
    found = await read_models(connection, [model_id], allow_deleted=allow_deleted)
    if not found:
        raise NotFoundError(NOUN, model_id)
    return found[0]


async def _lock(connection: Connection, model_id: str) -> None:
    if await connection.fetchval(_QUERIES["lock"], model_id) is None:
        raise NotFoundError(NOUN, model_id)


def _run(run_id: str) -> UUID | None:
    try:
        return UUID(hex=run_id) if run_id else None
    except ValueError:
        raise InvalidArgumentError("source_run_id", "is not 32 hexadecimal digits") from None


def _model(row: Any, metrics: Sequence[ModelMetric]) -> LoggedModel:
    return LoggedModel(
        model_id=row["model_id"],
        experiment_id=str(row["experiment_id"]),
        name=row["name"],
        model_type=row["model_type"],
        source_run_id=row["source_run_id"].hex if row["source_run_id"] else "",
        creator_id=row["creator_id"],
        status=ModelStatus(row["status"]),
        status_message=row["status_message"],
        creation_time=row["creation_time"],
        last_update_time=row["last_update_time"],
        lifecycle_stage=row["lifecycle_stage"],
        artifact_uri=row["artifact_uri"],
        params=json.loads(row["params"] or "{}"),
        tags=json.loads(row["tags"] or "{}"),
        metrics=metrics,
    )
