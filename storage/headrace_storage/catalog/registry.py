"""The model registry: registered models, their versions, aliases, tags and stages; MLflow's rules.

Whoever changes a model or one of its versions locks the model first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg

from headrace_storage.catalog import model_rules as rules
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.logged_models import read_models
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_storage.registered import ModelVersion, NewVersion, RegisteredModel

_QUERIES: Final = Queries("registry")

MODEL: Final = "registered model"


class Registry:
    """The registered models of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, name: str, description: str, tags: Mapping[str, str], creation_time: int | None = None
    ) -> RegisteredModel:
        """A new registered model; ``creation_time`` (ms since the epoch) of one that comes from elsewhere.

        Raises:
            AlreadyExistsError: the name is taken.
            InvalidArgumentError: a value breaks a rule.
        """
        rules.registered_name(name)
        checked = rules.registry_tags(tags)

        async def work(connection: Connection) -> RegisteredModel:
            told = rules.description(description)
            if await connection.fetchval(_QUERIES["create_model"], name, told, creation_time) is None:
                raise AlreadyExistsError(MODEL, name)
            await connection.execute(_QUERIES["tag_model"], name, list(checked), list(checked.values()))
            return await _model(connection, name)

        return await self._database.retrying(work)

    async def get(self, name: str) -> RegisteredModel:
        """The model with its latest version of each stage. NotFoundError: there is none."""
        rules.registered_name(name)
        async with self._database.acquire() as connection:
            return await _model(connection, name)

    async def rename(self, name: str, new_name: str) -> RegisteredModel:
        """Gives a model another name. NotFoundError: there is none; AlreadyExistsError: the name is taken."""
        rules.registered_name(new_name, "new_name")

        async def work(connection: Connection) -> RegisteredModel:
            await _touch(connection, name)
            try:
                renamed = await connection.fetchval(_QUERIES["rename"], name, new_name)
            except asyncpg.UniqueViolationError:  # somebody took it at the same time
                renamed = None
            if renamed is None:
                raise AlreadyExistsError(MODEL, new_name)
            await connection.execute(_QUERIES["touch_versions"], new_name)
            return await _model(connection, new_name)

        return await self._database.retrying(work)

    async def describe(self, name: str, description: str) -> RegisteredModel:
        """Writes a model's description. NotFoundError: there is none."""
        return await self._change(name, "describe_model", rules.description(description))

    async def set_tags(self, name: str, tags: Mapping[str, str]) -> RegisteredModel:
        """Writes tags of a model over what they were. NotFoundError: there is none."""
        checked = rules.registry_tags(tags)
        return await self._change(name, "tag_model", list(checked), list(checked.values()))

    async def delete_tag(self, name: str, key: str) -> RegisteredModel:
        """Takes a tag away, if there is one. NotFoundError: there is no such model."""
        return await self._change(name, "untag_model", rules.key(key))

    async def set_alias(self, name: str, alias: str, version: int) -> RegisteredModel:
        """Has an alias mean a version, and no other. NotFoundError: there is no such version."""
        rules.alias(alias)

        async def work(connection: Connection) -> RegisteredModel:
            await _touch(connection, name)
            await _version(connection, name, version)
            await connection.execute(_QUERIES["set_alias"], name, alias, version)
            return await _model(connection, name)

        return await self._database.retrying(work)

    async def delete_alias(self, name: str, alias: str) -> RegisteredModel:
        """Takes an alias away, if there is one. NotFoundError: there is no such model."""
        return await self._change(name, "delete_alias", alias)

    async def delete(self, name: str) -> RegisteredModel:
        """Deletes a model with its versions, for good; returns what it was. NotFoundError: there is none."""

        async def work(connection: Connection) -> RegisteredModel:
            await _touch(connection, name)
            was = await _model(connection, name)
            await connection.execute(_QUERIES["delete_model"], name)
            return was

        return await self._database.retrying(work)

    async def create_version(self, new: NewVersion) -> ModelVersion:
        """The next version of a model, or one with a higher number; no number comes twice.

        Raises:
            NotFoundError: there is no such model, or the source names a model that there is not.
            AlreadyExistsError: the model has, or had, a version with this number or a higher one.
            InvalidArgumentError: a value breaks a rule.
        """
        rules.registered_name(new.name)
        rules.source(new.source)
        rules.description(new.description)
        for argument in ("run_id", "run_link", "model_id", "user_id"):
            rules.label(argument, getattr(new, argument))
        tags = rules.registry_tags(new.tags)

        async def work(connection: Connection) -> ModelVersion:
            number = await connection.fetchval(_QUERIES["next_version"], new.name, new.number)
            if number is None:
                await _model(connection, new.name)
                raise AlreadyExistsError(f"version of {MODEL} {new.name!r}", str(new.number))
            location, run_id = await _location(connection, new)
            described = (
                new.description,
                new.source,
                location,
                run_id,
                new.run_link,
                new.model_id,
                new.user_id,
                new.creation_time,
            )
            await connection.execute(_QUERIES["create_version"], new.name, number, *described)
            columns = list(tags), list(tags.values())
            await connection.execute(_QUERIES["tag_version"], new.name, number, *columns)
            return await _version(connection, new.name, number)

        return await self._database.retrying(work)

    async def get_version(self, name: str, version: int) -> ModelVersion:
        """A version. NotFoundError: there is none."""
        rules.registered_name(name)
        async with self._database.acquire() as connection:
            return await _version(connection, name, version)

    async def get_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias means.

        Raises:
            NotFoundError: there is no such model.
            InvalidArgumentError: it has no such alias, as MLflow says it.
        """
        rules.registered_name(name)
        async with self._database.acquire() as connection:
            number = await connection.fetchval(_QUERIES["version_of_alias"], name, alias)
            if number is None:
                await _model(connection, name)
                raise InvalidArgumentError("alias", f"{alias[:100]!r} is none of {MODEL} {name!r}")
            return await _version(connection, name, number)

    async def describe_version(self, name: str, version: int, description: str) -> ModelVersion:
        """Writes a version's description. NotFoundError: there is none."""
        return await self._change_version(name, version, "describe_version", rules.description(description))

    async def set_version_tags(self, name: str, version: int, tags: Mapping[str, str]) -> ModelVersion:
        """Writes tags of a version over what they were. NotFoundError: there is none."""
        checked = rules.registry_tags(tags)
        return await self._change_version(
            name, version, "tag_version", list(checked), list(checked.values()), touched=False
        )

    async def delete_version_tag(self, name: str, version: int, key: str) -> ModelVersion:
        """Takes a tag away, if there is one. NotFoundError: there is no such version."""
        return await self._change_version(name, version, "untag_version", rules.key(key), touched=False)

    async def stage(self, name: str, version: int, stage: str, *, archive: bool = False) -> ModelVersion:
        """Puts a version into a stage; ``archive``: the others that are in it go to Archived.

        Raises:
            NotFoundError: there is no such version.
            InvalidArgumentError: there is no such stage, or others of it cannot be archived.
        """
        wanted = rules.stage(stage)
        if archive and wanted not in rules.ACTIVE_STAGES:
            problem = f"is only for the stages {' and '.join(rules.ACTIVE_STAGES)}, not for {wanted}"
            raise InvalidArgumentError("archive_existing_versions", problem)

        async def work(connection: Connection) -> ModelVersion:
            await _touch(connection, name)
            await _version(connection, name, version)
            if archive:
                await connection.execute(_QUERIES["archive_others"], name, version, wanted)
            await connection.execute(_QUERIES["stage_version"], name, version, wanted)
            await connection.execute(_QUERIES["touch_version"], name, version)
            return await _version(connection, name, version)

        return await self._database.retrying(work)

    async def delete_version(self, name: str, version: int) -> ModelVersion:
        """Deletes a version and its aliases, for good; returns what it was. NotFoundError: there is none."""

        async def work(connection: Connection) -> ModelVersion:
            await _touch(connection, name)
            was = await _version(connection, name, version)
            await connection.execute(_QUERIES["delete_version"], name, version)
            return was

        return await self._database.retrying(work)

    async def _change(self, name: str, how: str, *arguments: object) -> RegisteredModel:
        rules.registered_name(name)

        async def work(connection: Connection) -> RegisteredModel:
            await _touch(connection, name)
            await connection.execute(_QUERIES[how], name, *arguments)
            return await _model(connection, name)

        return await self._database.retrying(work)

    async def _change_version(
        self, name: str, version: int, how: str, *arguments: object, touched: bool = True
    ) -> ModelVersion:
        rules.registered_name(name)

        async def work(connection: Connection) -> ModelVersion:
            if await connection.fetchval(_QUERIES["lock_version"], name, version) is None:
                raise _no_version(name, version)
            await connection.execute(_QUERIES[how], name, version, *arguments)
            if touched:
                await connection.execute(_QUERIES["touch_version"], name, version)
            return await _version(connection, name, version)

        return await self._database.retrying(work)


