"""Logged models and the registry: what is asked of the daemon, and whose points are."""

from pathlib import Path
from typing import Any

import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace.entities import Dataset, LoggedModelStatus
from headrace.errors import AlreadyExistsError, InvalidArgumentError
from headrace_proto.v1 import models_pb2 as pb

MODEL = f"m-{'a' * 32}"
RUN = "ab" * 16


def made(request: Any) -> pb.LoggedModel:
    return pb.LoggedModel(
        model_id=request.model_id, experiment_id="0", name=getattr(request, "name", "") or "n",
        status=pb.LOGGED_MODEL_PENDING,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def daemon(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.active_model._chosen", None)
    fake.responses |= dict.fromkeys(("CreateLoggedModel", "GetLoggedModel", "ChangeLoggedModel"), made)


def asked(fake: FakeCore, method: str) -> list[Any]:
    return [request for name, request in fake.asked if name == method]


def links(fake: FakeCore) -> list[tuple[str, str, str]]:
    said = [one.change.link_metric for one in fake.changes() if one.change.HasField("link_metric")]
    return [(one.key, one.model_id, one.dataset_name) for one in said]


def test_a_model_of_the_active_run(fake: FakeCore) -> None:
    with headrace.start_run() as run:
        model = headrace.initialize_logged_model(
            "forest", params={"depth": 3}, tags={"a": "b"}, model_type="tree"
        )
        headrace.finalize_logged_model(model.model_id, "READY")
    [request] = asked(fake, "CreateLoggedModel")
    assert (request.source_run_id, request.experiment_id) == (run.info.run_id, "0")
    assert (request.name, request.model_type, dict(request.params)) == ("forest", "tree", {"depth": "3"})
    assert (request.tags["a"], request.tags["mlflow.source.type"]) == ("b", "LOCAL")
    assert request.model_id.startswith("m-")
    [change] = asked(fake, "ChangeLoggedModel")
    assert (change.model_id, change.status) == (request.model_id, pb.LOGGED_MODEL_READY)
    last = headrace.last_logged_model()
    assert last is not None
    assert (last.model_id, last.model_uri) == (model.model_id, f"models:/{model.model_id}")
    assert (model.status, str(model.status)) == (LoggedModelStatus.PENDING, "PENDING")


def test_metrics_belong_to_the_active_model(fake: FakeCore) -> None:
    dataset = Dataset("test", "d", "local", "{}")
    with headrace.start_run() as run:
        headrace.log_metric("a", 1.0, 0)
        with headrace.set_active_model(model_id=MODEL):
            assert headrace.get_active_model_id() == MODEL
            headrace.log_metric("b", 1.0, 1)
            headrace.log_metrics({"c": 2}, step=1)
            headrace.log_metric("d", 1.0, run_id=run.info.run_id)
            headrace.log_metric("e", 1.0, dataset=dataset)
            headrace.log_metric("f", 1.0, model_id="m-other")
            headrace.log_param("p", 1)
            headrace.log_model_params({"q": 1})
            with headrace.start_run(nested=True):
                headrace.log_metric("g", 1.0, 1)
        headrace.log_metric("h", 1.0, 2)
    expected = [("b", MODEL, ""), ("c", MODEL, ""), ("d", MODEL, ""), ("e", MODEL, "test")]
    assert links(fake) == [*expected, ("f", "m-other", ""), ("g", MODEL, "")]
    assert [point.key for point in fake.points()] == list("abcdefgh")
    assert asked(fake, "ChangeLoggedModel")[0].params.texts == {"q": "1"}
    assert headrace.get_active_model_id() is None


def test_the_dataset_of_a_metric_is_used_by_the_run(fake: FakeCore) -> None:
    dataset = Dataset("test", "d", "local", "{}")
    with headrace.start_run():
        for step in range(3):
            headrace.log_metric("a", 1.0, step, model_id=MODEL, dataset=dataset)
    used = [one.change.dataset for one in fake.changes() if one.change.HasField("dataset")]
    assert [one.input.dataset.name for one in used] == ["test"]


def test_searches(fake: FakeCore, ask: Ask) -> None:
    answer = pb.SearchLoggedModelsResponse(models=[pb.LoggedModel(model_id=MODEL)], next_page_token="t")
    fake.responses["SearchLoggedModels"] = answer
    order = [{"field_name": "metrics.acc", "ascending": False, "dataset_name": "v"}, {"field_name": "name"}]
    page = ask("search_logged_models", ["1"], "name = 'a'", [{"dataset_name": "t"}], 5, order)
    assert (page[0].model_id, page.token) == (MODEL, "t")
    [request] = asked(fake, "SearchLoggedModels")
    by = [(one.field_name, one.descending, one.dataset_name) for one in request.order_by]
    assert by == [("metrics.acc", True, "v"), ("name", False, "")]
    assert (request.filter, request.datasets[0].name, request.max_results) == ("name = 'a'", "t", 5)
    with pytest.raises(InvalidArgumentError, match="dataset_name"):
        ask("search_logged_models", ["1"], datasets=[{"name": "t"}])


def test_registering(fake: FakeCore) -> None:
    fake.responses["CreateRegisteredModel"] = AlreadyExistsError("taken")
    fake.responses["CreateModelVersion"] = pb.ModelVersion(name="forest", version=3)
    version = headrace.register_model(f"models:/{MODEL}", "forest", tags={"a": 1})
    assert version.version == "3"
    [request] = asked(fake, "CreateModelVersion")
    assert (request.source, request.model_id, dict(request.tags)) == (f"models:/{MODEL}", MODEL, {"a": "1"})


def test_versions_of_stages_and_aliases(fake: FakeCore, ask: Ask) -> None:
    versions = [pb.ModelVersion(name="a", version=2, current_stage="Production")]
    fake.responses["GetRegisteredModel"] = pb.RegisteredModel(name="a", latest_versions=versions)
    fake.responses["ChangeModelVersion"] = pb.ModelVersion()
    fake.responses["GetModelVersion"] = pb.ModelVersion(name="a", version=2, aliases=["best"])
    assert [one.version for one in ask("get_latest_versions", "a", ["production"])] == ["2"]
    assert ask("get_latest_versions", "a", ["Staging"]) == []
    ask("set_model_version_tag", "a", key="k", value=1, stage="Production")
    assert asked(fake, "ChangeModelVersion")[0].version == 2
    assert ask("get_model_version_by_alias", "a", "best").aliases == ["best"]
    for arguments in (("a", "1", "k", "v", "Production"), ("a", None, "k", "v")):
        with pytest.raises(InvalidArgumentError, match="not both"):
            ask("set_model_version_tag", *arguments)
    with pytest.raises(InvalidArgumentError, match="decimal number"):
        ask("get_model_version", "a", "x")


def test_models_of_no_experiment_are_none(fake: FakeCore, ask: Ask) -> None:
    assert ask("search_logged_models", []) == []
    assert asked(fake, "SearchLoggedModels") == []


@pytest.mark.parametrize(
    ("uri", "name", "version", "alias"),
    [
        ("models:/forest/3", "forest", 3, ""),
        ("models:/forest@best", "forest", 0, "best"),
        ("models:/a@b/3", "a@b", 3, ""),
        ("models:/a@b@best", "a@b", 0, "best"),
    ],
)
def test_uris_of_versions(fake: FakeCore, uri: str, name: str, version: int, alias: str) -> None:
    fake.responses["GetModelVersion"] = pb.ModelVersion(name="x", version=1)
    fake.responses |= dict.fromkeys(("CreateRegisteredModel", "CreateModelVersion"), pb.ModelVersion())
    headrace.Client().copy_model_version(uri, "copy")
    [request] = asked(fake, "GetModelVersion")
    assert (request.name, request.version, request.alias) == (name, version, alias)


@pytest.mark.parametrize(
    ("method", "arguments", "argument"),
    [
        ("create_registered_model", [5], "name"),
        ("create_registered_model", ["\ud800"], "name"),
        ("create_registered_model", ["a", ["tag"]], "tags"),
        ("create_registered_model", ["a", None, 5], "description"),
        ("get_registered_model", [5], "name"),
        ("rename_registered_model", ["a", 5], "new_name"),
        ("update_registered_model", ["a", 5], "description"),
        ("delete_registered_model_tag", ["a", None], "key"),
        ("set_registered_model_alias", ["a", 5, 1], "alias"),
        ("delete_registered_model_alias", ["a", None], "alias"),
        ("get_latest_versions", [5], "name"),
        ("create_model_version", ["a", Path("files")], "source"),
        ("create_model_version", ["a", "s3://a", 5], "run_id"),
        ("copy_model_version", [None, "b"], "model URI"),
        ("copy_model_version", ["models:/a/1", 5], "dst_name"),
        ("get_model_version", [5, 1], "name"),
        ("get_model_version_by_alias", ["a", 5], "alias"),
        ("update_model_version", ["a", 1, 5], "description"),
        ("transition_model_version_stage", ["a", 1, 5], "stage"),
        ("transition_model_version_stage", ["a", 1, "Staging", "no"], "archive_existing_versions"),
        ("delete_model_version_tag", ["a", 1, None], "key"),
        ("search_registered_models", [None, 1, None, 5], "page_token"),
        ("search_model_versions", [None, 1, None, 5], "page_token"),
        ("create_logged_model", ["0", "n", None, ["tag"]], "tags"),
        ("create_logged_model", ["0", "n", None, None, ["param"]], "params"),
        ("create_logged_model", ["0", "n", None, None, None, 5], "model_type"),
        ("log_model_params", [MODEL, ["param"]], "params"),
        (
            "search_logged_models",
            [None, None, [{"dataset_name": "a", "dataset_digest": 5}]],
            "dataset_digest",
        ),
        ("search_logged_models", [None, None, None, None, None, 5], "page_token"),
        ("search_runs", [None, "", 1, 1, None, 5], "page_token"),
        ("search_experiments", [1, 1, None, None, 5], "page_token"),
        ("get_metric_histories", [RUN], "page_token"),
    ],
)
def test_what_is_no_text_is_named(fake: FakeCore, method: str, arguments: list[Any], argument: str) -> None:
    options = {"page_token": 5} if method == "get_metric_histories" else {}
    with pytest.raises(InvalidArgumentError) as refused:
        getattr(headrace.Client(), method)(*arguments, **options)
    assert refused.value.argument.startswith(argument)
    assert fake.asked == []
