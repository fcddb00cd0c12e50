"""Datasets and models of runs: through commits, into reads and searches, and away when runs are erased."""

import asyncio
from uuid import uuid4

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.erase import Deleted, Eraser
from headrace_storage.catalog.lineage import Datasets, UsedDataset
from headrace_storage.catalog.search import Query, RunSearch
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.lineage import Dataset, Lineage, LinkMetric, LogDataset, LogModels, ModelStep
from headrace_storage.model import CreateRun, RunChange
from headrace_storage.objects import LocalStore

TRAIN = Dataset("train", "d1", "local", '{"uri": "a.csv"}', '{"mlflow_colspec": []}', '{"num_rows": 3}')
CONTEXT = "mlflow.data.context"


def used(dataset: Dataset, context: str = "") -> LogDataset:
    return LogDataset(dataset, {CONTEXT: context} if context else {})


async def log(daemon: Daemon, run: str, *changes: RunChange) -> list[str]:
    writer = await daemon.open()
    return [
        reject.code for reject in await daemon.commit(writer, changes=[(run, change) for change in changes])
    ]


async def rows(database: Database, table: str) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))  # noqa: S608


async def test_a_run_has_what_it_used_and_made(daemon: Daemon) -> None:
    run, other = uuid4().hex, uuid4().hex
    test = TRAIN._replace(name="test")
    models = LogModels([ModelStep("m-0")], [ModelStep("m-2", 7), ModelStep("m-1")])
    await log(daemon, run, used(test, "testing"), used(TRAIN), models)
    await log(daemon, other, used(TRAIN, "training"))
    assert (await daemon.runs.get_run(run)).lineage == Lineage(
        [used(test, "testing"), used(TRAIN)], models.inputs, models.outputs
    )
    assert (await daemon.runs.get_run(other)).lineage.datasets == [used(TRAIN, "training")]
    assert (
        await rows(daemon.database, "datasets") == 1
    )  # what is known of them besides their names is the same


async def test_the_first_of_a_name_and_digest_counts(daemon: Daemon) -> None:
    run = uuid4().hex
    await log(daemon, run, used(TRAIN, "training"), used(TRAIN._replace(source="{}"), "testing"))
    await log(
        daemon, run, used(TRAIN._replace(schema=""), "validation"), LogModels((), [ModelStep("m-1", 1)])
    )
    await log(daemon, run, used(TRAIN._replace(digest="d2"), "testing"), LogModels((), [ModelStep("m-1", 2)]))
    lineage = (await daemon.runs.get_run(run)).lineage
    assert lineage.datasets == [used(TRAIN, "training"), used(TRAIN._replace(digest="d2"), "testing")]
    assert lineage.outputs == [ModelStep("m-1", 1)]


async def test_many_runs_use_the_same_datasets_at_once(daemon: Daemon) -> None:
    datasets = [TRAIN._replace(name=str(number), source=str(number)) for number in range(8)]
    runs = [uuid4().hex for _ in range(16)]

    async def one(place: int) -> None:
        order = datasets[place % 8 :] + datasets[: place % 8]
        assert not await log(daemon, runs[place], *map(used, order))

    await asyncio.gather(*map(one, range(16)))
    for place, run in enumerate(runs):
        names = [one.dataset.name for one in (await daemon.runs.get_run(run)).lineage.datasets]
        assert names == [str((place + number) % 8) for number in range(8)]
    assert await rows(daemon.database, "datasets") == 8


async def test_what_no_database_holds_is_refused_alone(daemon: Daemon) -> None:
    run = uuid4().hex
    bad = used(TRAIN._replace(name="x" * 501))
    assert await log(daemon, run, used(TRAIN), bad, LogModels([ModelStep("m")])) == [
        "INVALID_PARAMETER_VALUE"
    ]
    lineage = (await daemon.runs.get_run(run)).lineage
    assert (lineage.datasets, lineage.inputs) == ([used(TRAIN)], [ModelStep("m")])


