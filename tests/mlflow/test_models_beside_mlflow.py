"""Logged models and the registry here and at MLflow: the same scenarios, the same searches."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from beside import Side

mlflow = pytest.importorskip("mlflow")

Play = Callable[[Callable[[Side], None]], None]

NO_MODEL = f"m-{'f' * 32}"


def metric(point: Any) -> list[Any]:
    return [point.key, point.value, point.timestamp, point.step, point.dataset_name, point.dataset_digest]


def model(found: Any) -> list[Any]:
    tags = {key: value for key, value in found.tags.items() if not key.startswith("mlflow.")}
    points = sorted(map(metric, found.metrics or []), key=str)
    kind = found.model_type or None
    return [
        found.name,
        str(found.status.value),
        kind,
        tags,
        dict(found.params),
        points,
        found.source_run_id is None,
    ]


def registered(found: Any) -> list[Any]:
    aliases = {alias: str(number) for alias, number in found.aliases.items()}
    latest = sorted([version(each) for each in found.latest_versions or []], key=str)
    return [found.name, found.description or None, dict(found.tags), aliases, latest]


def version(found: Any) -> list[Any]:
    return [found.name, str(found.version), found.description or None, found.current_stage, found.source,
            dict(found.tags), found.run_link or None, found.status]  # fmt: skip


def test_a_logged_model(play: Play) -> None:
    def scenario(side: Side) -> None:
        client = side.client
        experiment = client.create_experiment("logged models")
        run = client.create_run(experiment).info.run_id
        made = client.create_logged_model(experiment, "forest", run, {"a": "b"}, {"depth": "3"}, "tree")
        side.noted.append(model(made))
        client.log_model_params(made.model_id, {"trees": "10"})
        client.set_logged_model_tags(made.model_id, {"a": "c", "d": 1})
        client.delete_logged_model_tag(made.model_id, "d")
        side.code(client.delete_logged_model_tag, made.model_id, "d")
        client.log_metric(run, "acc", 0.5, 1000, 1, model_id=made.model_id)
        client.log_metric(
            run, "acc", 0.7, 2000, 2, dataset_name="t", dataset_digest="d", model_id=made.model_id
        )
        side.noted.append(model(client.get_logged_model(made.model_id)))
        side.noted.append(model(client.finalize_logged_model(made.model_id, "READY")))
        client.log_outputs(run, [side.entities.LoggedModelOutput(made.model_id, 2)])
        side.noted.append([one.step for one in client.get_run(run).outputs.model_outputs])
        side.code(client.get_logged_model, NO_MODEL)
        side.code(client.finalize_logged_model, NO_MODEL, "READY")
        side.refused(client.set_logged_model_tags, NO_MODEL, {"a": "b"})
        side.code(client.create_logged_model, experiment, "a/b")
        side.code(client.create_logged_model, experiment, "")
        side.code(client.create_logged_model, "987654", "a")
        client.delete_logged_model(made.model_id)
        side.code(client.get_logged_model, made.model_id)
        side.noted.append(len(client.search_logged_models([experiment])))
        client.delete_experiment(experiment)
        side.code(client.create_logged_model, experiment, "late")

    play(scenario)


def test_the_guides_checkpoints(play: Play) -> None:
    """As MLflow's guide ranks checkpoints."""

    def scenario(side: Side) -> None:
        module = side.module
        module.set_experiment("checkpoints")
        validation = side.entities.Dataset("validation", "v1", "local", "{}")
        with module.start_run() as run:
            for epoch in range(5):
                made = module.initialize_logged_model(f"checkpoint-{epoch}", params={"epoch": epoch})
                module.log_outputs([side.entities.LoggedModelOutput(made.model_id, epoch)])
                module.log_metric(
                    "accuracy", epoch * (5 - epoch), epoch, model_id=made.model_id, dataset=validation
                )
                module.finalize_logged_model(made.model_id, "READY")
            external = module.create_external_model("elsewhere")
        ranked = module.search_logged_models(
            filter_string=f"source_run_id = '{run.info.run_id}'",
            order_by=[{"field_name": "metrics.accuracy", "ascending": False}], output_format="list",
        )  # fmt: skip
        side.noted.append([each.name for each in ranked[:2]])
        side.noted.append(metric(ranked[0].metrics[0])[1:2])
        side.noted.append(sorted(each.name for each in ranked))
        side.noted.append(module.last_logged_model().model_id == external.model_id)
        used = module.get_run(run.info.run_id).inputs
        side.noted.append([each.dataset.name for each in used.dataset_inputs])
        side.noted.append(len(module.get_run(run.info.run_id).outputs.model_outputs))
        frame = module.search_logged_models(max_results=3)
        side.noted.append([len(frame), sorted(set(frame.columns) - {"lifecycle_stage"})])

    play(scenario)


def test_random_searches_of_models(sides: tuple[Side, Side]) -> None:
    random_searches_of_models(sides, 40, 80)


