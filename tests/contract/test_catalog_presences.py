"""Runs whose writers are gone: killed after the lease, running again when one returns. No test waits."""

import asyncio
import random
from uuid import uuid4

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.presences import TIME_TO_RETURN, Presences, longest_break
from headrace_storage.model import CreateRun, EndRun, RunStatus, SetParam, SetTag, StartAttempt

LEASE = 600.0
CREATE = CreateRun("", "", "a run", "somebody", 5000, {})

AGE_PRESENCES = """
WITH locked AS (SELECT run_id FROM presences ORDER BY run_id FOR UPDATE)
UPDATE presences SET seen_at = seen_at - make_interval(secs => $1)
FROM locked WHERE presences.run_id = locked.run_id
"""
AGE_WATCH = """
UPDATE watch SET since = since - make_interval(secs => $1), heard_at = heard_at - make_interval(secs => $1)
"""


def start(launch: str = "t1", process: str = "p1") -> StartAttempt:
    return StartAttempt(launch, process, 5000)


def end(status: RunStatus = RunStatus.FINISHED, launch: str = "t1", process: str = "p1") -> EndRun:
    return EndRun(status, 9000, launch, process)


class Scene:
    """A catalog whose clock the test moves: what was noted gets older."""

    def __init__(self, database: Database, daemon: Daemon) -> None:
        self.database = database
        self.daemon = daemon
        self.presences = Presences(database)

    async def launch(self, *, attempt: bool = True) -> str:
        """A run that somebody writes to."""
        run = uuid4().hex
        await self.log(run, CREATE, *([start()] if attempt else ()))
        return run

    async def log(self, run: str, *changes: CreateRun | StartAttempt | EndRun | SetTag | SetParam) -> None:
        writer = await self.daemon.open()
        assert not await self.daemon.commit(writer, changes=[(run, change) for change in changes], runs=[run])

    async def tell(self, *runs: str) -> list[str]:
        return await self.presences.tell(runs, LEASE)

    async def expire(self) -> list[str]:
        return await self.presences.expire(LEASE)

    async def pass_time(self, seconds: float, *told: str) -> list[str]:
        """Time in which daemons go on telling of some runs; those that they got back."""
        returned = []
        while seconds > 0:
            step = min(seconds, longest_break(LEASE) / 2)
            await self.be_away(step)
            returned += await self.tell(*told)
            seconds -= step
        return returned

    async def be_away(self, seconds: float) -> None:
        """Time in which no daemon runs."""
        await self.age(AGE_PRESENCES, seconds)
        await self.age(AGE_WATCH, seconds)

    async def age(self, statement: str, seconds: float) -> None:
        async with self.database.acquire() as connection:
            await connection.execute(statement, seconds)

    async def lapse(self, run: str) -> None:
        """Nobody writes to a run for so long that it is killed."""
        await self.tell(run)
        await self.pass_time(LEASE + 1)
        assert run in await self.expire()

    async def status(self, run: str) -> str:
        return (await self.daemon.runs.get_run(run)).status


@pytest.fixture
async def scene(database: Database, daemon: Daemon) -> Scene:
    scene = Scene(database, daemon)
    await scene.tell()
    await scene.pass_time(2 * LEASE)
    return scene


async def test_a_run_without_a_writer_is_killed_after_the_lease(scene: Scene) -> None:
    gone, here = await scene.launch(), await scene.launch()
    await scene.tell(gone, here)
    await scene.pass_time(LEASE - 5, here)
    assert await scene.expire() == []
    await scene.pass_time(10, here)
    assert await scene.expire() == [gone]
    run = await scene.daemon.runs.get_run(gone)
    assert run.status == "KILLED"
    assert run.end_time is not None
    assert run.end_time >= run.start_time
    assert await scene.status(here) == "RUNNING"
    assert await scene.expire() == []


async def test_one_daemon_that_sees_a_writer_is_enough(scene: Scene) -> None:
    run = await scene.launch()
    other = Presences(scene.database)
    for _ in range(10):
        await other.tell([run], LEASE)
        await scene.pass_time(LEASE / 4)
        assert await scene.expire() == []
    assert await scene.status(run) == "RUNNING"


async def test_a_writer_that_returns_sets_it_running_again(scene: Scene) -> None:
    run = await scene.launch()
    await scene.lapse(run)
    assert await scene.tell(run) == [run]
    back = await scene.daemon.runs.get_run(run)
    assert (back.status, back.end_time) == ("RUNNING", None)
    assert await scene.tell(run) == []
    await scene.lapse(run)
    assert await scene.status(run) == "KILLED"


async def test_an_end_that_was_said_is_not_a_lapse(scene: Scene) -> None:
    run = await scene.launch()
    await scene.tell(run)
    await scene.log(run, end())
    await scene.pass_time(2 * LEASE)
    assert await scene.expire() == []
    assert await scene.status(run) == "FINISHED"


@pytest.mark.parametrize("status", [RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED])
async def test_an_end_that_comes_late_beats_the_lease_for_good(scene: Scene, status: RunStatus) -> None:
    run = await scene.launch()
    await scene.lapse(run)
    await scene.log(run, end(status))
    assert await scene.tell(run) == []
    ended = await scene.daemon.runs.get_run(run)
    assert (ended.status, ended.end_time) == (status, 9000)