async def test_a_point_of_no_model_is_refused(daemon: Daemon) -> None:
    run = uuid4().hex
    link = LinkMetric("f1", 0.5, 1000, 3, "m-0")
    assert await log(daemon, run, used(TRAIN), link) == ["RESOURCE_DOES_NOT_EXIST"]
    assert (await daemon.runs.get_run(run)).lineage.datasets == [used(TRAIN)]


async def test_erased_with_the_last_run(daemon: Daemon) -> None:
    first, second = uuid4().hex, uuid4().hex
    await log(daemon, first, used(TRAIN), used(TRAIN._replace(source="own")), LogModels([ModelStep("m")]))
    await log(daemon, second, used(TRAIN))
    for run, left in ((first, 1), (second, 0)):
        await daemon.runs.delete(run)
        erased = await Eraser(daemon.database).erase(Deleted())
        assert erased.run_ids == [run]
        assert await rows(daemon.database, "inputs") == left
        assert await rows(daemon.database, "datasets") == left
    assert await rows(daemon.database, "run_models") == 0


async def test_datasets_of_experiments(daemon: Daemon) -> None:
    experiment = await daemon.experiments.create("one", "", {})
    other = await daemon.experiments.create("two", "", {})
    runs = [uuid4().hex for _ in range(3)]
    for run, within in zip(runs, (experiment, experiment, other), strict=True):
        create = CreateRun(within.experiment_id, "", "", "", 1, {})
        await log(daemon, run, create, used(TRAIN, "training"), used(TRAIN._replace(name=run)))
    await daemon.runs.delete(runs[1])
    number = experiment.experiment_id
    assert await Datasets(daemon.database).of_experiments([number]) == sorted([
        UsedDataset(number, runs[0], "d1", ""), UsedDataset(number, "train", "d1", "training"),
    ])  # fmt: skip


@pytest.mark.parametrize("few", [True, False])
async def test_search_by_datasets(
    daemon: Daemon, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, few: bool
) -> None:
    if not few:
        monkeypatch.setattr("headrace_storage.catalog.search_look._FEW", 0)
    store = LocalStore(tmp_path_factory.mktemp("store"))
    search = RunSearch(daemon.database, Summaries(daemon.database, store), 1 << 20)
    one, two, none = sorted(uuid4().hex for _ in range(3))

    async def find(text: str) -> list[str]:
        found, _ = await search.find(Query(filter=text, order_by=["run_id"]))
        return [each.run.run_id for each in found]

    create = CreateRun("0", "", "", "", 1, {})
    await log(daemon, one, create, used(TRAIN, "training"), used(TRAIN._replace(name="Test"), "testing"))
    await log(daemon, two, create, used(TRAIN._replace(digest="d2")))
    await log(daemon, none, create)
    for text, expected in {
        "datasets.name = 'train'": [one, two],
        "dataset.name = 'Test'": [one],
        "dataset.name != 'train'": [one],  # one of its datasets is called otherwise
        "datasets.digest IN ('d2', 'd3')": [two],
        "datasets.digest NOT IN ('d2')": [one],
        "datasets.context LIKE 'train%'": [one],
        "datasets.context IS NULL": [two, none],
        "datasets.name ILIKE 'TEST'": [one],
        "datasets.name LIKE 'TEST'": [],
        "datasets.name = 'train' AND datasets.name = 'Test'": [one],
    }.items():
        assert await find(text) == expected, text
    await log(daemon, none, used(TRAIN, "training"))  # what is kept in memory learns of it
    assert await find("datasets.context = 'training'") == [one, none]
    assert await find("datasets.context IS NULL") == [two]
    found, _ = await search.find(Query(filter=f"run_id = '{two}'"))
    assert found[0].run.lineage.datasets == [used(TRAIN._replace(digest="d2"))]
