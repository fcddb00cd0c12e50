"""Rewinds, undone rewinds and forks against a naive model, in every reader, whatever comes when."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import UUID

import duckdb
import numpy as np

from catalog_daemon import Daemon
from headrace_storage.catalog.rewinds import Rewinds
from headrace_storage.catalog.search import Query, RunSearch
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.charts import Charts, Wanted
from headrace_storage.check import Check
from headrace_storage.compact import Compactor
from headrace_storage.fold import Fold
from headrace_storage.history import History
from headrace_storage.model import CreateRun, Reject, StartAttempt
from headrace_storage.objects import LocalStore
from headrace_storage.publish import Publisher
from points import Logged, Training, exact, in_logged_order
from rewind_model import RewoundRun, by_manifest, comparable, naive_summaries

KEYS = ["key0", "key1", "key2"]


class World:
    """Some writers log to runs, of whatever attempt, while these are rewound and forked."""

    def __init__(self, training: Training, rng: random.Random) -> None:
        self.training = training
        self.rng = rng
        self.database = training.daemon.database
        self.segments = Segments(self.database)
        self.runs: list[RewoundRun] = []
        self.points: list[Logged] = []
        self.search = RunSearch(self.database, Summaries(self.database, training.store), 1 << 20)

    @property
    def summaries(self) -> Summaries:
        return Summaries(self.database, self.training.store)

    async def begin(self) -> None:
        self.writers = [await self.training.daemon.open() for _ in range(3)]
        await self.create()
        await self.create()

    async def something(self) -> None:
        rng, run = self.rng, self.rng.choice(self.runs)
        match rng.randrange(12):
            case 0:
                token = rng.choice(["a", "b", "c", "d"])
                step = rng.choice([None, rng.randint(-5, 5)])
                accepted = run.start(token, step)
                assert accepted != bool(await self.change(run, StartAttempt(token, "p", 1000, step)))
            case 1 if run.rewinds:
                place, undone = rng.randrange(len(run.rewinds)), rng.random() < 0.6
                number = run.set_undone(place, undone)
                found = await Rewinds(self.database).change(run.run_id, number, undone=undone)
                assert (found.rewind.undone_at is not None) == undone
            case 2 if len(self.runs) < 5:
                await self.create(run)
            case 3:
                await self.summaries.fold(rng.choice([1, 3]))
            case 4:
                await self.tidy()
            case _:
                await self.log()

    async def create(self, parent: RewoundRun | None = None, writer: UUID | None = None) -> None:
        run = RewoundRun(UUID(int=self.rng.getrandbits(128)).hex)
        create = CreateRun("", "", "r", "u", 1000, {})
        if parent is not None:
            step = self.rng.choice([None, self.rng.randint(-5, 5)])
            create = create._replace(fork_from=parent.run_id, fork_step=step)
            run.parent = parent.copy()
            run.fork_step = run.fork_step if step is None else step
        assert not await self.change(run, create, writer)
        self.runs.append(run)

    async def change(
        self, run: RewoundRun, change: CreateRun | StartAttempt, writer: UUID | None = None
    ) -> Sequence[Reject]:
        changes = [(run.run_id, change)]
        return await self.training.daemon.commit(writer or self.writers[0], changes=changes)

    async def log(self, writer: UUID | None = None, runs: Sequence[RewoundRun] = ()) -> None:
        writer, runs = writer or self.rng.choice(self.writers), runs or self.runs
        found = self.training.points(writer, self.rng.randint(1, 12), [run.run_id for run in runs])
        points = []
        for point in found:
            run = next(run for run in self.runs if run.run_id == point.run_id)
            # Of any attempt, late as it may be, and of one that nobody told of yet.
            points.append(point._replace(attempt=self.rng.choice(["", *run.tokens, "d"])))
        await self.training.log(points, as_object=self.rng.random() < 0.5)
        self.points += points

    async def tidy(self) -> None:
        """Folds all, compacts, and publishes."""
        await Fold(self.summaries).once()
        compactor = Compactor(self.segments, self.training.store, self.training.daemon.incarnation, rest=0.0)
        await compactor.once()
        await Publisher(self.segments, self.training.store).once()

    async def check(self, *, thorough: bool = False) -> None:
        for run in self.runs:
            shown = run.history(self.points)
            for key in KEYS if thorough else self.rng.sample(KEYS, 1):
                expected = in_logged_order(p for p in shown if p.key == key)
                assert await self.training.history(run.run_id, key) == exact(expected)
                await self.check_chart(run.run_id, key, expected)
            assert [comparable(s) for s in await self.summaries.get(run.run_id)] == naive_summaries(
                shown, run.run_id
            )
            writers = await History(self.segments, self.training.store).writers(run.run_id)
            assert writers == Counter(point.writer for point in shown)
        await self.check_search()

    async def check_chart(self, run_id: str, key: str, points: list[Logged]) -> None:
        buckets = self.rng.choice([2, 1000])
        found = await Charts(self.segments, self.training.store).get(Wanted(run_id, key, buckets, -3, 4))
        inside = sorted(point.step for point in points if -3 <= point.step <= 4)
        assert found["count"].sum() == len(inside)
        if buckets == 1000:
            assert found["step_first"].tolist() == inside

    async def check_search(self) -> None:
        key = self.rng.choice(KEYS)
        if self.rng.random() < 0.2:  # a daemon that was started again
            self.search = RunSearch(self.database, self.summaries, 1 << 20)
        found, _ = await self.search.find(Query(filter=f"metrics.{key} > 0"))
        values = {run.run_id: self.latest(run) for run in self.runs}
        expected = {run_id for run_id, latest in values.items() if latest.get(key, -1.0) > 0}
        assert {each.run.run_id for each in found} == expected
        for each in (await self.search.find(Query()))[0]:
            told = dict(zip(each.latest.keys, (str(value + 0) for value in each.latest.values), strict=True))
            assert told == {key: str(value) for key, value in values[each.run.run_id].items()}

    def latest(self, run: RewoundRun) -> dict[str, float]:
        summaries = naive_summaries(run.history(self.points), run.run_id)
        return {summary[1]: float(summary[4]) for summary in summaries}

    async def check_published(self) -> None:
        await self.tidy()
        shown = [point for run in self.runs for point in run.history(self.points)]
        with duckdb.connect() as connection:
            connection.execute(self.training.store.local_path("headrace.sql").read_text())
            rows = connection.execute(
                "SELECT run_id, key, attempt, step, writer, sequence FROM metrics"
            ).fetchall()
        assert Counter(rows) == Counter(map(identified, shown))
        manifest = json.loads(self.training.store.local_path("manifest.json").read_text())
        assert Counter(map(identified, by_manifest(manifest, self.points))) == Counter(map(identified, shown))
        findings = await Check(self.segments, self.training.store).run()
        assert not findings.damaged
        assert findings.rows == len(self.points), "a hidden point is not lost"


def identified(point: Logged) -> tuple[object, ...]:
    return (point.run_id, point.key, point.attempt, point.step, point.writer.hex, point.sequence)


async def test_readers_show_what_the_model_shows(daemon: Daemon, tmp_path: Path) -> None:
    world = World(Training(daemon, LocalStore(tmp_path), np.random.default_rng(1)), random.Random(1))
    await world.begin()
    for turn in range(40):
        await world.something()
        if turn % 8 == 7:
            await world.check()
    await world.check_published()
    await world.check(thorough=True)


async def test_while_daemons_fold_and_compact(daemon: Daemon, tmp_path: Path) -> None:
    """What is folded, merged and shown anew at the same time; only the end is looked at."""
    world = World(Training(daemon, LocalStore(tmp_path), np.random.default_rng(9)), random.Random(9))
    await world.begin()
    first, second = world.runs
    done = asyncio.Event()

    async def often(what: Callable[[], Awaitable[object]]) -> None:
        while not done.is_set():
            await what()
            await asyncio.sleep(0)

    async def rewind_often() -> None:
        for number in range(10):
            token = f"attempt {number}"
            step = world.rng.randint(-5, 5)
            assert not await world.change(first, StartAttempt(token, "p", 1000, step), world.writers[1])
            first.start(token, step)
            await asyncio.sleep(0.01)
            undone = world.rng.random() < 0.5
            changed = first.set_undone(world.rng.randrange(len(first.rewinds)), undone)
            await Rewinds(world.database).change(first.run_id, changed, undone=undone)
            if number % 5 == 0:
                await world.create(first, world.writers[1])

    async def log_often() -> None:
        for _ in range(25):
            await world.log(world.writers[2], [first, second])

    def compactor() -> Compactor:
        return Compactor(world.segments, world.training.store, daemon.incarnation, rest=0.0)

    background = [
        asyncio.create_task(often(what))
        for what in (
            lambda: world.summaries.fold(3),
            lambda: world.summaries.fold(50),
            lambda: compactor().once(),
            lambda: compactor().once(),
        )
    ]
    await asyncio.gather(rewind_often(), log_often())
    done.set()
    await asyncio.gather(*background)
    await world.check()
    await world.check_published()
    await world.check(thorough=True)