async def test_a_new_attempt_has_a_whole_lease(scene: Scene) -> None:
    run = await scene.launch()
    await scene.lapse(run)
    await scene.log(run, start("t2", "p2"))
    assert await scene.status(run) == "RUNNING"
    assert await scene.expire() == []
    await scene.pass_time(LEASE + 1)
    assert await scene.expire() == [run]


async def test_leftovers_that_come_late_do_not_revive_it(scene: Scene) -> None:
    run = await scene.launch()
    await scene.lapse(run)
    await scene.log(run, CREATE, start(), SetTag("a", "b"), SetParam("c", "d"))
    assert await scene.status(run) == "KILLED"
    assert await scene.tell(run) == [run], "nor do they make it final"


async def test_a_run_that_nobody_logs_to_is_left_alone(scene: Scene) -> None:
    created = (await scene.daemon.runs.create_run(None, CREATE)).run_id
    launched = await scene.launch()
    joined = await scene.launch(attempt=False)
    assert await scene.expire() == []
    await scene.pass_time(LEASE + 1, joined)
    assert await scene.expire() == [launched], "its writer was gone before anybody told of it"
    await scene.pass_time(LEASE + 1)
    assert await scene.expire() == [joined]
    assert await scene.status(created) == "RUNNING"


async def test_the_daemons_absence_is_nobodys_silence(scene: Scene) -> None:
    runs = [await scene.launch() for _ in range(2)]
    await scene.tell(*runs)
    for _ in range(3):
        await scene.be_away(10 * LEASE)
        assert await scene.expire() == [], "nobody listened"
        await scene.tell()
        assert await scene.expire() == [], "nobody had time to come back"
        await scene.pass_time(LEASE - 5)
        assert await scene.expire() == []
    await scene.pass_time(TIME_TO_RETURN + 10, runs[0])
    assert await scene.expire() == [runs[1]]


async def test_an_end_that_is_being_committed_wins(scene: Scene) -> None:
    run = await scene.launch()
    await scene.tell(run)
    await scene.pass_time(LEASE + 1)
    async with scene.database.transaction() as connection:
        await connection.execute("UPDATE runs SET status = 'FAILED' WHERE run_id = $1", run)
        expiring = asyncio.create_task(scene.expire())
        await _somebody_waits(scene.database)
    assert await asyncio.wait_for(expiring, 30) == []
    assert await scene.status(run) == "FAILED"


async def test_a_writer_that_returns_at_that_moment_wins(scene: Scene) -> None:
    run = await scene.launch()
    await scene.tell(run)
    await scene.pass_time(LEASE + 1)
    async with scene.database.transaction() as connection:
        await connection.execute("SELECT FROM runs WHERE run_id = $1 FOR UPDATE", run)
        expiring = asyncio.create_task(scene.expire())
        await _somebody_waits(scene.database)
        assert await asyncio.wait_for(scene.tell(run), 30) == [], "which waits for no commit"
    assert await asyncio.wait_for(expiring, 30) == []
    assert await scene.status(run) == "RUNNING"


async def _somebody_waits(database: Database) -> None:
    async with asyncio.timeout(30), database.acquire() as connection:
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 -- PostgreSQL tells nobody
            await asyncio.sleep(0.01)


async def test_telling_and_expiring_never_deadlock_with_commits(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_storage.catalog.database._CONTENTION_ATTEMPTS", 1)
    runs = [await scene.launch() for _ in range(30)]
    daemons = [await Daemon.start(scene.database) for _ in range(3)]
    expired, returned = 0, 0

    async def commit(daemon: Daemon, seed: int) -> None:
        writer, chosen = await daemon.open(), random.Random(seed)
        for number in range(15):
            launch, process = f"{seed} {number}", f"p{seed}"
            some = chosen.sample(runs, 10)
            changes = [(run, start(launch, process)) for run in some]
            ended = [(run, end(launch=launch, process=process)) for run in some[::3]]
            await daemon.commit(writer, changes=[*changes, *ended])

    async def tell(seed: int) -> None:
        nonlocal returned
        chosen = random.Random(seed)
        while returned < 20:
            back = await scene.tell(*chosen.sample(runs, 5))
            returned += len(back)
            # Else the two may be so quick that no run is silent long enough to expire.
            await asyncio.sleep(chosen.random() * 0.01)

    async def expire() -> None:
        nonlocal expired
        while returned < 20:
            await scene.age(AGE_PRESENCES, 2 * LEASE)
            expired += len(await scene.expire())

    work = [commit(daemon, seed) for seed, daemon in enumerate(daemons)] + [tell(7), tell(8), expire()]
    await asyncio.wait_for(asyncio.gather(*work), 60)
    assert expired >= 20


async def test_telling_is_one_statement_however_many_runs(scene: Scene) -> None:
    runs = [await scene.launch() for _ in range(5)]
    transactions = set()
    for _ in range(5):  # others use the same server, now and then
        async with scene.database.acquire() as connection:
            before = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
        await scene.tell(*runs, *(uuid4().hex for _ in range(10_000)))
        async with scene.database.acquire() as connection:
            after = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
            watched = await connection.fetchval("SELECT count(*) FROM presences")
        transactions.add(after - before)
    assert (min(transactions), watched) == (2, 5)
