"""Logged models and the registry: MLflow's rules, under concurrency, and what erasing takes along."""

import asyncio
import threading
from typing import Any
from uuid import uuid4

import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog import logged_models_search
from headrace_storage.catalog.erase import Deleted, Eraser
from headrace_storage.catalog.logged_models import LoggedModels
from headrace_storage.catalog.logged_models_search import ModelOrder, ModelQuery, ModelSearch
from headrace_storage.catalog.registry import Registry
from headrace_storage.catalog.registry_search import RegistryQuery, RegistrySearch
from headrace_storage.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_storage.lineage import LinkMetric, LogModels, ModelStep
from headrace_storage.model import CreateRun, RunChange
from headrace_storage.registered import LoggedModel, ModelMetric, ModelStatus, NewModel, NewVersion
from headrace_storage.search import listing

CREATE = CreateRun("0", "", "", "", 1, {})


async def log(daemon: Daemon, run: str, *changes: RunChange) -> list[str]:
    writer = await daemon.open()
    rejects = await daemon.commit(writer, changes=[(run, change) for change in changes])
    return [reject.code for reject in rejects]


async def make(daemon: Daemon, name: str = "forest", run: str = "", **fields: dict[str, str]) -> LoggedModel:
    return await LoggedModels(daemon.database).create(NewModel("0", name, source_run_id=run, **fields))  # type: ignore[arg-type]


async def test_points_belong_to_a_model(daemon: Daemon) -> None:
    run = uuid4().hex
    await log(daemon, run, CREATE)
    model = await make(daemon, run=run, params={"a": "1"}, tags={"b": "2"})
    assert (model.status, model.params, model.tags) == (ModelStatus.PENDING, {"a": "1"}, {"b": "2"})
    assert model.artifact_uri.endswith(f"/models/{model.model_id}/artifacts")
    link = LinkMetric("acc", 0.5, 1000, 3, model.model_id, "test", "d")
    assert not await log(daemon, run, link, link._replace(value=0.75), link._replace(step=4, dataset_name=""))
    assert (await LoggedModels(daemon.database).get(model.model_id)).metrics == [
        ModelMetric("acc", 0.75, 1000, 3, "test", "d", run), ModelMetric("acc", 0.5, 1000, 4, "", "d", run),
    ]  # fmt: skip
    assert (await daemon.runs.get_run(run)).lineage.inputs == [ModelStep(model.model_id)]


async def test_a_model_that_a_run_made_is_none_that_it_used(daemon: Daemon) -> None:
    run = uuid4().hex
    await log(daemon, run, CREATE)
    model = (await make(daemon, run=run)).model_id
    await log(daemon, run, LogModels((), [ModelStep(model, 3)]), LinkMetric("acc", 0.5, 1000, 3, model))
    lineage = (await daemon.runs.get_run(run)).lineage
    assert (lineage.inputs, lineage.outputs) == ([], [ModelStep(model, 3)])


async def test_a_point_may_say_nothing_of_what_the_run_uses(daemon: Daemon) -> None:
    run, model = uuid4().hex, (await make(daemon)).model_id
    await log(daemon, run, CREATE, LinkMetric("acc", 0.5, 1000, 3, model, only=True))
    assert len((await LoggedModels(daemon.database).get(model)).metrics) == 1
    assert not (await daemon.runs.get_run(run)).lineage.inputs


async def test_the_same_request_makes_one_model(daemon: Daemon) -> None:
    models = LoggedModels(daemon.database)
    new = NewModel("0", "forest", f"m-{uuid4().hex}", params={"a": "1"})
    first, *others = await asyncio.gather(*(models.create(new) for _ in range(5)))
    assert all(other == first for other in others)
    with pytest.raises(AlreadyExistsError):
        await models.create(new._replace(name="tree"))


async def test_params_are_written_once(daemon: Daemon) -> None:
    models, model = LoggedModels(daemon.database), (await make(daemon)).model_id
    await models.log_params(model, {"a": "1"})
    await models.log_params(model, {"a": "1", "b": "2"})
    with pytest.raises(InvalidArgumentError, match="written once"):
        await models.log_params(model, {"c": "3", "b": "4"})
    assert (await models.get(model)).params == {"a": "1", "b": "2"}


async def test_deleted_models_are_hidden(daemon: Daemon) -> None:
    models, model = LoggedModels(daemon.database), (await make(daemon)).model_id
    await models.delete(model)
    with pytest.raises(NotFoundError):
        await models.get(model)
    assert (await models.get(model, allow_deleted=True)).lifecycle_stage == "deleted"
    assert await ModelSearch(daemon.database).find(ModelQuery()) == ([], "")
    await models.restore(model)
    assert (await models.get(model)).lifecycle_stage == "active"


@pytest.mark.parametrize(
    "new",
    [
        NewModel("0", "a/b"), NewModel("0", "x" * 501), NewModel("0", model_id="m-1"), NewModel("0", "a\0"),
        NewModel("0", source_run_id="x"), NewModel("0", params={"": "v"}),
        NewModel("0", tags={"k": "v" * 8001}), NewModel("0", model_type="x" * 501),
    ],
)  # fmt: skip
async def test_what_breaks_a_rule(daemon: Daemon, new: NewModel) -> None:
    with pytest.raises(InvalidArgumentError):
        await LoggedModels(daemon.database).create(new)


