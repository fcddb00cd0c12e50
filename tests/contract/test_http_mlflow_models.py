"""Datasets, logged models and the registry in MLflow's REST API, by raw requests."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace_ingest.http.mlflow.routes import API, PAGES
from headrace_ingest.ports import reserve
from ingest_daemon import serving
from mlflow_rest import Served

NO_MODEL = "m-" + "f" * 32


@pytest.fixture
async def served(tmp_path: Path, database_url: str) -> AsyncIterator[Served]:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        async with serving(tmp_path / "data", database_url, port):
            yield Served(port)


async def asked(served: Served, method: str, path: str, **fields: Any) -> tuple[int, Any]:
    body = json.dumps(fields).encode()
    answer = await served.ask(method, API + path, body, content_type="application/json")
    return answer.status, answer.json


async def new_model(served: Served, **fields: Any) -> str:
    made = await served.post("logged-models", experiment_id="0", **fields)
    model_id: str = made["model"]["info"]["model_id"]
    return model_id


async def test_what_a_run_used_and_made(served: Served) -> None:
    run, model = await served.run(), await new_model(served)
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}", "schema": "[]"}
    context = {"key": "mlflow.data.context", "value": "training"}
    used = {"dataset": dataset, "tags": [context]}
    await served.post("runs/log-inputs", run_id=run, datasets=[used], models=[{"model_id": model}])
    await served.post("runs/outputs", run_id=run, models=[{"model_id": model, "step": 3}])
    found = (await served.get("runs/get", run_id=run))["run"]
    assert found["inputs"] == {"dataset_inputs": [used], "model_inputs": [{"model_id": model}]}
    assert found["outputs"] == {"model_outputs": [{"model_id": model, "step": 3}]}
    page = await served.post("runs/search", experiment_ids=["0"], filter="datasets.name = 'd'")
    assert page["runs"] == [found]
    answer = await served.ask(
        "POST",
        PAGES + "experiments/search-datasets",
        b'{"experiment_ids": ["0"]}',
        content_type="application/json",
    )
    assert answer.json["dataset_summaries"] == [
        {"experiment_id": "0", "name": "d", "digest": "1", "context": "training"}
    ]
    refused = await asked(served, "POST", "runs/log-inputs", run_id=run, datasets=[used, {"dataset": {}}])
    assert refused[0] == 400
    assert "datasets[1].dataset.name" in refused[1]["message"]


async def test_points_of_a_model(served: Served) -> None:
    run, model = await served.run(), await new_model(served)
    points: list[dict[str, Any]] = [{"key": "a", "value": n / 2, "timestamp": 5, "step": n} for n in range(3)]
    await served.post("runs/log-batch", run_id=run, metrics=points)
    linked = points[1] | {"model_id": model, "dataset_name": "d", "dataset_digest": "1"}
    for _ in range(2):  # as log_model does: points that are there, again, with the model
        await served.post("runs/log-batch", run_id=run, metrics=[points[0], linked])
    await served.post("runs/log-metric", run_id=run, **(points[2] | {"model_id": model}))
    assert await served.points(run, "a") == [(5, n, n / 2) for n in range(3)]
    found = (await served.get(f"logged-models/{model}"))["model"]
    assert found["data"]["metrics"] == [
        linked | {"run_id": run},
        points[2] | {"model_id": model, "run_id": run},
    ]
    # Clients say which models a run uses; autologgers log points of one before they say that the run made it.
    assert "model_inputs" not in (await served.get("runs/get", run_id=run))["run"]["inputs"]
    wrong = points[0] | {"step": 9, "model_id": NO_MODEL}
    status, body = await asked(served, "POST", "runs/log-metric", run_id=run, **wrong)
    assert (status, body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert (5, 9, 0.0) in await served.points(run, "a")
    batch = {"metrics": [points[0] | {"key": "b"}, linked | {"model_id": 5}]}
    status, body = await asked(served, "POST", "runs/log-batch", run_id=run, **batch)
    assert status == 400
    assert "metrics[1].model_id" in body["message"]
    assert await served.points(run, "b") == []


async def test_models_that_older_clients_record_are_a_tag(served: Served) -> None:
    run = await served.run()
    model = {"artifact_path": "m" * 1000, "flavors": {}, "utc_time_created": "now", "run_id": run}

    async def recorded() -> list[str]:
        (found,) = (await served.post("runs/search", experiment_ids=["0"]))["runs"]
        tags = {tag["key"]: tag["value"] for tag in found["data"]["tags"]}
        return [each["model_uuid"] for each in json.loads(tags["mlflow.log-model.history"])]

    await served.post("runs/set-tag", run_id=run, key="mlflow.log-model.history", value="{")
    for number in range(10):
        said = json.dumps(model | {"model_uuid": f"u{number}"})
        await served.post("runs/log-model", run_id=run, model_json=said)
    assert await recorded() == [f"u{number}" for number in range(3, 10)]  # as many as a tag holds
    status, _ = await asked(served, "POST", "runs/log-model", run_id=run, model_json="[")
    assert status == 400


async def test_a_logged_model(served: Served) -> None:
    tags = [{"key": "t", "value": "1"}]
    model = await new_model(served, name="tree", params=[{"key": "p", "value": "1"}], tags=tags)
    path = f"logged-models/{model}"
    status, changed = await asked(served, "PATCH", path, status="LOGGED_MODEL_READY")
    assert (status, changed["model"]["info"]["status"]) == (200, "LOGGED_MODEL_READY")
    assert await asked(served, "PATCH", f"{path}/tags", tags=[{"key": "u", "value": "2"}]) == (200, {})
    assert await asked(served, "DELETE", f"{path}/tags/t") == (200, {})
    assert await asked(served, "POST", f"{path}/params", params=[{"key": "q", "value": "2"}]) == (200, {})
    found = (await served.post("logged-models/search", experiment_ids=["0"], filter="params.q = '2'"))[
        "models"
    ]
    assert found == [(await served.get(path))["model"]]
    assert found[0]["info"]["tags"] == [{"key": "u", "value": "2"}]
    assert found[0]["info"]["artifact_uri"] == f"mlflow-artifacts:/0/models/{model}/artifacts"
    assert await served.post("logged-models/search", experiment_ids=[]) == {}

    files = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{model}/artifacts/MLmodel"
    assert (await served.ask("PUT", files, b"flavors: {}")).status == 200
    assert (await served.ask("GET", files)).body == b"flavors: {}"
    strangers = files.replace("/0/models/", "/1/models/")
    assert (await served.ask("GET", strangers)).status == 404
    listed = await served.get(f"{path}/artifacts/directories")
    assert listed["files"] == [{"path": "MLmodel", "is_dir": False, "file_size": 11}]

    assert await asked(served, "DELETE", path) == (200, {})
    assert (await asked(served, "GET", path))[0] == 404
    await served.get(path, allow_deleted="true")


async def test_the_registry(served: Served) -> None:
    model, run = await new_model(served), await served.run()
    name = {"name": "trees"}
    await served.post("registered-models/create", **name, description="of wood")
    new = {"source": f"models:/{model}", "model_id": model, "run_id": run}
    made = await served.post("model-versions/create", **name, **new, tags=[{"key": "t", "value": "1"}])
    assert made["model_version"]["version"] == "1"
    uri = await served.get("model-versions/get-download-uri", **name, version="1")
    assert uri == {"artifact_uri": f"mlflow-artifacts:/0/models/{model}/artifacts"}
    await served.post("registered-models/alias", **name, alias="best", version="1")
    await served.post("model-versions/transition-stage", **name, version="1", stage="Production")
    version = (await served.get("registered-models/alias", **name, alias="best"))["model_version"]
    assert (version["aliases"], version["current_stage"]) == (["best"], "Production")
    registered = (await served.get("registered-models/get", **name))["registered_model"]
    assert registered["aliases"] == [{"alias": "best", "version": "1"}]
    assert registered["latest_versions"] == [version]
    for stages, found in ((["production"], [version]), (["Archived"], None)):
        latest = await served.post("registered-models/get-latest-versions", **name, stages=stages)
        assert latest.get("model_versions") == found
    search = await served.get("model-versions/search", filter="tags.t = '1'")
    assert search == {"model_versions": [version]}
    search = await served.get("registered-models/search", filter="name LIKE 'tre%'", max_results=1)
    assert search == {"registered_models": [registered]}
    prompt = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    await served.post("registered-models/create", name="prompt", tags=[prompt])
    await served.post("model-versions/create", name="prompt", source="s3://a/b", tags=[prompt])
    for text, names in (  # the first is what MLflow's client makes of every search
        ("name LIKE '%' AND tag.`mlflow.prompt.is_prompt` != 'true'", ["trees"]),
        ("tags.`mlflow.prompt.is_prompt` = 'false'", ["trees"]),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", ["prompt"]),
        ("", ["trees"]),
    ):
        for kind in ("registered-models", "model-versions"):
            found = await served.get(f"{kind}/search", filter=text)
            assert [each["name"] for each in found[kind.replace("-", "_")]] == names, text
    noted = (await served.get(f"logged-models/{model}"))["model"]["info"]["tags"]
    assert noted == [{"key": "mlflow.modelVersions", "value": '[{"name": "trees", "version": 1}]'}]
    for source in (
        "s3://a/../b",
        "s3://a/%252e%252e/b",
        "s3://a",
        "s3://a/%00",
        "./a",
        "file:///a",
        "s3:b",
        "s3://[/a",
    ):
        fields = {"name": "trees", "source": source}
        assert (await asked(served, "POST", "model-versions/create", **fields))[0] == 400, source
    for number in ("2", 1, "x", ""):
        status, _ = await asked(served, "POST", "registered-models/alias", **name, alias="a", version=number)
        assert status == (404 if number == "2" else 400)
    assert (await asked(served, "PATCH", "model-versions/update", **name, version="1", description="d"))[
        0
    ] == 200
    assert await asked(served, "DELETE", "model-versions/delete", **name, version="1") == (200, {})
    status, _ = await asked(served, "GET", "model-versions/get?name=trees&version=1")
    assert status == 404
    assert (await served.post("registered-models/rename", **name, new_name="bush"))["registered_model"][
        "name"
    ] == "bush"
    assert await asked(served, "DELETE", "registered-models/delete", name="bush") == (200, {})
