"""A search finds exactly what a simple evaluation over everything that was committed finds, in its order."""

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog import search as search_module
from headrace_storage.catalog import search_look, search_page
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.search import Query, RunSearch, prune_touched
from headrace_storage.catalog.search_look import Scope
from headrace_storage.catalog.search_page import FoundRun
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.model import (
    CreateRun,
    DeleteTag,
    EndRun,
    RunChange,
    RunStatus,
    SetParam,
    SetTag,
    StartAttempt,
)
from headrace_storage.objects import LocalStore
from points import Logged, Training
from search_model import TEXTS, ModelRun, in_order, random_filter, random_order

MEMORY = 1 << 20


class World:
    """Runs, changed through real commits, and the same as a model."""

    def __init__(self, training: Training, rng: random.Random) -> None:
        self.training = training
        self.rng = rng
        self.runs: list[ModelRun] = []
        self.writer = uuid.uuid4()
        self.summaries = Summaries(training.daemon.database, training.store)

    async def start(self) -> None:
        daemon = self.training.daemon
        for name in ("one", "two"):
            await daemon.experiments.create(name, "", {})
        await daemon.open(self.writer)

    async def change(self, run: ModelRun, *changes: RunChange) -> None:
        rejects = await self.training.daemon.commit(
            self.writer, changes=[(run.run_id, change) for change in changes], new_runs=[run.run_id]
        )
        assert not rejects

    async def create(self) -> None:
        rng = self.rng
        number = len(self.runs)
        run = ModelRun(
            uuid.UUID(int=rng.getrandbits(128)).hex, rng.choice("012"), f"run {number}", 1000 + number // 3
        )
        run.params = {key: rng.choice(TEXTS) for key in ("a", "b c") if rng.random() < 0.7}
        run.tags = {key: rng.choice(TEXTS) for key in ("a", "b c") if rng.random() < 0.7}
        create = CreateRun(run.experiment_id, "", run.run_name, run.user_id, run.start_time, run.tags)
        params = [SetParam(key, value) for key, value in run.params.items()]
        await self.change(run, create, StartAttempt("t", "p", run.start_time), *params)
        self.runs.append(run)

    async def log(self) -> None:
        chosen = self.rng.sample(self.runs, min(len(self.runs), 6))
        points = self.training.points(self.writer, 12, [run.run_id for run in chosen])
        points = [point._replace(key="key2.min") if self.rng.random() < 0.05 else point for point in points]
        await self.training.log(points, as_object=self.rng.random() < 0.3)
        by_id = {run.run_id: run for run in chosen}
        for point in points:
            by_id[point.run_id].points.setdefault(point.key, []).append(point)

    async def something(self) -> None:
        """A change of one kind or another."""
        rng, run = self.rng, self.rng.choice(self.runs)
        match rng.randrange(8):
            case 0:
                await self.create()
            case 1:
                run.status, run.end_time = "FINISHED", rng.choice([1500, 2000])
                await self.change(run, EndRun(RunStatus.FINISHED, run.end_time, "t", "p"))
            case 2:
                run.tags["a"] = rng.choice(TEXTS)
                await self.change(run, SetTag("a", run.tags["a"]))
            case 3:
                run.tags.pop("a", None)
                await self.change(run, DeleteTag("a"))
            case 4:
                run.stage = rng.choice(["active", "deleted"])
                async with self.training.daemon.database.acquire() as connection:
                    await connection.execute(
                        "UPDATE runs SET lifecycle_stage = $2 WHERE run_id = $1", run.run_id, run.stage
                    )
            case 5:
                await self.summaries.fold(2)
            case _:
                await self.log()

    async def check(self, search: RunSearch) -> None:
        """A random search, walked in pages."""
        rng = self.rng
        text, predicate = random_filter(rng)
        order = random_order(rng)
        active, deleted = rng.choice([(True, False), (False, True), (True, True)])
        experiments = rng.choice([[], ["1"], ["0", "2", "99", "x"]])
        expected = [
            run
            for run in self.runs
            if (active if run.stage == "active" else deleted)
            and (not experiments or run.experiment_id in experiments)
            and predicate(run)
        ]
        query = Query(
            Scope(experiments, active, deleted),
            text,
            [clause for clause, _, _ in order],
            rng.choice([1, 3, 1000]),
        )
        found: list[FoundRun] = []
        while not found or query.page_token:
            page, token = await search.find(query)
            found += page
            query = query._replace(page_token=token)
            if not token:
                break
        assert [each.run.run_id for each in found] == [run.run_id for run in in_order(expected, order)], query
        for each in found:
            self.check_run(each)

    def check_run(self, found: FoundRun) -> None:
        run = next(run for run in self.runs if run.run_id == found.run.run_id)
        told = found.run
        assert (told.status, told.end_time, told.params, told.tags) == (
            run.status, run.end_time, run.params, run.tags,
        )  # fmt: skip
        assert (told.artifact_uri, told.lifecycle_stage) == (run.artifact_uri, run.stage)
        latest = dict(zip(found.latest.keys, found.latest.values, strict=True))
        expected = {key: run.metric(key, "last") for key in run.points}
        assert {key: str(value + 0) for key, value in latest.items()} == {
            key: str((value or 0.0) + 0) for key, value in expected.items()
        }