async def test_erased_with_their_run(daemon: Daemon) -> None:
    run, other = uuid4().hex, uuid4().hex
    await log(daemon, run, CREATE)
    await log(daemon, other, CREATE)
    own, foreign = await make(daemon, run=run), await make(daemon, run=other)
    await log(daemon, run, *(LinkMetric("acc", 1.0, 1, 1, model.model_id) for model in (own, foreign)))
    await daemon.runs.delete(run)
    await Eraser(daemon.database).erase(Deleted())
    with pytest.raises(NotFoundError):
        await LoggedModels(daemon.database).get(own.model_id, allow_deleted=True)
    assert (await LoggedModels(daemon.database).get(foreign.model_id)).metrics == []


async def test_pages_walk_in_order(daemon: Daemon) -> None:
    run = uuid4().hex
    await log(daemon, run, CREATE)
    made = [await make(daemon, f"model {place}") for place in range(7)]
    values = [0.3, 0.1, None, 0.3, float("nan"), 0.2, 0.9]
    await log(daemon, run, *(
        LinkMetric("acc", value, 1, 1, model.model_id)
        for model, value in zip(made, values, strict=True) if value is not None
    ))  # fmt: skip
    search = ModelSearch(daemon.database)
    query = ModelQuery(order_by=[ModelOrder("metrics.acc", ascending=False), ModelOrder("name")], limit=2)
    names, token = [], ""
    while True:
        page, token = await search.find(query._replace(page_token=token))
        names += [int(model.name[-1]) for model in page]
        if not token:
            break
    assert names == [6, 0, 3, 5, 1, 2, 4]
    page, token = await search.find(query)
    with pytest.raises(InvalidArgumentError, match="another order_by"):
        await search.find(query._replace(order_by=[], page_token=token))


@pytest.mark.parametrize(
    "text",
    [
        "metrics.acc LIKE 'a'",
        "params.a > 1",
        "datasets.name = 'a'",
        "size = 1",
        "name = 'a'; DROP TABLE runs",
    ],
)
async def test_filters_that_are_none(daemon: Daemon, text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="character"):
        await ModelSearch(daemon.database).find(ModelQuery(filter=text))
    with pytest.raises(InvalidArgumentError, match="character"):
        await RegistrySearch(daemon.database).versions(RegistryQuery(filter=text.replace("name =", "name <")))


async def test_versions_are_numbered_once_each(daemon: Daemon) -> None:
    registry = Registry(daemon.database)
    await registry.create("forest", "", {})
    made = await asyncio.gather(*(registry.create_version(NewVersion("forest", "s3://a")) for _ in range(8)))
    assert sorted(version.version for version in made) == list(range(1, 9))
    await registry.set_alias("forest", "best", 8)
    await registry.delete_version("forest", 8)
    assert (await registry.get("forest")).aliases == {}
    assert (await registry.create_version(NewVersion("forest", "s3://a"))).version == 9


async def test_one_of_many_gets_the_name(daemon: Daemon) -> None:
    registry = Registry(daemon.database)
    tries = [registry.create("forest", str(place), {}) for place in range(6)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, AlreadyExistsError) for outcome in outcomes) == 5


async def test_a_version_of_a_logged_model(daemon: Daemon) -> None:
    run = uuid4().hex
    await log(daemon, run, CREATE)
    model, registry = await make(daemon, run=run), Registry(daemon.database)
    await registry.create("forest", "", {})
    made = await registry.create_version(NewVersion("forest", f"models:/{model.model_id}"))
    assert (made.storage_location, made.run_id) == (model.artifact_uri, run)
    copy = await registry.create_version(NewVersion("forest", "models:/forest/1"))
    assert copy.storage_location == model.artifact_uri
    for source in (f"models:/m-{'0' * 32}", "models:/forest/7"):
        with pytest.raises(NotFoundError):
            await registry.create_version(NewVersion("forest", source))


@pytest.mark.parametrize("argument", ["run_id", "run_link", "model_id", "user_id"])
async def test_texts_of_a_version_have_bounds(daemon: Daemon, argument: str) -> None:
    registry = Registry(daemon.database)
    await registry.create("forest", "", {})
    version: Any = NewVersion("forest", "s3://a")
    for text, told in (("x" * 501, f"{argument} has 501 characters"), ("\0", f"{argument} holds a NUL")):
        with pytest.raises(InvalidArgumentError, match=told):
            await registry.create_version(version._replace(**{argument: text}))


async def test_renaming_takes_everything_along(daemon: Daemon) -> None:
    registry = Registry(daemon.database)
    await registry.create("forest", "trees", {"a": "b"})
    await registry.create_version(NewVersion("forest", "s3://a", tags={"c": "d"}))
    await registry.set_alias("forest", "best", 1)
    renamed = await registry.rename("forest", "wood")
    assert (renamed.tags, renamed.aliases) == ({"a": "b"}, {"best": 1})
    version = await registry.get_version_by_alias("wood", "best")
    assert (version.name, version.tags) == ("wood", {"c": "d"})
    with pytest.raises(NotFoundError):
        await registry.get("forest")


