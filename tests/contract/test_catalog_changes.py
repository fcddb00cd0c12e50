"""Changes of runs through a commit: what tracking.proto promises of each of them."""

import asyncio
import random
from collections.abc import Sequence
from uuid import uuid4

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.errors import NotFoundError
from headrace_storage.model import (
    CreateRun,
    DeleteTag,
    EndRun,
    Reject,
    Run,
    RunChange,
    RunStatus,
    SetParam,
    SetTag,
    StartAttempt,
)

RUN = uuid4().hex
OTHER = uuid4().hex


class Log:
    """Commits changes of a run, each call a group."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    async def __call__(self, *changes: RunChange, run: str = RUN) -> Sequence[Reject]:
        writer = await self.daemon.open()
        return await self.daemon.commit(writer, changes=[(run, change) for change in changes])

    async def run(self, run: str = RUN) -> Run:
        return await self.daemon.runs.get_run(run)


@pytest.fixture
def log(daemon: Daemon) -> Log:
    return Log(daemon)


def create(experiment_id: str = "", name: str = "", **tags: str) -> CreateRun:
    return CreateRun(experiment_id, name, "a run", "somebody", 5000, tags)


def start(token: str, process: str = "p1") -> StartAttempt:
    return StartAttempt(token, process, 5000)


def end(token: str, process: str = "p1", status: RunStatus = RunStatus.FINISHED) -> EndRun:
    return EndRun(status, 9000, token, process)


async def test_a_run_is_created_with_its_experiment(log: Log, daemon: Daemon) -> None:
    assert await log(create(name="digits", kind="cnn"), SetParam("lr", "0.1"), SetTag("kind", "mlp")) == []
    run = await log.run()
    experiment = await daemon.experiments.get_by_name("digits")
    assert run == Run(
        run_id=RUN,
        run_name="a run",
        experiment_id=experiment.experiment_id,
        user_id="somebody",
        status=RunStatus.RUNNING,
        start_time=5000,
        end_time=None,
        lifecycle_stage="active",
        artifact_uri=f"headrace-artifacts:/{experiment.experiment_id}/{RUN}/artifacts",
        params={"lr": "0.1"},
        tags={"kind": "mlp"},
    )
    await log(create(experiment.experiment_id), run=OTHER)
    assert (await log.run(OTHER)).experiment_id == experiment.experiment_id


async def test_without_an_experiment_it_is_the_default_one(log: Log) -> None:
    await log(create())
    assert (await log.run()).experiment_id == "0"


async def test_a_placeholder_is_completed_and_keeps_what_came_first(log: Log, daemon: Daemon) -> None:
    await daemon.commit(await daemon.open(), runs=[RUN], new_runs=[RUN])
    await log(SetTag("kind", "set first"), start("t1"), end("t1", status=RunStatus.FAILED))
    assert (await log.run()).experiment_id == "0"
    assert await log(create(name="digits", kind="initial", other="initial")) == []
    run = await log.run()
    assert (run.run_name, run.start_time, run.status, run.end_time) == ("a run", 5000, "FAILED", 9000)
    assert run.tags == {"kind": "set first", "other": "initial"}


async def test_the_same_creation_again_is_accepted_and_another_is_not(log: Log) -> None:
    await log(create(name="digits"))
    assert await log(create(name="digits")) == []
    [reject] = await log(create(name="letters"))
    assert (reject.code, reject.run_id) == ("RESOURCE_ALREADY_EXISTS", RUN)
    assert (await log.run()).tags == {}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (create("4711"), "there is no experiment '4711'"),
        (create("x"), "there is no experiment 'x'"),
        (create("9" * 30), f"there is no experiment '{'9' * 30}'"),
        (create(name="gone"), "experiment 'gone' is deleted"),
        (create(name="a\0b"), "there is no experiment 'a\\\\x00b'"),
        (create(name="n" * 501), f"there is no experiment '{'n' * 500}'"),
    ],
)
async def test_an_experiment_that_cannot_be_had_leads_to_recovered(
    log: Log, daemon: Daemon, database: Database, asked: CreateRun, reason: str
) -> None:
    await daemon.experiments.create("gone", "", {})
    async with database.acquire() as connection:
        await connection.execute("UPDATE experiments SET lifecycle_stage = 'deleted' WHERE name = 'gone'")
    assert await log(asked, SetParam("lr", "1")) == []
    run = await log.run()
    recovered = await daemon.experiments.get_by_name("_recovered")
    assert run.experiment_id == recovered.experiment_id
    assert run.tags == {"headrace.recovered": reason}
    assert run.params == {"lr": "1"}
    assert await log(asked) == []


async def test_experiment_ids_are_not_used_up_by_looking(log: Log, daemon: Daemon) -> None:
    for _ in range(5):
        await log(create(name="digits"), run=uuid4().hex)
    assert (await daemon.experiments.create("next", "", {})).experiment_id == "2"


async def test_a_param_is_written_once(log: Log) -> None:
    assert await log(SetParam("lr", "1"), SetParam("lr", "1")) == []
    within = await log(SetParam("depth", "2"), SetParam("depth", "3"), SetParam("width", "4"))
    across = await log(
        SetParam("lr", "1"), SetParam("lr", "one"), SetParam("lr", "x" * 500), SetTag("a", "b")
    )
    assert [(reject.first, reject.end) for reject in [*within, *across]] == [(1, 2), (1, 2), (2, 3)]
    assert {reject.code for reject in [*within, *across]} == {"INVALID_PARAMETER_VALUE"}
    assert "param 'depth'" in within[0].message
    assert "is '2' and cannot become '3'" in within[0].message
    assert f"'{'x' * 100}...'" in across[1].message
    run = await log.run()
    assert (run.params, run.tags) == ({"lr": "1", "depth": "2", "width": "4"}, {"a": "b"})


async def test_rejects_are_stored_and_told_at_the_next_open(daemon: Daemon) -> None:
    writer = await daemon.open()
    changes = [(RUN, SetParam("lr", value)) for value in ("1", "2", "1", "3")]
    rejects = await daemon.commit(writer, changes=changes)
    assert [reject.first for reject in rejects] == [1, 3]
    assert (await daemon.reopen(writer)).rejects == rejects
    assert (await daemon.reopen(writer, known_reject=1)).rejects == rejects[1:]
    assert (await daemon.reopen(writer, known_reject=3)).rejects == []
    assert [entry.reject for entry in await daemon.runs.list_rejects(RUN, 10)] == rejects[::-1]


async def test_tags_take_their_last_value_and_can_be_deleted(log: Log) -> None:
    await log(SetTag("a", "1"), SetTag("a", "2"), SetTag("b", "1"), DeleteTag("b"), DeleteTag("never"))
    assert (await log.run()).tags == {"a": "2"}
    await log(DeleteTag("a"), SetTag("a", "3"), SetTag("b", "2"))
    assert (await log.run()).tags == {"a": "3", "b": "2"}
    await log(create(a="initial", c="initial"), SetTag("c", "set"), DeleteTag("b"))
    assert (await log.run()).tags == {"a": "3", "c": "set"}


async def test_a_change_of_an_unknown_run_makes_a_placeholder(log: Log) -> None:
    with pytest.raises(NotFoundError):
        await log.run()
    await log(SetTag("a", "b"))
    run = await log.run()
    assert (run.experiment_id, run.run_name, run.status, run.tags) == ("0", "", "RUNNING", {"a": "b"})
    assert run.start_time > 1_700_000_000_000


async def test_only_the_creator_of_the_newest_attempt_ends_the_run(log: Log) -> None:
    await log(create(), start("t1", "p1"), start("t1", "p2"))
    await log(end("t1", "p2"), end("t2", "p1"), end("", "p1"))
    assert (await log.run()).status is RunStatus.RUNNING
    await log(end("t1", "p1", RunStatus.FAILED))
    run = await log.run()
    assert (run.status, run.end_time) == (RunStatus.FAILED, 9000)
    await log(start("t1", "p3"))
    assert (await log.run()).status is RunStatus.FAILED, "joining an attempt does not revive the run"
    await log(start("t2", "p4"))
    run = await log.run()
    assert (run.status, run.end_time) == (RunStatus.RUNNING, None)
    await log(end("t1", "p1"))
    assert (await log.run()).status is RunStatus.RUNNING, "a later attempt exists"
    await log(start("t3", "p4"), end("t3", "p4", RunStatus.KILLED), end("t2", "p4"))
    assert (await log.run()).status is RunStatus.KILLED


async def test_what_only_the_database_refuses_is_found_and_the_rest_commits(log: Log, daemon: Daemon) -> None:
    good = [SetTag(f"tag {index}", "x") for index in range(40)]
    bad: list[RunChange] = [
        SetTag("a\0b", "x"),
        SetTag("nul", "a\0b"),
        SetParam("surrogate", "\ud800"),
        SetParam("k" * 251, "x"),
        SetTag("€" * 5000, "x"),
        SetTag("", "x"),
        DeleteTag("\udfff"),
        start("t" * 251),
        start("a\0"),
        CreateRun("", "digits", "name\0", "somebody", 5000, {}),
    ]
    changes: list[RunChange] = [*good, *bad]
    random.Random(1).shuffle(changes)
    places = [index for index, change in enumerate(changes) if change in bad]
    rejects = await log(*changes, SetParam("lr", "1"), SetParam("lr", "2"))
    assert [reject.first for reject in rejects] == [*places, len(changes) + 1]
    assert {reject.code for reject in rejects} == {"INVALID_PARAMETER_VALUE"}
    messages = "\n".join(reject.message for reject in rejects)
    assert "a param's key has 1 to 250 characters" in messages
    assert "an attempt's token has 1 to 250 characters" in messages
    messages.encode()
    run = await log.run()
    assert (len(run.tags), run.params) == (len(good), {"lr": "1"})
    assert len(await daemon.runs.list_rejects(RUN, 100)) == len(bad) + 1


async def test_order_is_kept_across_the_halves_of_a_search_for_a_culprit(log: Log) -> None:
    rejects = await log(
        SetParam("lr", "1"),
        SetTag("a", "1"),
        start("t1"),
        SetTag("bad\0", ""),
        SetTag("a", "2"),
        SetParam("lr", "2"),
        start("t2"),
        end("t1"),
        end("t2"),
    )
    assert [reject.first for reject in rejects] == [3, 5]
    run = await log.run()
    assert (run.tags, run.params, run.status) == ({"a": "2"}, {"lr": "1"}, RunStatus.FINISHED)


async def test_many_groups_on_the_same_runs_never_deadlock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_storage.catalog.database._CONTENTION_ATTEMPTS", 1)
    daemons = [await Daemon.start(database) for _ in range(50)]
    runs = [uuid4().hex for _ in range(10)]

    async def ship(number: int, daemon: Daemon) -> Sequence[Reject]:
        shuffle = random.Random(number).shuffle
        writer = await daemon.open()
        changes: list[tuple[str, RunChange]] = []
        for run in runs:
            changes += [(run, SetTag(f"tag {key}", str(number))) for key in range(5)]
            changes += [
                (run, DeleteTag(f"tag {number % 5}")),
                (run, SetParam(f"param {number % 7}", str(number))),
            ]
            changes += [(run, start("t", f"p{number}")), (run, create(name=f"experiment {number % 4}"))]
        shuffle(changes)
        used = runs.copy()
        shuffle(used)
        return await daemon.commit(writer, changes=changes, runs=used, new_runs=used)

    outcomes = await asyncio.gather(*(ship(number, daemon) for number, daemon in enumerate(daemons)))
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM segments") == len(daemons)
        assert await connection.fetchval("SELECT count(*) FROM params") == 7 * len(runs)
        assert await connection.fetchval("SELECT count(*) FROM attempts") == len(runs)
        refused_params = sum(
            reject.code == "INVALID_PARAMETER_VALUE" for found in outcomes for reject in found
        )
        assert refused_params == (len(daemons) - 7) * len(runs)


async def test_new_runs_and_experiments_in_any_order_never_deadlock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_storage.catalog.database._CONTENTION_ATTEMPTS", 1)
    daemons = [await Daemon.start(database) for _ in range(8)]
    writers = [await daemon.open() for daemon in daemons]
    for turn in range(5):
        runs = [uuid4().hex for _ in range(300)]
        groups = []
        for index, (daemon, writer) in enumerate(zip(daemons, writers, strict=True)):
            mine = random.Random(index).sample(runs, 250)
            created = [(run, create(name=f"{turn} {run}")) for run in mine[:100]] if index % 2 else []
            groups.append(daemon.group(writer, runs=mine, new_runs=mine, changes=created))
        await asyncio.gather(
            *(daemon.commits.commit(group) for daemon, group in zip(daemons, groups, strict=True))
        )
        async with database.acquire() as connection:
            assert await connection.fetchval("SELECT count(*) FROM runs") == len(runs) * (turn + 1)