async def read_registered(connection: Connection, names: Sequence[str]) -> list[RegisteredModel]:
    """Those of the models that there are, in this order."""
    rows = {row["name"]: row for row in await connection.fetch(_QUERIES["models"], names)}
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    aliases: dict[str, dict[str, int]] = defaultdict(dict)
    latest: dict[str, list[ModelVersion]] = defaultdict(list)
    for name, key, value in await connection.fetch(_QUERIES["tags_of_models"], names):
        tags[name][key] = value
    for name, alias, version in await connection.fetch(_QUERIES["aliases_of_models"], names):
        aliases[name][alias] = version
    newest = [(name, version) for name, version in await connection.fetch(_QUERIES["latest_versions"], names)]
    for found in await read_versions(connection, newest):
        latest[found.name].append(found)
    return [
        RegisteredModel(
            name,
            rows[name]["description"],
            rows[name]["creation_time"],
            rows[name]["last_update_time"],
            tags[name],
            aliases[name],
            latest[name],
        )
        for name in names
        if name in rows
    ]


async def read_versions(connection: Connection, keys: Sequence[tuple[str, int]]) -> list[ModelVersion]:
    """Those of the versions, by name and number, that there are, in this order."""
    if not keys:
        return []
    columns = [name for name, _ in keys], [version for _, version in keys]
    rows = {
        (row["name"], row["version"]): row for row in await connection.fetch(_QUERIES["versions"], *columns)
    }
    tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    aliases = defaultdict(list)
    for name, version, key, value in await connection.fetch(_QUERIES["tags_of_versions"], *columns):
        tags[name, version][key] = value
    for name, alias, version in await connection.fetch(_QUERIES["aliases_of_models"], columns[0]):
        aliases[name, version].append(alias)
    fields = [name for name in ModelVersion.__slots__ if name not in ("tags", "aliases")]
    return [
        ModelVersion(**{name: rows[key][name] for name in fields}, tags=tags[key], aliases=aliases[key])
        for key in keys
        if key in rows
    ]


