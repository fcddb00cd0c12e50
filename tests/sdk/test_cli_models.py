"""``headrace models``: what it asks the daemon, and what it prints."""

import json
from typing import Any

import pytest

from fake_core import FakeCore
from headrace.cli import main
from headrace.errors import NotFoundError
from headrace_proto.v1 import models_pb2 as pb
from headrace_proto.v1 import tracking_pb2

ONE, TWO = f"m-{'1' * 32}", f"m-{'2' * 32}"


def model(model_id: str, name: str, depth: str, accuracy: float) -> pb.LoggedModel:
    return pb.LoggedModel(
        model_id=model_id, name=name, experiment_id="0", status=pb.LOGGED_MODEL_READY,
        params={"depth": depth, "same": "x"}, creation_time=1_700_000_000_000,
        metrics=[
            pb.ModelMetric(key="acc", value=accuracy, timestamp=2, step=1, dataset_name="test"),
            pb.ModelMetric(key="acc", value=0.1, timestamp=1, step=0),
        ],
    )  # fmt: skip


@pytest.fixture(autouse=True)
def daemon(fake: FakeCore) -> FakeCore:
    models = {ONE: model(ONE, "first", "3", 0.75), TWO: model(TWO, "second", "4", 0.5)}

    def get(request: Any) -> pb.LoggedModel:
        if request.model_id not in models:
            raise NotFoundError(f"there is no logged model {request.model_id!r}")
        return models[request.model_id]

    version = pb.ModelVersion(name="forest", version=2, model_id=TWO, aliases=["best"], current_stage="None")
    registered = pb.RegisteredModel(name="forest", aliases={"best": 2}, latest_versions=[version])
    fake.responses |= {
        "SearchLoggedModels": pb.SearchLoggedModelsResponse(models=models.values()),
        "GetLoggedModel": get,
        "GetModelVersion": version,
        "GetRegisteredModel": registered,
        "SearchRegisteredModels": pb.SearchRegisteredModelsResponse(models=[registered]),
        "SearchModelVersions": pb.SearchModelVersionsResponse(versions=[version]),
        "CreateModelVersion": version,
        "ChangeRegisteredModel": registered,
    }
    return fake


def asked(daemon: FakeCore, method: str) -> Any:
    return next(request for name, request in daemon.asked if name == method)


def test_models_are_listed(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "models",
        "list",
        "metrics.acc > 0",
        "--order-by",
        "metrics.acc DESC",
        "--dataset",
        "test",
        "--max",
        "5",
    ]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["MODEL", "NAME", "STATUS", "CREATED", "METRICS"]
    assert ONE in lines[1]
    assert lines[1].endswith("acc=0.75")
    request = asked(daemon, "SearchLoggedModels")
    assert (request.filter, request.max_results, request.datasets[0].name) == ("metrics.acc > 0", 5, "test")
    assert (request.order_by[0].field_name, request.order_by[0].descending) == ("metrics.acc", True)
    assert main(["models", "list", "--json"]) == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == ["first", "second"]


@pytest.mark.parametrize("text", [TWO, "models:/forest/2", "models:/forest@best", "forest@best"])
def test_a_model_is_shown(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", text]) == 0
    shown = capsys.readouterr().out
    assert "metrics.acc on test  0.5" in shown
    assert TWO in shown


def test_models_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "compare", ONE, "forest@best"]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["params.depth", "3", "4"] in shown
    assert not [line for line in shown if line[0] == "params.same"]
    assert main(["models", "compare", ONE, TWO, "--all", "--csv"]) == 0
    assert "params.same,x,x" in capsys.readouterr().out


def test_the_registry(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "registered"]) == 0
    assert "@best=2" in capsys.readouterr().out
    assert main(["models", "versions", "for'est"]) == 0
    assert asked(daemon, "SearchModelVersions").filter == "name = 'for''est'"
    assert main(["models", "register", TWO, "forest", "--alias", "best"]) == 0
    assert asked(daemon, "CreateModelVersion").source == f"models:/{TWO}"
    assert asked(daemon, "ChangeRegisteredModel").set_alias.alias == "best"


def test_a_run_shows_what_it_used_and_made(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = "ab" * 16
    dataset = pb.Dataset(name="train", digest="d1")
    used = [
        pb.DatasetInput(dataset=dataset, tags={"mlflow.data.context": "training"}),
        pb.DatasetInput(dataset=pb.Dataset(name="test", digest="d2")),
    ]
    made = [pb.ModelStep(model_id=ONE, step=7)]
    info = tracking_pb2.RunInfo(run_id=run_id, status=tracking_pb2.RUNNING)
    daemon.responses["GetRun"] = tracking_pb2.Run(info=info, dataset_inputs=used, model_outputs=made)
    daemon.responses["GetSummaries"] = tracking_pb2.GetSummariesResponse()
    assert main(["runs", "show", run_id]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["train", "d1", "training"] in lines
    assert ["test", "d2"] in lines
    assert [ONE, "7"] in lines


def test_no_such_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", f"m-{'3' * 32}"]) == 1
    assert "there is no logged model" in capsys.readouterr().err
