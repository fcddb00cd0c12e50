"""Files that nobody can ask for any more are deleted, whenever the daemon dies."""

import errno
import os
from pathlib import Path

import pytest

from headrace_storage.catalog.database import Database
from headrace_storage.catalog.erase import Deleted, Eraser
from headrace_storage.catalog.experiments import Experiments
from headrace_storage.catalog.logged_models import LoggedModels
from headrace_storage.catalog.registry import Registry
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError, NotFoundError, NotYetError
from headrace_storage.model import CreateRun, Run
from headrace_storage.objects import Locations, Small
from headrace_storage.registered import NewModel, NewVersion
from headrace_storage.sweep import Sweeper

UPLOAD = "a" * 32


async def made(database: Database, location: str = "") -> Run:
    experiment = await Experiments(database).create("e" + location, location, {})
    create = CreateRun(experiment.experiment_id, "", "run", "user", 1, {})
    return await Runs(database).create_run(None, create)


@pytest.mark.parametrize("own", [True, False])
async def test_files_of_erased_runs_go(database: Database, tmp_path: Path, own: bool) -> None:
    locations = Locations(tmp_path / "own", [tmp_path / "allowed"])
    location = "" if own else f"file://{tmp_path}/allowed/deep"
    run, other = (
        await made(database, location),
        await made(database, "" if not own else f"{tmp_path}/allowed"),
    )
    for each in (run, other):
        place = locations.place(await Runs(database).artifact_uri(each.run_id))
        await place.store.put([Small(place.at("a/b"), b"x", "", "")])
    if not own:
        assert (tmp_path / "allowed" / "deep" / run.run_id / "artifacts" / "a" / "b").read_bytes() == b"x"
    await Runs(database).delete(run.run_id)
    eraser = Eraser(database)
    await eraser.erase(Deleted())
    # The daemon may die here, and another one goes on.
    sweeper = Sweeper(Eraser(database), locations)
    assert await sweeper.once() == 1
    assert await sweeper.once() == 0
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [other.run_id in str(path) for path in left] == [True]
    assert not any(run.run_id in str(path) for path in tmp_path.rglob("*"))


async def test_uploads_that_were_given_up_go(database: Database, tmp_path: Path) -> None:
    locations = Locations(tmp_path)
    [store] = locations.stores
    with store.append(UPLOAD, 0) as upload:
        upload.write([b"abc"])
    sweeper = Sweeper(Eraser(database), locations, abandoned_after=3600)
    await sweeper.once()
    assert await store.uploaded(UPLOAD) == 3
    os.utime(tmp_path / ".uploads" / UPLOAD, (1, 1))
    await sweeper.once()
    assert await store.uploaded(UPLOAD) == 0


async def test_where_artifacts_may_be(tmp_path: Path) -> None:
    root = tmp_path / "root"
    locations = Locations(tmp_path / "own", [root])
    for allowed in (
        "",
        "s3://bucket/x",
        "headrace-artifacts:/3",
        str(root),
        f"file://{root}/a",
        f"{root}/a/b",
    ):
        locations.check(allowed)
    for refused in (
        "/",
        "/etc",
        f"{tmp_path}",
        f"{root}/../x",
        f"{root}2",
        f"file://{root}/../../etc",
        "file:x",
    ):
        with pytest.raises(InvalidArgumentError):
            locations.check(refused)
    for nowhere in (
        "s3://bucket/x",
        "here",
        "",
        "headrace-artifacts:/../x",
        "headrace-artifacts:/.uploads/x",
    ):
        with pytest.raises(InvalidArgumentError):
            locations.place(nowhere)


async def test_runs_that_are_not_there_yet(database: Database) -> None:
    run_id = "0123456789abcdef0123456789abcdef"
    with pytest.raises(NotFoundError):
        await Runs(database).artifact_uri(run_id)
    async with database.acquire() as connection:
        await connection.execute("SELECT create_placeholders($1)", [run_id])
        with pytest.raises(NotYetError):
            await Runs(database).artifact_uri(run_id)
        await connection.execute("UPDATE runs SET start_time = start_time - 100000")
    assert await Runs(database).artifact_uri(run_id) == f"headrace-artifacts:/0/{run_id}/artifacts"


async def test_files_of_erased_models_go_unless_they_are_registered(
    database: Database, tmp_path: Path
) -> None:
    locations, models, registry = Locations(tmp_path), LoggedModels(database), Registry(database)
    run = await made(database)
    gone, by_id, by_source = [
        await models.create(NewModel(run.experiment_id, name, source_run_id=run.run_id)) for name in "abc"
    ]
    await registry.create("best", "", {})
    await registry.create_version(NewVersion("best", "s3://elsewhere", model_id=by_id.model_id))
    await registry.create_version(NewVersion("best", f"models:/{by_source.model_id}"))
    for model in (gone, by_id, by_source):
        place = locations.place(model.artifact_uri)
        await place.store.put([Small(place.at("MLmodel"), b"x", "", "")])
    experiments, eraser, sweeper = (
        Experiments(database),
        Eraser(database),
        Sweeper(Eraser(database), locations),
    )

    def left() -> set[str]:
        return {path.name for path in tmp_path.glob("*/models/*")}

    async def erase() -> list[str]:
        found = await eraser.erase(Deleted())
        # The daemon may die here, and another one goes on.
        await sweeper.once()
        return found.experiment_ids

    await Runs(database).delete(run.run_id)
    await erase()
    assert left() == {by_id.model_id, by_source.model_id}
    assert (await models.get(by_id.model_id)).name == "b"
    await experiments.delete(run.experiment_id)
    assert await erase() == []
    assert left() == {by_id.model_id, by_source.model_id}
    await registry.delete("best")
    assert await erase() == [run.experiment_id]
    assert left() == set()
    assert await sweeper.once() == 0


async def test_what_cannot_be_deleted_holds_nothing_else(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locations, runs = Locations(tmp_path), [(await made(database, f"l{number}")) for number in range(3)]
    for run in runs:
        await Runs(database).delete(run.run_id)
    await Eraser(database).erase(Deleted())
    [stuck, *others] = sorted(run.run_id for run in runs)
    deleted = []

    async def delete(_: Sweeper, uri: str) -> None:
        if stuck in uri:
            raise OSError(errno.EACCES, "no")
        deleted.append(uri)

    monkeypatch.setattr(Sweeper, "_delete", delete)
    monkeypatch.setattr("headrace_storage.sweep._BATCH", 1)
    sweeper = Sweeper(Eraser(database), locations)
    for _ in range(2):
        with pytest.raises(OSError, match="no"):
            await sweeper.once()
    assert [any(run in uri for uri in deleted) for run in others] == [True, True]
    assert len(deleted) == 2
    assert [run_id.hex for run_id, _ in await Eraser(database).with_files(10)] == [stuck]
