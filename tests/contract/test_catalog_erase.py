"""Erased for good: what was deleted, and only that; nothing that comes later brings it back."""

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.erase import Deleted, Eraser
from headrace_storage.errors import InvalidArgumentError, NotFoundError
from headrace_storage.model import CreateRun, DeleteTag, SetParam, SetTag, StartAttempt

RUN, OTHER = "61a08100b45b40bfb9ba8b6aa9d7162c", "f" * 32


@pytest.fixture
def eraser(database: Database) -> Eraser:
    return Eraser(database)


def described(experiment: str = "") -> CreateRun:
    return CreateRun("", experiment, "a run", "somebody", 1000, {"kind": "cnn"})


async def count(database: Database, table: str) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608


async def test_only_what_is_deleted(eraser: Eraser, daemon: Daemon) -> None:
    writer = await daemon.open()
    await daemon.commit(writer, changes=[(RUN, described("a")), (OTHER, described("b"))])
    assert await eraser.erase(Deleted()) == ([], [], False)
    assert await eraser.erase(Deleted([RUN], ["1"])) == ([], [], False)
    await daemon.runs.delete(RUN)
    assert await eraser.erase(Deleted([OTHER])) == ([], [], False)
    assert await eraser.erase(Deleted(experiment_ids=["2"])) == ([], [], False)
    assert await eraser.erase(Deleted(before=1)) == ([], [], False)
    assert await eraser.erase(Deleted(), dry_run=True) == ([RUN], [], False)
    assert (await daemon.runs.get_run(RUN)).lifecycle_stage == "deleted"
    assert await eraser.erase(Deleted(experiment_ids=["1"], before=1 << 62)) == ([RUN], [], False)
    with pytest.raises(NotFoundError):
        await daemon.runs.get_run(RUN)
    with pytest.raises(NotFoundError):
        await daemon.runs.restore(RUN)
    assert (await daemon.runs.get_run(OTHER)).tags == {"kind": "cnn"}


async def test_an_experiment_goes_with_its_last_run(eraser: Eraser, daemon: Daemon) -> None:
    writer = await daemon.open()
    await daemon.commit(writer, changes=[(RUN, described("a")), (OTHER, described("a"))])
    await daemon.experiments.delete("1")
    assert await eraser.erase(Deleted(most_runs=1)) == ([RUN], [], True)
    assert await eraser.erase(Deleted(most_runs=1)) == ([OTHER], ["1"], False)
    with pytest.raises(NotFoundError):
        await daemon.experiments.get("1")
    assert (await daemon.experiments.create("a", "", {})).experiment_id == "2"


async def test_the_default_experiment_stays(eraser: Eraser, daemon: Daemon) -> None:
    await daemon.experiments.delete("0")
    assert await eraser.erase(Deleted()) == ([], [], False)
    await daemon.commit(await daemon.open(), runs=[RUN], new_runs=[RUN])
    assert (await daemon.experiments.restore("0")).name == "Default"


async def test_nothing_of_it_is_left(eraser: Eraser, daemon: Daemon, database: Database) -> None:
    writer = await daemon.open()
    changes = [described("a"), StartAttempt("t", "p", 1000), SetParam("lr", "1"), SetTag("t", "1")]
    tables = ("runs", "params", "tags", "attempts", "segment_runs", "segments", "unfolded")
    await daemon.commit(writer, changes=[(OTHER, described("a"))])
    await daemon.commit(writer, runs=[OTHER], path="other")
    before = {table: await count(database, table) for table in tables}
    await daemon.commit(writer, changes=[(RUN, change) for change in changes])
    await daemon.commit(writer, runs=[RUN], path="alone")
    await daemon.runs.delete(RUN)
    await eraser.erase(Deleted())
    assert {table: await count(database, table) for table in tables} == before
    async with database.acquire() as connection:
        assert [row["path"] for row in await connection.fetch("SELECT path FROM garbage")] == ["alone"]


async def test_a_file_with_other_runs_stays(eraser: Eraser, daemon: Daemon, database: Database) -> None:
    writer = await daemon.open()
    await daemon.commit(writer, changes=[(RUN, described()), (OTHER, described())])
    await daemon.commit(writer, runs=[RUN, OTHER], path="shared")
    await daemon.runs.delete(RUN)
    await eraser.erase(Deleted())
    tables = ("segments", "segment_runs", "erased_points")
    assert [await count(database, table) for table in tables] == [1, 1, 1]
    await daemon.runs.delete(OTHER)
    await eraser.erase(Deleted())
    assert [await count(database, table) for table in tables] == [0, 0, 0], "now nothing else is in it"


async def test_what_comes_later_does_not_bring_it_back(eraser: Eraser, daemon: Daemon) -> None:
    writer = await daemon.open()
    await daemon.commit(writer, changes=[(RUN, described())])
    await daemon.runs.delete(RUN)
    await eraser.erase(Deleted())
    late = [described(), StartAttempt("t", "p", 1000), SetParam("lr", "1"), SetTag("t", "1"), DeleteTag("t")]
    changes = [*((RUN, change) for change in late), (OTHER, SetTag("a", "b"))]
    rejects = await daemon.commit(writer, changes=changes)
    assert {(reject.run_id, reject.code) for reject in rejects} == {(RUN, "RESOURCE_DOES_NOT_EXIST")}
    assert len(rejects) == len(late)
    await daemon.commit(writer, runs=[RUN], new_runs=[RUN])
    with pytest.raises(NotFoundError):
        await daemon.runs.get_run(RUN)
    with pytest.raises(InvalidArgumentError, match="was erased"):
        await daemon.runs.create_run(RUN, described())
    assert (await daemon.runs.get_run(OTHER)).tags == {"a": "b"}


@pytest.mark.parametrize(("runs", "experiments"), [(["x"], []), ([], ["x"])])
async def test_what_is_no_id(eraser: Eraser, runs: list[str], experiments: list[str]) -> None:
    with pytest.raises(InvalidArgumentError):
        await eraser.erase(Deleted(runs, experiments))


async def test_a_run_stays_as_long_as_a_fork_needs_it(eraser: Eraser, daemon: Daemon) -> None:
    writer = await daemon.open()
    fork = described()._replace(fork_from=RUN, fork_step=3)
    await daemon.commit(writer, changes=[(RUN, described()), (OTHER, fork)])
    assert (await daemon.runs.get_run(OTHER)).tags["headrace.forkedFrom"] == RUN
    for run in (RUN, OTHER):
        await daemon.runs.delete(run)
    assert (await eraser.erase(Deleted())).run_ids == [OTHER]
    assert (await eraser.erase(Deleted())).run_ids == [RUN]
    again = described()._replace(fork_from=RUN)
    assert not await daemon.commit(writer, changes=[("e" * 32, again)])
    assert (await daemon.runs.get_run("e" * 32)).tags["headrace.notInherited"] == f"there is no run {RUN}"
