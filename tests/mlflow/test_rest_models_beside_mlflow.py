"""Datasets, logged models and the registry by raw requests, to a stock MLflow server and to Headrace.

As ``test_rest_beside_mlflow.py``; each test makes what it asks about.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.routing import Route

from headrace_ingest.http.mlflow.routes import API, PAGES, Parts, mlflow_routes
from rest_peers import BEGIN, Both, Peer, is_of_models

pytest.importorskip("mlflow")

NOBODY: Final = "f" * 32
NO_MODEL: Final = f"m-{NOBODY}"
ONE: Final = "logged-models/{model_id}"


@pytest.fixture
def both(pair: Both) -> Iterator[Both]:
    yield pair
    differing, pair.differing = pair.differing, []
    assert not differing, "\n".join(map(str, differing))


@pytest.fixture(scope="module")
def pair(servers: tuple[str, str]) -> Both:
    ours, theirs = map(Peer, servers)
    both = Both(ours, theirs)
    made = both.post("experiments/create", {"name": "models beside"})
    both.remember("exp", made, "experiment_id")
    for name in ("run", "other"):
        create = {"experiment_id": "$exp", "start_time": 5, "user_id": "u", "run_name": name}
        both.remember(name, both.post("runs/create", create), "run", "info", "run_id")
    return both


def model(both: Both, remembered: str, **fields: Any) -> None:
    made = both.post("logged-models", {"experiment_id": "$exp", "source_run_id": "$run"} | fields)
    both.remember(remembered, made, "model", "info", "model_id")


def test_inputs_and_outputs(both: Both) -> None:
    change: dict[str, Any]
    fields: dict[str, Any]
    dataset = {"name": "d", "digest": "1", "source_type": "local", "source": "{}"}
    context = [{"key": "mlflow.data.context", "value": "training"}]
    model(both, "used")
    model(both, "made")
    inputs: dict[str, Any] = {"run_id": "$run", "datasets": [{"dataset": dataset, "tags": context}]}
    for _ in range(2):
        both.post("runs/log-inputs", inputs)
    full = dataset | {"name": "full", "schema": "{}", "profile": "[]"}
    both.post("runs/log-inputs", {"run_id": "$run", "datasets": [{"dataset": full}]})
    both.post("runs/search", {"experiment_ids": ["$exp"], "filter": "datasets.name = 'full'"})
    both.post("runs/log-inputs", {"run_id": "$run", "models": [{"model_id": "$used"}]})
    both.post("runs/outputs", {"run_id": "$run", "models": [{"model_id": "$made", "step": 3}]})
    both.get("runs/get", run_id="$run")
    for change in (
        {"datasets": [{"dataset": dataset | {"digest": "x" * 37}}]},
        {"datasets": "x"},
        {"datasets": [{"dataset": dataset, "tags": [{"key": "k" * 256, "value": ""}]}]},
        {"datasets": [{"dataset": dataset, "tags": [{"key": "k", "value": "v" * 501}]}]},
        {"run_id": NOBODY},
        {"run_id": ""},
        {"models": "x"},
    ):
        both.post("runs/log-inputs", inputs | change)
    both.post("runs/log-inputs", {"run_id": "$run"})
    for fields in (
        {},
        {"models": []},
        {"models": "x"},
        {"run_id": NOBODY, "models": [{"model_id": "$made"}]},
    ):
        both.post("runs/outputs", {"run_id": "$run"} | fields)
    for ids in (["$exp"], ["0"], [], ["1"] * 21, ["987654"]):
        both.same("POST", PAGES + "experiments/search-datasets", {"experiment_ids": ids})
    for change in ({}, {"dataset": {}}, {"dataset": dataset | {"name": ""}}):
        both.stricter("POST", "runs/log-inputs", {"run_id": "$run", "datasets": [change]})


def test_points_of_models(both: Both) -> None:
    change: dict[str, Any]
    model(both, "measured", name="measured")
    point = {"run_id": "$other", "key": "m", "value": 1.5, "timestamp": BEGIN, "step": 1}
    mine = {"model_id": "$measured"}
    both.post("runs/log-metric", point | mine)
    both.post("runs/log-metric", point | mine | {"step": 2, "dataset_name": "d", "dataset_digest": "1"})
    plain = [{"key": f"b{n}", "value": n / 2, "timestamp": BEGIN, "step": n} for n in range(3)]
    both.post("runs/log-batch", {"run_id": "$other", "metrics": [plain[0], plain[1] | mine, plain[2] | mine]})
    both.ask("GET", ONE, **mine)
    both.get("runs/get", run_id="$other")  # which does not use it: clients say what a run uses
    both.get("metrics/get-history", run_id="$other", metric_key="b1")
    both.post("runs/log-metric", point | {"model_id": 5})
    (_, found), (_, nothing) = both.unlike(
        "POST", "logged-models/search", {"experiment_ids": ["$exp"], "datasets": [{"dataset_name": "d"}]}
    )
    assert (len(found["models"]), nothing) == (1, {})  # MLflow's server looks for a digest that is null
    unknown = point | {"key": "unknown", "model_id": NO_MODEL}
    assert [status for status, _ in both.unlike("POST", "runs/log-metric", unknown)] == [404, 400]
    search = {"experiment_ids": ["$exp"], "filter": "name = 'measured'"}
    for change in (
        {"filter": "metrics.m > 1 AND name = 'measured'"},
        {"datasets": [{"dataset_name": "d", "dataset_digest": "1"}]},
        {"datasets": [{"dataset_name": "d", "dataset_digest": "2"}]},
        {"datasets": [{}]},
        {"order_by": [{"field_name": "metrics.m", "ascending": False, "dataset_name": "d"}]},
    ):
        both.post("logged-models/search", search | change)


def test_logged_models(both: Both) -> None:
    change: dict[str, Any]
    texts = {"params": [{"key": "p", "value": "1"}], "tags": [{"key": "t", "value": "1"}]}
    model(both, "full", name="full", model_type="tree", **texts)
    model(both, "bare", source_run_id=None)
    for change in (
        {"experiment_id": "987654"},
        {"experiment_id": ""},
        {"experiment_id": 5},
        {"name": "a/b"},
        {"name": 5},
        {"params": "x"},
        {"source_run_id": 5},
    ):
        both.post("logged-models", {"experiment_id": "$exp", "source_run_id": "$run"} | change)
    for id_ in ("$full", "$bare", NO_MODEL, "x"):
        both.ask("GET", ONE, model_id=id_)
    for status in (
        "LOGGED_MODEL_READY",
        "LOGGED_MODEL_UPLOAD_FAILED",
        "LOGGED_MODEL_PENDING",
        2,
        None,
    ):
        both.same("PATCH", "/api/2.0/mlflow/logged-models/$full", {"model_id": "$full", "status": status})
    both.same("PATCH", f"/api/2.0/mlflow/logged-models/{NO_MODEL}", {"model_id": NO_MODEL, "status": 2})
    for tags in (
        [{"key": "t", "value": "2"}, {"key": "u", "value": "3"}],
        [],
        "x",
    ):
        both.ask("PATCH", f"{ONE}/tags", model_id="$full", tags=tags)
    both.ask("PATCH", f"{ONE}/tags", model_id=NO_MODEL, tags=[{"key": "t", "value": "2"}])
    for key in ("t", "t", "nobody"):
        both.ask("DELETE", ONE + "/tags/{tag_key}", model_id="$full", tag_key=key)
    both.ask("DELETE", ONE + "/tags/{tag_key}", model_id=NO_MODEL, tag_key="t")
    for id_ in ("$full", NO_MODEL):
        params: dict[str, Any] = {"model_id": id_, "params": [{"key": f"of {id_}", "value": "1"}]}
        both.same("POST", f"/api/2.0/mlflow/logged-models/{id_}/params", params)
    both.ask("GET", f"{ONE}/artifacts/directories", model_id="$full")
    for path in ("", "nothing", "..", "/etc"):
        both.ask("GET", f"{ONE}/artifacts/directories", model_id="$full", artifact_directory_path=path)
    both.ask("GET", f"{ONE}/artifacts/directories", model_id=NO_MODEL)
    both.ask("GET", ONE, model_id="$full")
    ask: dict[str, Any] = {"experiment_ids": ["$exp"], "filter": "name = 'full'"}
    for change in (
        {},
        {"max_results": 1},
        {"filter": "tags.u = '3'"},
        {"filter": "params.p = '1'"},
        {"filter": "source_run_id = '$run' AND name = 'full'"},
        {"filter": "nobody ="},
        {"filter": 5},
        {"experiment_ids": []},
        {"experiment_ids": "0"},
        {"experiment_ids": ["987654"]},
        {"order_by": [{"field_name": "creation_timestamp"}]},
        {"order_by": [{"field_name": "nobody"}]},
        {"order_by": "x"},
        {"max_results": "x"},
    ):
        both.post("logged-models/search", ask | change)
    both.fails_there("POST", "logged-models/search", ask | {"page_token": "x"})
    for _ in range(2):
        both.ask("DELETE", ONE, model_id="$full")
    both.ask("DELETE", ONE, model_id=NO_MODEL)
    both.ask("GET", ONE, model_id="$full")
    both.ask("GET", ONE, model_id="$full", allow_deleted="true")
    both.post("logged-models/search", ask)
    nameless = {"experiment_id": "$exp", "tags": [{"key": "", "value": "1"}]}
    both.stricter("POST", "logged-models", nameless)


def test_models_that_older_clients_record(both: Both) -> None:
    created = both.post("runs/create", {"experiment_id": "$exp", "start_time": 5, "run_name": "older"})
    both.remember("older", created, "run", "info", "run_id")
    flavors = {"spark": {"code": None, "config": {"a": 1}, "version": "4"}, "python_function": {}}
    model = {"artifact_path": "m", "flavors": flavors, "utc_time_created": "2026-01-01 00:00:00.5"}
    for number in range(2):
        said = model | {"run_id": "$older", "model_uuid": f"u{number}", "mlflow_version": "2.9.0"}
        both.post("runs/log-model", {"run_id": "$older", "model_json": json.dumps(said)})
        both.get("runs/get", run_id="$older")
    whole = json.dumps(model | {"run_id": NOBODY, "model_uuid": "u"})
    for fields in (
        {},
        {"run_id": "$older"},
        {"run_id": "$older", "model_json": "{"},
        {"run_id": "$older", "model_json": json.dumps(model)},
        {"run_id": NOBODY, "model_json": whole},
        {"model_json": whole},
    ):
        both.post("runs/log-model", fields)
    for wrong in ("[]", "5", json.dumps(model | {"run_id": "$older", "flavors": 5})):
        both.fails_there("POST", "runs/log-model", {"run_id": "$older", "model_json": wrong})


def test_registered_models(both: Both) -> None:
    change: dict[str, Any]
    fields: dict[str, Any]
    name = {"name": "trees"}
    create = "registered-models/create"
    both.post(create, name | {"description": "of wood", "tags": [{"key": "t", "value": "1"}]})
    for fields in (name, {}, {"name": ""}, {"name": "a/b"}, {"name": 5}, {"name": "x", "tags": "x"}):
        both.post(create, fields)
    both.post(create, {"name": "bare"})
    for each in ("trees", "bare", "nobody", ""):
        both.get("registered-models/get", name=each)
    both.ask("PATCH", "registered-models/update", name="trees", description="of stone")
    both.ask("PATCH", "registered-models/update", name="bare")
    both.ask("PATCH", "registered-models/update", name="nobody", description="x")
    both.ask("PATCH", "registered-models/update", name="trees", description=5)
    for fields in (
        {"new_name": "bush"},
        {"new_name": "x"},
        {"name": "bush", "new_name": "trees"},
        {"new_name": "bare"},
        {"new_name": ""},
        {},
    ):
        both.post("registered-models/rename", name | fields)
    for fields in (
        {"key": "k", "value": "v"},
        {"key": "e"},
        {"key": ""},
        {"key": 5},
        {"name": "nobody", "key": "k"},
    ):
        both.post("registered-models/set-tag", name | fields)
    for key in ("k", "k", ""):
        both.ask("DELETE", "registered-models/delete-tag", name="trees", key=key)
    both.ask("DELETE", "registered-models/delete-tag", name="nobody", key="k")
    for change in (
        {},
        {"filter": "name LIKE 'tre%'"},
        {"filter": "tags.t = '1'"},
        {"max_results": 1},
        {"max_results": 1001},
        {"max_results": "x"},
        {"filter": "nobody = '1'"},
        {"order_by": ["name DESC"]},
        {"order_by": ["nobody"]},
        {"page_token": "x"},
    ):
        both.get("registered-models/search", **({"filter": "name LIKE '%e%'"} | change))
    both.stricter("GET", "registered-models/search", {"max_results": 0})
    for _ in range(2):
        both.ask("DELETE", "registered-models/delete", name="bare")
    both.ask("DELETE", "registered-models/delete")


def test_model_versions(both: Both) -> None:  # noqa: C901, PLR0912 -- a list
    change: dict[str, Any]
    fields: dict[str, Any]
    key = {"name": "versioned", "version": "1"}
    model(both, "source", name="source")
    both.post("registered-models/create", {"name": "versioned"})
    new: dict[str, Any] = {
        "name": "versioned",
        "source": "models:/$source",
        "model_id": "$source",
        "run_id": "$run",
    }
    tags = [{"key": "t", "value": "1"}]
    both.post("model-versions/create", new | {"description": "first", "tags": tags, "run_link": "http://run"})
    both.post("model-versions/create", {"name": "versioned", "source": "s3://bucket/model"})
    for change in (
        {"name": "nobody"},
        {"name": ""},
        {"source": ""},
        {"source": 5},
        {"tags": "x"},
    ):
        both.post("model-versions/create", new | change)
    for path in ("/etc/passwd", "file:///etc", "a/b", ".."):
        both.post("model-versions/create", new | {"source": path, "model_id": ""})
    no_model = {"source": f"models:/{NO_MODEL}", "model_id": NO_MODEL}
    both.fails_there("POST", "model-versions/create", new | no_model, 404)
    for version in ("1", "2", "9", "x", ""):
        both.get("model-versions/get", name="versioned", version=version)
    both.get("model-versions/get", name="nobody", version="1")
    both.get("model-versions/get-download-uri", **key)
    both.get("model-versions/get-download-uri", name="versioned", version="9")
    for change in (
        {"description": "another"},
        {"description": ""},
        {"version": "9"},
        {"version": 1},
        {"description": 5},
    ):
        both.ask("PATCH", "model-versions/update", **(key | change))
    for change in (
        {"stage": "Staging"},
        {"stage": "production", "archive_existing_versions": True},
        {"version": "2", "stage": "Production", "archive_existing_versions": True},
        {"stage": "nobody"},
        {"stage": ""},
        {"stage": "Staging", "archive_existing_versions": "x"},
        {"stage": "Staging", "version": "9"},
    ):
        both.post("model-versions/transition-stage", key | {"archive_existing_versions": False} | change)
    for source in (
        "s3://a",
        "s3://a/../b",
        "s3://a/%252e%252e/b",
        "s3:/a/./b",
        "s3://a//b/",
        "s3:b",
        "a b:/c",
    ):
        both.post("model-versions/create", {"name": "nobody", "source": source})
    archive: dict[str, Any] = key | {"stage": "None", "archive_existing_versions": True}
    both.fails_there("POST", "model-versions/transition-stage", archive)
    for fields in ({"key": "k", "value": "v"}, {"key": "e"}, {"key": ""}, {"key": "k", "version": "9"}):
        both.post("model-versions/set-tag", key | fields)
    for change in ({"key": "k"}, {"key": "k"}, {"key": ""}, {"key": "k", "version": "9"}):
        both.ask("DELETE", "model-versions/delete-tag", **(key | change))
    both.get("registered-models/get", name="versioned")
    for stages in ([], ["Production"], ["archived", "None"], ["nobody"]):
        both.post("registered-models/get-latest-versions", {"name": "versioned", "stages": stages})
    both.get("registered-models/get-latest-versions", name="versioned")
    both.get("registered-models/get-latest-versions", name="nobody")
    for change in (
        {},
        {"filter": "run_id = '$run' AND name = 'versioned'"},
        {"filter": "name = 'versioned' AND tags.t = '1'"},
        {"filter": "nobody = 1"},
        {"max_results": 1},
        {"max_results": 200_001},
        {"max_results": 0},
        {"order_by": ["version_number ASC"]},
        {"page_token": "x"},
    ):
        both.get("model-versions/search", **({"filter": "name = 'versioned'"} | change))
    for fields in (
        {"alias": "best"},
        {"alias": "latest"},
        {"alias": "v1"},
        {"alias": ""},
        {"alias": "a b"},
        {"alias": "x", "version": "9"},
    ):
        both.post("registered-models/alias", key | fields)
    for alias in ("best", "nobody", ""):
        both.get("registered-models/alias", name="versioned", alias=alias)
    both.get("model-versions/get", **key)
    both.post("registered-models/get-latest-versions", {"name": "versioned"})
    for _ in range(2):
        both.ask("DELETE", "registered-models/alias", name="versioned", alias="best")
    both.ask("DELETE", "registered-models/alias", name="nobody", alias="best")
    for _ in range(2):
        both.ask("DELETE", "model-versions/delete", **key)
    both.post("model-versions/create", {"name": "versioned", "source": "s3://bucket/model"})
    both.ask("DELETE", "registered-models/delete", name="versioned")
    both.get("model-versions/search", filter="name = 'versioned'")


def test_every_route_was_asked(pair: Both) -> None:
    """After the others: those of ``test_rest_beside_mlflow.py`` are asked there."""
    routes = [
        route for route in mlflow_routes(Parts._make([None] * len(Parts._fields))) if isinstance(route, Route)
    ]
    served = {
        f"{method} {route.path}"
        for route in routes
        for method in (route.methods or ())
        if method != "HEAD" and is_of_models(route.path)
    }
    asked = {re.sub(r"\$\w+|m-f+", "{model_id}", each) for each in pair.peers[0].asked}
    assert {each.replace(PAGES, API) for each in served - asked} <= asked
    assert len(served) > 60
