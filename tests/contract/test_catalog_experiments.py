"""Experiments in the catalog: made, searched, changed, deleted and restored with their runs."""

import asyncio
import base64
from collections.abc import Awaitable

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.experiments import ExperimentQuery, Experiments
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_storage.model import CreateRun, Experiment, Run


@pytest.fixture
def experiments(database: Database) -> Experiments:
    return Experiments(database)


async def run_in(daemon: Daemon, experiment_id: str) -> Run:
    return await daemon.runs.create_run(None, CreateRun(experiment_id, "", "a run", "me", 1000, {}))


async def names(experiments: Experiments, query: ExperimentQuery) -> list[str]:
    """All that are found, walking the pages."""
    found: list[str] = []
    while True:
        page, token = await experiments.search(query)
        assert len(page) <= query.limit
        found += [experiment.name for experiment in page]
        if not token:
            return found
        query = query._replace(page_token=token)


async def test_they_are_created_and_found(experiments: Experiments, daemon: Daemon) -> None:
    default = await experiments.get("0")
    assert (default.name, default.artifact_location) == ("Default", "headrace-artifacts:/0")
    tags = {"team": "vision", "note": 'quo"te \\ ünïcode'}
    created = await experiments.create("digits", "s3://bucket/digits", tags)
    assert created.experiment_id == "1"
    assert created.tags == tags
    assert created.creation_time == created.last_update_time > default.creation_time - 1
    assert await experiments.get("1") == created == await experiments.get_by_name("digits")
    run = await run_in(daemon, "1")
    assert run.artifact_uri == f"s3://bucket/digits/{run.run_id}/artifacts"


@pytest.mark.parametrize("experiment_id", ["2", "x", "", "00", "-1", "9" * 40, "1.0", "²", "٣", "a\0"])
async def test_one_that_is_not_there(experiments: Experiments, experiment_id: str) -> None:
    for call in (
        experiments.get(experiment_id),
        experiments.rename(experiment_id, "x"),
        experiments.set_tags(experiment_id, {"a": "b"}),
        experiments.delete(experiment_id),
        experiments.restore(experiment_id),
        experiments.get_by_name("nobody"),
    ):
        with pytest.raises(NotFoundError):
            await call


async def test_a_name_is_unique(experiments: Experiments) -> None:
    await experiments.create("digits", "", {})
    with pytest.raises(AlreadyExistsError):
        await experiments.create("digits", "", {})
    with pytest.raises(AlreadyExistsError):
        await experiments.rename("0", "digits")
    assert (await experiments.rename("1", "digits")).name == "digits"
    await experiments.delete("1")
    with pytest.raises(AlreadyExistsError, match="it is deleted"):
        await experiments.create("digits", "", {})
    outcomes = await asyncio.gather(
        *(experiments.create("letters", "", {}) for _ in range(6)), return_exceptions=True
    )
    assert sum(isinstance(outcome, AlreadyExistsError) for outcome in outcomes) == 5


async def test_tags(experiments: Experiments) -> None:
    before = await experiments.create("digits", "", {"a": "1"})
    changed = await experiments.set_tags("1", {"a": "2", "b": "3"})
    assert changed.tags == {"a": "2", "b": "3"}
    assert changed.creation_time == before.creation_time
    assert (await experiments.delete_tag("1", "a")).tags == {"b": "3"}
    with pytest.raises(NotFoundError, match="tag of experiment 1 'a'"):
        await experiments.delete_tag("1", "a")


async def test_a_deleted_one_is_not_changed(experiments: Experiments) -> None:
    await experiments.create("digits", "", {"a": "1"})
    with pytest.raises(NotFoundError, match="deleted experiment '1'"):
        await experiments.restore("1")
    deleted = await experiments.delete("1")
    assert (deleted.lifecycle_stage, await experiments.get("1")) == ("deleted", deleted)
    with pytest.raises(NotFoundError, match="active experiment '1'"):
        await experiments.delete("1")
    for call in (
        experiments.rename("1", "x"),
        experiments.set_tags("1", {"a": "2"}),
        experiments.delete_tag("1", "a"),
    ):
        with pytest.raises(InvalidArgumentError, match="deleted experiment 1"):
            await call
    restored = await experiments.restore("1")
    assert (restored.lifecycle_stage, restored.tags) == ("active", {"a": "1"})


async def test_its_runs_are_deleted_and_restored_with_it(experiments: Experiments, daemon: Daemon) -> None:
    await experiments.create("digits", "", {})
    runs = [await run_in(daemon, "1") for _ in range(3)]
    other = await run_in(daemon, "0")
    before = await daemon.runs.delete(runs[0].run_id)
    await experiments.delete("1")
    stages = [(await daemon.runs.get_run(run.run_id)).lifecycle_stage for run in [*runs, other]]
    assert stages == ["deleted", "deleted", "deleted", "active"]
    await experiments.restore("1")
    assert [await daemon.runs.get_run(run.run_id) for run in [*runs, other]] == [before, *runs[1:], other]


async def test_pages_newest_first(experiments: Experiments) -> None:
    for number in range(7):
        await experiments.create(f"e{number}", "", {})
    await experiments.delete("4")
    walked = await names(experiments, ExperimentQuery(limit=3))
    assert walked == ["e6", "e5", "e4", "e2", "e1", "e0", "Default"]
    assert await names(experiments, ExperimentQuery(["deleted"], limit=3)) == ["e3"]
    assert len(await names(experiments, ExperimentQuery(["active", "deleted"], limit=3))) == 8


