"""Reads and direct writes of the tracking service."""

import asyncio

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_storage.model import CreateRun, Reject, RunStatus, SetParam

RUN = "61a08100b45b40bfb9ba8b6aa9d7162c"


@pytest.fixture
def runs(database: Database) -> Runs:
    return Runs(database)


def described(experiment_id: str = "", name: str = "", start_time: int = 1000) -> CreateRun:
    return CreateRun(experiment_id, name, "a run", "somebody", start_time, {"kind": "cnn"})


async def delete_experiment(database: Database, name: str) -> None:
    async with database.acquire() as connection:
        await connection.execute("UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = $1", name)


async def test_experiments_are_created_and_found(runs: Runs) -> None:
    default = await runs.get_experiment("0")
    assert (default.name, default.artifact_location) == ("Default", "headrace-artifacts:/0")
    tags = {"team": "vision", "note": 'quo"te \\ ünïcode'}
    created = await runs.create_experiment("digits", "s3://bucket/digits", tags)
    assert created.experiment_id == "1"
    assert created.tags == tags
    assert created.creation_time == created.last_update_time > default.creation_time - 1
    assert await runs.get_experiment("1") == created == await runs.get_experiment_by_name("digits")
    run = await runs.create_run(None, described("1"))
    assert run.artifact_uri == f"s3://bucket/digits/{run.run_id}/artifacts"


@pytest.mark.parametrize("experiment_id", ["2", "x", "", "00", "-1", "9" * 40, "1.0", "²", "٣", "a\0"])
async def test_an_experiment_that_is_not_there(runs: Runs, experiment_id: str) -> None:
    with pytest.raises(NotFoundError):
        await runs.get_experiment(experiment_id)
    with pytest.raises(NotFoundError):
        await runs.get_experiment_by_name("nobody")


async def test_an_experiments_name_is_unique(runs: Runs, database: Database) -> None:
    await runs.create_experiment("digits", "", {})
    with pytest.raises(AlreadyExistsError):
        await runs.create_experiment("digits", "", {})
    await delete_experiment(database, "digits")
    with pytest.raises(AlreadyExistsError, match="it is deleted"):
        await runs.create_experiment("digits", "", {})
    outcomes = await asyncio.gather(
        *(runs.create_experiment("letters", "", {}) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(outcome, AlreadyExistsError) for outcome in outcomes) == 5


@pytest.mark.parametrize(
    ("name", "tags"),
    [("", {}), ("n" * 501, {}), ("a\0", {}), ("\ud800", {}), ("a", {"": "x"}), ("a", {"b": "\0"})],
)
async def test_what_the_database_refuses_is_an_invalid_argument(
    runs: Runs, name: str, tags: dict[str, str]
) -> None:
    with pytest.raises(InvalidArgumentError):
        await runs.create_experiment(name, "", tags)
    with pytest.raises(InvalidArgumentError):
        await runs.create_run(None, CreateRun("", "a", "a", "", 0, {"b\0": ""}))
    assert [experiment.name for experiment in (await runs.list_experiments(10))[0]] == ["Default"]


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
    await runs.create_experiment("digits", "", {})
    await delete_experiment(database, "digits")
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


async def test_pages_of_experiments(runs: Runs, database: Database) -> None:
    for number in range(7):
        await runs.create_experiment(f"e{number}", "", {})
    await delete_experiment(database, "e3")
    walked, token = await runs.list_experiments(3)
    while token:
        page, token = await runs.list_experiments(3, token)
        walked += page
    assert [experiment.name for experiment in walked] == ["e6", "e5", "e4", "e2", "e1", "e0", "Default"]


@pytest.mark.parametrize("token", ["x", "äö", "W10=", "WyJhIl0=", "bnVsbA==", "W3RydWVd"])
async def test_a_page_token_of_somebody_else(runs: Runs, token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="page_token"):
        await runs.list_experiments(3, token)


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