def random_searches_of_models(sides: tuple[Side, Side], models: int, searches: int) -> None:
    rng = random.Random(5)
    plans = [
        {
            "params": {"depth": rng.choice("123")},
            "tags": {"team": rng.choice(["a", "B", "ab"])},
            "points": [
                (rng.choice(["acc", "loss"]), rng.randrange(10) / 10, 1000 + at, rng.randrange(3),
                 rng.choice([None, "t", "v"]))
                for at in range(rng.randrange(5))
            ],
        }
        for _ in range(models)
    ]  # fmt: skip
    experiments = []
    for side in sides:
        experiment = side.client.create_experiment("random models")
        experiments.append(experiment)
        run = side.client.create_run(experiment).info.run_id
        for place, plan in enumerate(plans):
            made = side.client.create_logged_model(
                experiment,
                f"model {place:02}",
                run,
                plan["tags"],
                plan["params"],
                "odd" if place % 2 else None,
            )
            for key, value, time, step, dataset in plan["points"]:
                named = {"dataset_name": dataset, "dataset_digest": "d1"} if dataset else {}
                side.client.log_metric(run, key, value, time, step, model_id=made.model_id, **named)
    for _ in range(searches):
        conditions = [rng.choice([
            f"metrics.{rng.choice(['acc', 'loss'])} {rng.choice(['<', '<=', '=', '!='])} {rng.random():.1f}",
            f"params.depth {rng.choice(['=', '!='])} '{rng.choice('1234')}'",
            f"tags.team {rng.choice(['LIKE', 'ILIKE', '='])} '{rng.choice(['a', 'A%', '%b', '%'])}'",
            f"name {rng.choice(['LIKE', '!='])} 'model {rng.choice(['0%', '1%', '07'])}'",
            "model_type = 'odd'", "name IN ('model 01', 'model 02', 'model 33')",
        ]) for _ in range(rng.randrange(3))]  # fmt: skip
        datasets = rng.choice(
            [None, None, [{"dataset_name": "t"}], [{"dataset_name": "v", "dataset_digest": "d1"}]]
        )
        field = rng.choice(["metrics.acc", "metrics.loss", "metrics.none", "name"])
        clause: dict[str, Any] = {"field_name": field, "ascending": rng.random() < 0.5}
        if field.startswith("metrics") and rng.random() < 0.5:
            clause["dataset_name"] = rng.choice("tv")
        order = [clause, {"field_name": "name"}] if field != "name" else [clause]
        asked = " AND ".join(conditions), datasets, order, rng.choice([7, 100])
        ours, theirs = (
            pages(side, experiment, *asked) for side, experiment in zip(sides, experiments, strict=True)
        )
        assert ours == theirs, asked


def pages(  # noqa: PLR0917 - a search
    side: Side, experiment: str, text: str, datasets: Any, order: Any, size: int
) -> list[list[str]]:
    found, token = [], None
    while True:
        page = side.client.search_logged_models([experiment], text or None, datasets, size, order, token)
        found.append([each.name for each in page])
        token = page.token
        if not token:
            return found


def test_searches_that_both_refuse(play: Play) -> None:
    def scenario(side: Side) -> None:
        experiment = side.client.create_experiment("refused")
        for text in ("metrics.acc LIKE 'a'", "params.a > '1'", "foo.a = 'b'", "name", "metrics.acc = 'a'"):
            side.refused(side.client.search_logged_models, [experiment], text)
        for order in ({"field_name": "params.a"}, {"field_name": "nothing"}):
            side.refused(side.client.search_logged_models, [experiment], None, None, None, [order])
        side.code(side.client.search_logged_models, [experiment], None, [{"dataset_name": ""}])

    play(scenario)