async def test_a_name_that_somebody_takes_at_the_same_time(daemon: Daemon) -> None:
    registry = Registry(daemon.database)
    await registry.create("forest", "", {})
    await daemon.experiments.create("digits", "", {})
    async with daemon.database.transaction() as other:
        await other.execute("INSERT INTO registered_models VALUES ('wood', '', 0, 0)")
        await other.execute(
            "INSERT INTO experiments (name, artifact_location, creation_time, last_update_time)"
            " VALUES ('letters', '', 0, 0)"
        )
        renamings = asyncio.gather(
            registry.rename("forest", "wood"),
            daemon.experiments.rename("1", "letters"),
            return_exceptions=True,
        )
        async with daemon.database.acquire() as watching:
            blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while await watching.fetchval(blocked) < 2:  # noqa: ASYNC110 -- PostgreSQL tells nobody
                await asyncio.sleep(0.01)
    assert [type(outcome) for outcome in await renamings] == [AlreadyExistsError] * 2
    assert (await registry.get("forest")).name == "forest"


async def test_a_page_has_a_bound_of_points(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    run, models = uuid4().hex, [(await make(daemon, name)).model_id for name in "abcd"]
    await log(daemon, run, CREATE)
    for model, points in zip(models, (2, 1, 5, 0), strict=True):
        await log(daemon, run, *(LinkMetric("acc", 0.5, 1, step, model) for step in range(points)))
    monkeypatch.setattr(logged_models_search, "_MOST_POINTS", 3)
    pages, token = [], None
    while token != "":
        found, token = await ModelSearch(daemon.database).find(
            ModelQuery(order_by=[ModelOrder("name")], page_token=token or "")
        )
        pages.append([(model.name, len(model.metrics)) for model in found])
    assert pages == [[("a", 2), ("b", 1)], [("c", 5)], [("d", 0)]]


async def test_searches_leave_the_loop_to_others(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, page = [], listing.page

    def watched(*arguments: Any) -> Any:
        threads.append(threading.current_thread())
        return page(*arguments)

    monkeypatch.setattr(listing, "page", watched)
    await ModelSearch(daemon.database).find(ModelQuery())
    await RegistrySearch(daemon.database).models(RegistryQuery())
    await RegistrySearch(daemon.database).versions(RegistryQuery())
    assert len(threads) == 3
    assert threading.main_thread() not in threads


async def test_searches_of_the_registry(daemon: Daemon) -> None:
    registry, search = Registry(daemon.database), RegistrySearch(daemon.database)
    for name in ("b", "a", "c"):
        await registry.create(name, "", {"team": "x"} if name != "c" else {})
        for number in "12":
            await registry.create_version(NewVersion(name, f"s3://{number}", tags={"n": number}))
    found, token = await search.models(RegistryQuery("tags.team = 'x' OR name = 'c'", limit=2))
    assert [model.name for model in found] == ["a", "b"]
    assert [version.version for version in found[0].latest_versions] == [2]
    rest, end = await search.models(RegistryQuery("tags.team = 'x' OR name = 'c'", limit=2, page_token=token))
    assert ([model.name for model in rest], end) == (["c"], "")
    versions, _ = await search.versions(RegistryQuery("tags.n = '2' AND name != 'b'", ["name DESC"]))
    assert [(version.name, version.version) for version in versions] == [("c", 2), ("a", 2)]


async def test_numbers_and_times_from_elsewhere_are_kept(daemon: Daemon) -> None:
    registry = Registry(daemon.database)
    assert (await registry.create("forest", "", {}, 1000)).creation_time == 1000
    moved = NewVersion("forest", "s3://a", number=3, creation_time=2000)
    made = await registry.create_version(moved)
    assert (made.version, made.creation_time) == (3, 2000)
    for taken in (1, 3):
        with pytest.raises(AlreadyExistsError):
            await registry.create_version(moved._replace(number=taken))
    with pytest.raises(NotFoundError):
        await registry.create_version(moved._replace(name="none"))
    assert (await registry.create_version(NewVersion("forest", "s3://a"))).version == 4
    model = await LoggedModels(daemon.database).create(NewModel("0", "net", creation_time=3000))
    assert model.creation_time == 3000


async def test_mlflows_clients_mean_models_without_their_tag_of_prompts(daemon: Daemon) -> None:
    registry = Registry(daemon.database)
    await registry.create("forest", "", {})
    await registry.create("words", "", {"mlflow.prompt.is_prompt": "true"})
    search = RegistrySearch(daemon.database)
    for sign, name in (("!=", "forest"), ("=", "words")):
        found, _ = await search.models(RegistryQuery(f"tags.`mlflow.prompt.is_prompt` {sign} 'true'"))
        assert [model.name for model in found] == [name]
