"""Reads and direct writes of the tracking service."""

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.experiments import ExperimentQuery, Experiments
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_storage.model import CreateRun, DeleteTag, Reject, RunStatus, SetParam, SetTag

RUN = "61a08100b45b40bfb9ba8b6aa9d7162c"


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


def described(experiment_id: str = "", name: str = "", start_time: int = 1000) -> CreateRun:
    return CreateRun(experiment_id, name, "a run", "somebody", start_time, {"kind": "cnn"})


@pytest.mark.parametrize(
    ("name", "tags"),
    [("", {}), ("n" * 501, {}), ("a\0", {}), ("\ud800", {}), ("a", {"": "x"}), ("a", {"b": "\0"})],
)
async def test_what_the_database_refuses_is_an_invalid_argument(
    runs: Runs, database: Database, name: str, tags: dict[str, str]
) -> None:
    experiments = Experiments(database)
    with pytest.raises(InvalidArgumentError):
        await experiments.create(name, "", tags)
    with pytest.raises(InvalidArgumentError):
        await runs.create_run(None, CreateRun("", "a", "a", "", 0, {"b\0": ""}))
    assert [experiment.name for experiment in (await experiments.search(ExperimentQuery()))[0]] == ["Default"]


async def test_a_run_is_created_at_once(runs: Runs) -> None:
    run = await runs.create_run(RUN, described(name="digits"))
    assert (run.run_id, run.run_name, run.tags, run.params) == (RUN, "a run", {"kind": "cnn"}, {})
    assert (run.status, run.start_time, run.end_time) == (RunStatus.RUNNING, 1000, None)
    assert await runs.get_run(RUN) == run
    assert await runs.create_run(RUN, described(name="digits")) == run, "a repeated request"
    with pytest.raises(AlreadyExistsError):
        await runs.create_run(RUN, described(name="digits", start_time=1001))
    assert (await runs.create_run(None, described())).run_id != RUN
    assert (await runs.create_run(None, described(start_time=0))).start_time > 1_700_000_000_000


async def test_a_direct_creation_completes_a_placeholder(runs: Runs, daemon: Daemon) -> None:
    await daemon.commit(await daemon.open(), runs=[RUN], new_runs=[RUN], changes=[(RUN, SetParam("lr", "1"))])
    run = await runs.create_run(RUN, described(name="digits"))
    assert (run.run_name, run.params) == ("a run", {"lr": "1"})


async def test_a_direct_creation_takes_no_detour(runs: Runs, database: Database) -> None:
    experiments = Experiments(database)
    await experiments.create("digits", "", {})
    await experiments.delete("1")
    with pytest.raises(NotFoundError):
        await runs.create_run(None, described("17"))
    with pytest.raises(InvalidArgumentError, match="is deleted"):
        await runs.create_run(None, described("1"))
    with pytest.raises(InvalidArgumentError, match="is deleted"):
        await runs.create_run(None, described(name="digits"))
    with pytest.raises(InvalidArgumentError, match="run_id"):
        await runs.create_run("not hex", described())


@pytest.mark.parametrize("run_id", [RUN, "", "x", RUN.upper() + "0", "\0"])
async def test_a_run_that_is_not_there(runs: Runs, run_id: str) -> None:
    with pytest.raises(NotFoundError):
        await runs.get_run(run_id)
    assert await runs.list_rejects(run_id or "x", 10) == []


@pytest.mark.parametrize("token", ["x", "äö", "W10=", "WyJhIl0=", "bnVsbA==", "W3RydWVd"])
async def test_a_page_token_of_somebody_else(database: Database, token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page_token"):
        await Experiments(database).search(ExperimentQuery(page_token=token))


async def test_rejects_are_listed_newest_first(runs: Runs, daemon: Daemon) -> None:
    writer = await daemon.open()
    of_run, of_none = Reject(writer, 0, 1, "CODE", "m", RUN), Reject(writer, 11, 12, "CODE", "m", None)
    await daemon.commit(writer, rejects=[of_run])
    await daemon.commit(writer, rejects=[of_none])
    assert [entry.reject for entry in await runs.list_rejects(None, 10)] == [of_none, of_run]
    assert [entry.reject for entry in await runs.list_rejects(None, 1)] == [of_none]
    [entry] = await runs.list_rejects(RUN, 10)
    assert entry.reject == of_run
    assert entry.created_at > 1_700_000_000_000


async def test_a_run_is_deleted_and_restored(runs: Runs) -> None:
    run = await runs.create_run(RUN, described())
    for _ in range(2):
        assert (await runs.delete(RUN)).lifecycle_stage == "deleted"
    assert (await runs.get_run(RUN)).lifecycle_stage == "deleted"
    for _ in range(2):
        assert await runs.restore(RUN) == run
    for change in (runs.delete, runs.restore):
        with pytest.raises(NotFoundError):
            await change("no run")


async def test_the_tag_of_its_name_renames_a_run(runs: Runs, daemon: Daemon) -> None:
    writer = await daemon.open()
    await runs.create_run(RUN, described())
    await daemon.commit(writer, changes=[(RUN, SetTag("mlflow.runName", "renamed")), (RUN, SetTag("a", "b"))])
    run = await runs.get_run(RUN)
    assert (run.run_name, run.tags["mlflow.runName"]) == ("renamed", "renamed")
    await daemon.commit(writer, changes=[(RUN, DeleteTag("mlflow.runName"))])
    assert (await runs.get_run(RUN)).run_name == "renamed"
    later = "f" * 32
    await daemon.commit(writer, changes=[(later, SetTag("mlflow.runName", "quicker")), (later, described())])
    assert (await runs.get_run(later)).run_name == "quicker"