def test_the_registry(play: Play) -> None:
    def scenario(side: Side) -> None:
        client = side.client
        side.noted.append(registered(client.create_registered_model("digits", {"a": "b"}, "reads digits")))
        side.code(client.create_registered_model, "digits")
        for bad in ("", "a/b", "a:b", " "):
            side.code(client.create_registered_model, bad)
        for number in range(3):
            made = client.create_model_version(
                "digits", f"s3://a/{number}", tags={"n": number}, run_link="http://a"
            )
            side.noted.append(version(made))
        side.code(client.create_model_version, "nothing", "s3://a")
        side.noted.append(version(client.transition_model_version_stage("digits", "1", "production")))
        side.noted.append(version(client.transition_model_version_stage("digits", "2", "Production", True)))
        side.code(client.transition_model_version_stage, "digits", "2", "nowhere")
        side.refused(client.transition_model_version_stage, "digits", "2", "None", True)
        side.noted.append(sorted(map(version, client.get_latest_versions("digits"))))
        side.noted.append(sorted(map(version, client.get_latest_versions("digits", ["production"]))))
        side.noted.append(client.get_model_version_stages("digits", "1"))
        client.set_registered_model_alias("digits", "best", "2")
        client.set_registered_model_alias("digits", "good", "3")
        client.set_registered_model_alias("digits", "best", "3")
        for alias in ("", "v3", "latest", "a b", "x" * 256):
            side.code(client.set_registered_model_alias, "digits", alias, "1")
        side.code(client.set_registered_model_alias, "digits", "other", "9")
        side.code(client.get_model_version_by_alias, "digits", "none")
        side.noted.append(version(client.get_model_version_by_alias("digits", "best")))
        side.noted.append(sorted(client.get_model_version("digits", 3).aliases))
        client.delete_registered_model_alias("digits", "good")
        client.delete_registered_model_alias("digits", "good")
        side.noted.append(registered(client.get_registered_model("digits")))
        client.set_registered_model_tag("digits", "team", "x")
        client.delete_registered_model_tag("digits", "a")
        client.delete_registered_model_tag("digits", "a")
        client.set_model_version_tag("digits", "1", "k", "v")
        client.set_model_version_tag("digits", key="k", value="p", stage="Production")
        client.delete_model_version_tag("digits", "1", "n")
        side.noted.append(version(client.update_model_version("digits", "1", "the first")))
        side.noted.append(version(client.get_model_version("digits", "2")))
        side.code(client.get_model_version, "digits", "7")
        side.code(client.get_model_version, "digits", "x")
        side.code(client.get_registered_model, "nothing")
        side.noted.append(client.get_model_version_download_uri("digits", "1"))
        side.noted.append(version(client.copy_model_version("models:/digits/1", "copies"))[:2])
        client.delete_model_version("digits", "3")
        side.code(client.get_model_version, "digits", "3")
        side.noted.append(version(client.create_model_version("digits", "s3://a/4"))[1])
        client.rename_registered_model("digits", "numbers")
        side.noted.append(registered(client.get_registered_model("numbers")))
        side.code(client.rename_registered_model, "numbers", "copies")
        side.noted.append(registered(client.update_registered_model("numbers", "new"))[1])
        side.noted.append([each.name for each in client.search_registered_models("name LIKE 'num%'")])
        side.code(client.delete_registered_model, "digits")
        client.delete_registered_model("numbers")
        client.delete_registered_model("copies")
        side.code(client.get_registered_model, "numbers")
        side.noted.append(len(client.search_model_versions("name = 'numbers'")))

    play(scenario)


def test_logged_models_are_registered(play: Play) -> None:
    def scenario(side: Side) -> None:
        module, client = side.module, side.client
        module.set_experiment("registered")
        with module.start_run() as run:
            made = module.create_external_model("forest")
        first = module.register_model(f"models:/{made.model_id}", "forests", tags={"a": "b"})
        side.noted.append([str(first.version), first.run_id == run.info.run_id, dict(first.tags)])
        second = module.register_model("s3://bucket/forest", "forests")
        side.noted.append([str(second.version), second.source])
        side.noted.append(
            [str(each.version) for each in module.search_model_versions(filter_string="name='forests'")][:2]
        )
        side.noted.append(len(module.search_registered_models(filter_string="name='forests'")))
        client.delete_registered_model("forests")

    play(scenario)


def test_searches_of_the_registry(sides: tuple[Side, Side]) -> None:
    searches_of_the_registry(sides, 1)


def searches_of_the_registry(sides: tuple[Side, Side], every: int) -> None:
    """Of the filters, each ``every``th."""
    rng = random.Random(9)
    for side in sides:
        for place in range(12):
            side.client.create_registered_model(f"Model {place}", {"team": "abc"[place % 3], "n": str(place)})
            for number in range(place % 4):
                side.client.create_model_version(
                    f"Model {place}", f"s3://a/{number}", tags={"even": str(number % 2)}
                )
    filters = [
        None, "name = 'Model 1'", "name LIKE 'Model 1%'", "name ILIKE 'model%'", "tags.team = 'a'",
        "tags.team != 'a'", "tag.team = 'b' AND name LIKE '%1'", "name = 'x'",
        "name IN ('Model 1', 'Model 2')", "attribute.name = 'Model 3'",
    ][::every]  # fmt: skip
    for text in filters:
        for order in (None, ["name DESC"], ["last_updated_timestamp ASC", "name"]):
            for size in (5, 100):
                ours, theirs = (
                    registry_pages(side.client.search_registered_models, text, size, order) for side in sides
                )
                assert [name for page in ours for name in page] == [
                    name for page in theirs for name in page
                ], (text, order)
    for text in [
        *filters,
        "version_number = 1",
        "version_number > 1",
        "tags.even = '1'",
        "source_path LIKE '%/0'",
    ]:
        for order in (["name", "version_number DESC"], ["version_number", "name DESC"]):
            size = rng.choice([3, 100])
            ours, theirs = (
                registry_pages(side.client.search_model_versions, text, size, order) for side in sides
            )
            assert ours == theirs, (text, order)


def registry_pages(search: Callable[..., Any], text: str | None, size: int, order: Any) -> list[list[str]]:
    found, token = [], None
    while True:
        page = search(filter_string=text, max_results=size, order_by=order, page_token=token)
        found.append([f"{each.name} {getattr(each, 'version', '')}" for each in page])
        token = page.token
        if not token:
            return found