async def _model(connection: Connection, name: str) -> RegisteredModel:
    found = await read_registered(connection, [name])
    if not found:
        raise NotFoundError(MODEL, name)
    return found[0]


async def _version(connection: Connection, name: str, version: int) -> ModelVersion:
    found = await read_versions(connection, [(name, version)])
    if not found:
        raise _no_version(name, version)
    return found[0]


async def _touch(connection: Connection, name: str) -> None:
    if await connection.fetchval(_QUERIES["touch_model"], rules.registered_name(name)) is None:
        raise NotFoundError(MODEL, name)


async def _location(connection: Connection, new: NewVersion) -> tuple[str, str]:
    """Where the files of a new version are, and the run that made them: those of the source."""
    scheme, _, rest = new.source.partition(":")
    model_id = new.model_id
    location = new.source
    if scheme == "models":
        path = rest.strip("/")
        name, _, version = path.rpartition("/")
        if name and version.isdecimal():
            return (await _version(connection, name, int(version))).storage_location, new.run_id
        model_id = path
    if model_id:
        found: Sequence[Any] = await read_models(connection, [model_id])
        if not found:
            raise NotFoundError("logged model", model_id)
        location = found[0].artifact_uri if scheme == "models" else location
        return location, new.run_id or found[0].source_run_id
    return location, new.run_id


def _no_version(name: str, version: int) -> NotFoundError:
    return NotFoundError(f"version of {MODEL} {name!r}", str(version))