@pytest.fixture
async def world(daemon: Daemon, tmp_path: Path, request: pytest.FixtureRequest) -> World:
    seed = getattr(request, "param", 0)
    training = Training(daemon, LocalStore(tmp_path), np.random.default_rng(seed))
    made = World(training, random.Random(seed))
    await made.start()
    return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that depends on numbers of runs happens with a few."""
    monkeypatch.setattr(search_look, "_FEW", 6)
    monkeypatch.setattr(search_page, "_AT_ONCE", 5)
    monkeypatch.setattr(search_module, "_MANY", 20)


def searching(world: World, memory: int = MEMORY) -> RunSearch:
    return RunSearch(world.training.daemon.database, world.summaries, memory)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("world", range(4), indirect=True)
async def test_a_search_is_exact_whatever_changed_and_whatever_is_folded(world: World) -> None:
    # The last one forgets all the time.
    searches = [searching(world), searching(world), searching(world, 5000)]
    for _ in range(12):
        await world.create()
    for _ in range(25):
        for _ in range(world.rng.randrange(1, 6)):
            await world.something()
        for search in world.rng.sample(searches, 2):
            await world.check(search)


async def test_memory_is_bounded(world: World) -> None:
    for _ in range(search_look._FEW + 1):
        await world.create()
    search = searching(world, 2500)
    for key in range(5):
        await search.find(Query(filter=f"metrics.key{key} < 1", order_by=["params.a"]))
        assert search._cache is not None
        assert sum(column.size for column in search._cache.columns.values()) <= 2500
    many = " AND ".join(f"metrics.key{key} < 1" for key in range(5))
    with pytest.raises(InvalidArgumentError, match=r"5 metrics .*HEADRACE_MAX_SEARCH"):
        await search.find(Query(filter=many))
    assert await search.find(Query(Scope(["1"]), filter=many)) == ([], ""), "few runs need no columns"


async def test_pages_hold_each_run_once_while_others_come_and_go(world: World) -> None:
    for _ in range(30):
        await world.create()
        await world.log()
    before = {run.run_id for run in world.runs}
    for order in ([], ["metrics.key0 DESC", "params.a"], ["run_id"], ["run_name DESC"], ["start_time"]):
        search, seen, token = searching(world), [], ""
        while True:
            page, token = await search.find(Query(order_by=order, limit=4, page_token=token))
            seen += [each.run.run_id for each in page]
            if not token:
                break
            await world.create()
        assert len(seen) == len(set(seen))
        assert before <= set(seen)


async def test_a_page_ends_where_it_would_be_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(9):
        await world.create()
    [first, *_], _ = await searching(world).find(Query(limit=1))
    monkeypatch.setattr(search_page, "_MOST_BYTES", 1)
    search, token = searching(world), ""
    seen: list[FoundRun] = []
    while len(seen) < 20:
        page, token = await search.find(Query(limit=4, page_token=token))
        seen += page
        assert len(page) == 1
        if not token:
            break
    assert len(seen) == 9
    assert seen[0] == first


async def test_a_token_belongs_to_its_order(world: World) -> None:
    for _ in range(3):
        await world.create()
    search = searching(world)
    _, token = await search.find(Query(order_by=["metrics.a"], limit=1))
    for order in ([], ["metrics.a DESC"], ["metrics.b"], ["metrics.a", "metrics.b"]):
        with pytest.raises(InvalidArgumentError, match="page_token"):
            await search.find(Query(order_by=order, limit=1, page_token=token))
    for forged in ("x", "äö", "W10=", "WyJhIl0="):
        with pytest.raises(InvalidArgumentError, match="page_token"):
            await search.find(Query(page_token=forged))


async def test_what_changed_is_forgotten_after_a_while(world: World, database: Database) -> None:
    await world.create()
    fresh, old = searching(world), searching(world)
    await world.check(old)
    async with database.acquire() as connection:
        for _ in range(2):
            await world.something()
            await prune_touched(database)
            await connection.execute("UPDATE touched_marks SET marked_at = marked_at - interval '1 day'")
        await world.create()
        await prune_touched(database)
        assert await connection.fetchval("SELECT count(*) FROM touched_marks") < 3
    for _ in range(5):
        await world.check(old)
        await world.check(fresh)


async def test_a_catalog_that_was_restored_is_read_anew(world: World, database: Database) -> None:
    """As a restore does it: the tables are other ones, and nothing tells of a change."""
    await world.create()
    search = searching(world)
    await world.check(search)
    async with database.acquire() as connection:
        await connection.execute("ALTER TABLE runs DISABLE TRIGGER ALL")
        await connection.execute("DELETE FROM runs")
        await connection.execute("TRUNCATE touched")
    assert await search.find(Query(scope=Scope(deleted=True))) == ([], "")


@pytest.fixture
def hostile() -> Iterator[str]:
    return iter(
        [
            "params.`a'; DROP TABLE runs; --` = 'x'",
            "params.a = '''; DROP TABLE runs; --'",
            "tags.`$1` = '$2' OR tags.`%s` = '{}'",
            "metrics.`) OR 1=1 --` < 1 OR metrics.`\\` < 1",
            "run_id IN ('a', ''') OR TRUE --')",
            "artifact_uri LIKE '%\\'",
            "run_name ILIKE '%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%_x%'",
            "params.`" + "k" * 5000 + "` = 'x'",
        ]
    )


async def test_text_of_users_is_never_sql(world: World, hostile: Iterator[str]) -> None:
    await world.create()
    search = searching(world)
    for text in hostile:
        found, _ = await search.find(Query(filter=text, order_by=["tags.`'; DROP TABLE runs` DESC"]))
        assert found == []
    assert len((await search.find(Query()))[0]) == 1


def test_points_of_the_model() -> None:
    points = [
        Logged("r", "k", "", step, 0, value, uuid.UUID(int=0), 0, 0) for step, value in ((0, 3.0), (1, 1.0))
    ]
    run = ModelRun("r", "0", "", 0, points={"k": points})
    assert [run.metric("k", aspect) for aspect in ("last", "first", "min", "max")] == [1.0, 3.0, 1.0, 3.0]