@pytest.mark.parametrize(
    ("filter_string", "found"),
    [
        ("name = 'b'", "b"),
        ("attribute.name != 'b'", "a c Default"),
        ("name LIKE '%'", "a b c Default"),
        ("name ILIKE 'DEF%' OR tags.team IS NOT NULL", "a b Default"),
        ("tags.team = 'mill' AND tag.`a b` = 'x'", "b"),
        ("tags.team != 'mill'", "a"),
        ("tags.team IN ('mill', 'none')", "b"),
        ("experiment_id = '3'", "c"),
        ("creation_time > 0 AND last_update_time >= 5.5", "a b c Default"),
        ("creation_time = 0", ""),
        ("tags.nobody LIKE '%'", ""),
    ],
)
async def test_filters(experiments: Experiments, filter_string: str, found: str) -> None:
    for name, tags in {"a": {"team": "other"}, "b": {"team": "mill", "a b": "x"}, "c": {}}.items():
        await experiments.create(name, "", tags)
    query = ExperimentQuery(filter=filter_string, order_by=["name"], limit=2)
    assert sorted(found.split(), key=str.encode) == await names(experiments, query)


@pytest.mark.parametrize(
    ("order_by", "found"),
    [
        (["name DESC"], ["c", "b", "a", "Default"]),
        (["experiment_id"], ["Default", "b", "c", "a"]),
        (["attribute.experiment_id desc"], ["a", "c", "b", "Default"]),
        (["creation_time ASC", "name"], ["Default", "b", "c", "a"]),
    ],
)
async def test_orders(experiments: Experiments, order_by: list[str], found: list[str]) -> None:
    for name in ("b", "c", "a"):
        await experiments.create(name, "", {})
        await asyncio.sleep(0.002)  # another millisecond
    assert await names(experiments, ExperimentQuery(order_by=order_by, limit=1)) == found


@pytest.mark.parametrize(
    ("filter_string", "order_by", "problem"),
    [
        ("metrics.a < 1", [], "character 1,.*have no metrics"),
        ("status = 'x'", [], "no attribute of experiments"),
        ("name = 3", [], "character 8,.*expected a text"),
        ("creation_time = 'x'", [], "expected a number"),
        ("name = 'a' name = 'b'", [], "expected AND"),
        ("", ["tags.a"], "cannot be ordered by their tags"),
        ("", ["name", "name DESC"], "twice"),
        ("", ["foo"], "no attribute of experiments"),
    ],
)
async def test_what_is_no_search(
    experiments: Experiments, filter_string: str, order_by: list[str], problem: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=problem):
        await experiments.search(ExperimentQuery(filter=filter_string, order_by=order_by))


async def test_a_token_belongs_to_its_order(experiments: Experiments) -> None:
    await experiments.create("a", "", {})
    _, token = await experiments.search(ExperimentQuery(order_by=["name"], limit=1))
    for order_by in ([], ["name DESC"], ["experiment_id"]):
        with pytest.raises(InvalidArgumentError, match="page_token"):
            await experiments.search(ExperimentQuery(order_by=order_by, page_token=token))


@pytest.mark.parametrize("order_by", [[], ["name"]])
@pytest.mark.parametrize(
    "places",
    ["[1]", '["x", 1]', "[1.5, 2]", f"[{10**30}, 1]", "[true, null]", "{}", "[[" * 9, "[" * 100_000],
)
async def test_forged_tokens(experiments: Experiments, order_by: list[str], places: str) -> None:
    for name in ("a", "b"):
        await experiments.create(name, "", {})
    _, given = await experiments.search(ExperimentQuery(order_by=order_by, limit=1))
    digest, _ = page_key(given, [int, str])
    text = base64.b64encode(places.encode()).decode()
    for forged in (page_token([digest, places]), page_token([places]), text):
        query = ExperimentQuery(order_by=order_by, page_token=forged)
        if order_by and forged == page_token([digest, '["x", 1]']):
            await experiments.search(query)  # names are compared with what the token says
            continue
        with pytest.raises(InvalidArgumentError, match="page_token"):
            await experiments.search(query)


async def test_ids_from_elsewhere_and_the_next_ones_never_meet(database_url: str) -> None:
    databases = [await Database.connect(database_url, max_connections=1) for _ in range(4)]
    catalogs = [Experiments(database) for database in databases]

    def make(number: int) -> Awaitable[Experiment]:
        wanted = str(5 * number) if number % 3 else ""
        return catalogs[number % 4].create(f"e{number}", "", {}, experiment_id=wanted)

    found = await asyncio.gather(*map(make, range(1, 61)), return_exceptions=True)
    ids = [int(each.experiment_id) for each in found if isinstance(each, Experiment)]
    taken = [each for each in found if isinstance(each, AlreadyExistsError)]  # by one of the next
    assert len(set(ids)) == len(ids) == 60 - len(taken)
    assert int((await catalogs[0].create("last", "", {})).experiment_id) > max(ids)
    for database in databases:
        await database.close()


async def test_ids_and_times_from_elsewhere_are_kept(experiments: Experiments) -> None:
    kept = await experiments.create("moved", "", {}, experiment_id="7", creation_time=1000)
    assert (kept.experiment_id, kept.creation_time) == ("7", 1000)
    assert (await experiments.create("next", "", {})).experiment_id == "8", "no id comes twice"
    random = "658854400830510080"  # as MLflow's folders have them
    assert (await experiments.create("random", "", {}, experiment_id=random)).experiment_id == random
    assert (await experiments.create("after", "", {})).experiment_id == "9"
    for name, taken in (("other", "7"), ("moved", "70"), ("other", "0")):
        with pytest.raises((AlreadyExistsError, InvalidArgumentError)):
            await experiments.create(name, "", {}, experiment_id=taken)
    for wrong in ("x", "-1", "007", "1" * 19):
        with pytest.raises(InvalidArgumentError):
            await experiments.create("wrong", "", {}, experiment_id=wrong)
