"""The same raw requests to a stock MLflow server and to Headrace: the same status, code and body.

Messages are for people and differ. Ids, times and page tokens are compared by what they mean. Only with
MLflow: ``make test-mlflow``.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from starlette.routing import Route

from headrace_ingest.http.mlflow.routes import API, PAGES, Parts, mlflow_routes
from rest_peers import BEGIN, Both, Peer, is_of_models

pytest.importorskip("mlflow")

NOBODY: Final = "f" * 32
NOTHING: Final = "987654"


@pytest.fixture
def both(pair: Both) -> Iterator[Both]:
    yield pair
    differing, pair.differing = pair.differing, []
    assert not differing, "\n".join(map(str, differing))


@pytest.fixture(scope="module")
def pair(servers: tuple[str, str]) -> Iterator[Both]:
    ours, theirs = map(Peer, servers)
    both = Both(ours, theirs)
    both.remember("e", both.post("experiments/create", {"name": "beside"}), "experiment_id")
    created = both.post(
        "runs/create", {"experiment_id": "$e", "start_time": 5, "user_id": "u", "run_name": "first"}
    )
    both.remember("r", created, "run", "info", "run_id")
    yield both
    routes = [
        route for route in mlflow_routes(Parts._make([None] * len(Parts._fields))) if isinstance(route, Route)
    ]
    served = {
        f"{method} {route.path}"
        for route in routes
        for method in (route.methods or ())
        if method != "HEAD" and not is_of_models(route.path)
    }
    plain = {"GET /health", "GET /version", "GET /get-artifact"}
    missing = {
        each for each in served if each.replace(PAGES, API) not in ours.asked and each not in ours.asked
    }
    others = re.compile(
        "server-info|-artifacts|upload-artifact|/artifacts/files|/presigned-"
    )  # compared elsewhere
    assert {each for each in missing if not others.search(each)} == plain


def test_experiments(both: Both) -> None:
    change: dict[str, Any]
    both.post("experiments/create", {"name": "tagged", "tags": [{"key": "a", "value": "1"}]})
    for fields in ({}, {"name": ""}, {"name": None}, {"name": 5}, {"name": "beside"}, {"name": "x" * 501}):
        both.post("experiments/create", fields)
    for tags in ("x", [{"key": "/a", "value": "1"}], [{"key": "k" * 251, "value": "v"}]):
        both.post("experiments/create", {"name": "never", "tags": tags})
    for body in (b"{", b"", b'"{}"', b"null"):
        both.post("experiments/create", body)
    both.post("experiments/create", {"name": "text"}, content_type="text/plain")
    for id_ in ("$e", "0", NOTHING, "x", ""):
        both.get("experiments/get", experiment_id=id_)
    both.get("experiments/get")
    both.get("experiments/get", PAGES, experiment_id="0")
    for name in ("beside", "Default", "nobody", ""):
        both.get("experiments/get-by-name", experiment_name=name)
    both.post("experiments/set-experiment-tag", {"experiment_id": "$e", "key": "k", "value": "v"})
    both.post("experiments/set-experiment-tag", {"experiment_id": "$e", "key": "e"})
    both.get("experiments/get", experiment_id="$e")
    for change in (
        {"key": ""},
        {"key": "../k"},
        {"experiment_id": NOTHING},
        {"value": 7},
        {"experiment_id": 5},
    ):
        both.post(
            "experiments/set-experiment-tag", {"experiment_id": "$e", "key": "k", "value": "v"} | change
        )
    for _ in range(2):
        both.post("experiments/delete-experiment-tag", {"experiment_id": "$e", "key": "k"})
    both.post("experiments/delete-experiment-tag", {"experiment_id": "$e"})


def test_experiments_are_changed_and_deleted(both: Both) -> None:
    both.remember("d", both.post("experiments/create", {"name": "changed"}), "experiment_id")
    both.post("experiments/update", {"experiment_id": "$d", "new_name": "another"})
    for fields in (
        {"new_name": ""},
        {},
        {"new_name": "x" * 501},
        {"experiment_id": NOTHING, "new_name": "y"},
    ):
        both.post("experiments/update", {"experiment_id": "$d"} | fields)
    both.post("experiments/restore", {"experiment_id": "$d"})
    for _ in range(2):
        both.post("experiments/delete", {"experiment_id": "$d"})
    both.get("experiments/get", experiment_id="$d")
    both.post("experiments/set-experiment-tag", {"experiment_id": "$d", "key": "k", "value": "v"})
    both.post("runs/create", {"experiment_id": "$d"})
    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL", 2):
        both.post("experiments/search", {"max_results": 100, "view_type": view, "filter": "name = 'another'"})
    for _ in range(2):
        both.post("experiments/restore", {"experiment_id": "$d"})
    for path in ("delete", "restore"):
        for id_ in (NOTHING, "x", None):
            both.post(f"experiments/{path}", {"experiment_id": id_})


def test_experiments_are_searched(both: Both) -> None:
    change: dict[str, Any]
    ask = {"filter": "name LIKE 'beside%'", "order_by": ["name DESC"], "max_results": 5}
    both.post("experiments/search", ask)
    both.same("GET", API + "experiments/search", ask)
    for change in (
        {"max_results": 0},
        {"max_results": 50_001},
        {"max_results": "x"},
        {"filter": "nobody ="},
        {"order_by": ["nobody"]},
        {"order_by": "name"},
        {"page_token": "x"},
        {"filter": 5},
    ):
        both.post("experiments/search", ask | change)
    both.post("experiments/search")


def test_runs_are_made(both: Both) -> None:
    change: dict[str, Any]
    run = {"experiment_id": "$e", "start_time": 7, "user_id": "me"}
    both.remember(
        "one", both.post("runs/create", run | {"tags": [{"key": "t", "value": "1"}]}), "run", "info", "run_id"
    )
    both.remember(
        "two",
        both.post(
            "runs/create", run | {"tags": [{"key": "mlflow.runName", "value": "named"}], "start_time": "8"}
        ),
        "run",
        "info",
        "run_id",
    )
    for id_ in ("$one", "$two", NOBODY, "x", ""):
        both.get("runs/get", run_id=id_)
    both.get("runs/get", run_uuid="$one")
    both.get("runs/get")
    for change in (
        {"experiment_id": NOTHING},
        {"experiment_id": "x"},
        {"experiment_id": 5},
        {"run_name": "a", "tags": [{"key": "mlflow.runName", "value": "b"}]},
        {"run_name": 5},
    ):
        both.post("runs/create", run | change)
    for change in (
        {"status": "FINISHED", "end_time": 9},
        {"status": "RUNNING"},
        {"status": 4},
        {"run_name": "x"},
        {},
        {"end_time": "12"},
        {"run_name": ""},
    ):
        both.post("runs/update", {"run_id": "$one"} | change)
    both.get("runs/get", run_id="$one")
    for change in ({"run_id": NOBODY}, {"run_id": None}, {"run_id": 7}):
        both.post("runs/update", {"run_id": "$one", "status": "FAILED"} | change)


def test_what_is_logged(both: Both) -> None:
    change: dict[str, Any]
    fields: dict[str, Any]
    point = {"run_id": "$r", "key": "m", "value": 1.5, "timestamp": BEGIN, "step": 1}
    both.post("runs/log-metric", point)
    for change in (
        {"step": "2"},
        {"step": None, "value": 2},
        {"value": "NaN", "step": 3},
        {"value": "2.5", "step": -4},
        {"timestamp": str(BEGIN + 1)},
        {"timestamp": 0},
        {"unknown": {}},
        {"key": "a b/c-d.e:f_g"},
        {"step": 2.0},
        {"value": -0.0},
    ):
        both.post("runs/log-metric", point | change)
    both.post("runs/log-metric", {"run_uuid": "$r", "key": "m", "value": 9, "timestamp": BEGIN})
    both.post(
        "runs/log-metric", {"runId": "$r", "run_id": "$r", "key": "m", "value": 9, "timestamp": BEGIN + 9}
    )
    for change in (
        {"key": ""},
        {"key": None},
        {"key": "/m"},
        {"key": "a//b"},
        {"key": "a;b"},
        {"key": "k" * 251},
        {"key": 5},
        {"value": None},
        {"value": "x"},
        {"timestamp": None},
        {"timestamp": "x"},
        {"timestamp": -1},
        {"step": "x"},
        {"run_id": NOBODY},
        {"run_id": ""},
        {"key": "."},
        {"key": ".."},
    ):
        both.post("runs/log-metric", point | change)
    for fields in (
        {"key": "p", "value": "1"},
        {"key": "p", "value": "1"},
        {"key": "p", "value": "2"},
        {"key": "none"},
        {"key": "long", "value": "x" * 9000},
        {"key": ""},
        {"key": "../p", "value": "1"},
        {"key": "n", "value": 5},
        {"run_id": NOBODY, "key": "p", "value": "1"},
    ):
        both.post("runs/log-parameter", {"run_id": "$r"} | fields)
    for fields in (
        {"key": "t", "value": "1"},
        {"key": "t", "value": "2"},
        {"key": "none"},
        {"key": "long", "value": "x" * 9000},
        {"key": ""},
        {"key": "/t"},
        {"key": "mlflow.runName", "value": "renamed"},
        {"key": "mlflow.runName", "value": ""},
        {"run_id": NOBODY, "key": "t", "value": ""},
        {"key": "t", "value": []},
    ):
        both.post("runs/set-tag", {"run_id": "$r"} | fields)
    for fields in ({"key": "t"}, {"key": "t"}, {"key": ""}, {"run_id": NOBODY, "key": "t"}):
        both.post("runs/delete-tag", {"run_id": "$r"} | fields)
    both.get("runs/get", run_id="$r")
    both.get("metrics/get-history", run_id="$r", metric_key="m")


def test_batches(both: Both) -> None:
    metrics = [{"key": "b", "value": n / 3, "timestamp": BEGIN + n // 2, "step": n} for n in range(20)]
    params = [{"key": f"b{n}", "value": str(n)} for n in range(3)]
    tags = [{"key": "bt", "value": "1"}, {"key": "bt", "value": "2"}]
    for _ in range(2):
        both.post("runs/log-batch", {"run_id": "$r", "metrics": metrics, "params": params, "tags": tags})
    both.post("runs/log-batch", {"run_id": "$r"})
    bad: list[dict[str, Any]] = [
        {"metrics": metrics * 51},
        {"params": [{"key": f"c{n}"} for n in range(101)]},
        {"tags": [{"key": f"c{n}"} for n in range(101)]},
        {"params": params + params},
        {"params": [{"key": "b0", "value": "another"}]},
        {"metrics": "x"},
        {"metrics": [{"key": "c", "value": 1}]},
        {"metrics": [{"value": 1, "timestamp": 1}]},
        {"metrics": [{"key": "c", "timestamp": 1}]},
        {"params": [{"value": "1"}]},
        {"tags": [{"value": "1"}]},
        {"metrics": [{"key": "c;", "value": 1, "timestamp": 1}]},
        {"run_id": NOBODY},
        {"run_id": ""},
    ]
    for fields in bad:
        both.post("runs/log-batch", {"run_id": "$r"} | fields)
    both.get("runs/get", run_id="$r")
    both.get("metrics/get-history", run_id="$r", metric_key="b")


def test_histories(both: Both) -> None:
    change: dict[str, Any]
    ask: dict[str, Any] = {"run_id": "$r", "metric_key": "b"}
    for change in (
        {"max_results": 5},
        {"max_results": 100},
        {"max_results": 0},
        {"max_results": -1},
        {"run_id": NOBODY},
        {"metric_key": "nobody"},
        {"metric_key": ""},
        {"run_id": ""},
        {"page_token": "x"},
    ):
        both.get("metrics/get-history", **(ask | change))
    interval: dict[str, Any] = {"run_ids": ["$r"], "metric_key": "b"}
    for change in (
        {},
        {"max_results": 20},
        {"start_step": 3, "end_step": 6},
        {"start_step": 6, "end_step": 3},
        {"start_step": 3},
        {"max_results": 0},
        {"max_results": 2501},
        {"metric_key": ""},
        {"run_ids": []},
        {"run_ids": ["$r"] * 101},
        {"max_results": 1},
        {"max_results": 2},
    ):
        both.get("metrics/get-history-bulk-interval", **(interval | change))
    for change in (
        {},
        {"max_results": 3},
        {"run_id": []},
        {"run_id": ["$r", NOBODY]},
        {"run_id": ["$r"] * 101},
    ):
        both.get("metrics/get-history-bulk", PAGES, **(ask | change))


def test_runs_are_searched(both: Both) -> None:
    change: dict[str, Any]
    ask: dict[str, Any] = {
        "experiment_ids": ["$e"],
        "filter": "attributes.user_id = 'me'",
        "order_by": ["start_time"],
    }
    both.post("runs/search", ask)
    for change in (
        {"max_results": 1},
        {"run_view_type": "DELETED_ONLY"},
        {"run_view_type": "ALL"},
        {"experiment_ids": []},
        {"experiment_ids": [NOTHING]},
        {"experiment_ids": ["x"]},
        {"experiment_ids": "0"},
        {"filter": "metrics.m ="},
        {"filter": 5},
        {"order_by": ["nobody.x"]},
        {"order_by": "x"},
        {"max_results": 0},
        {"max_results": 50_001},
        {"page_token": "x"},
    ):
        both.post("runs/search", ask | change)


def test_where_headrace_is_stricter(both: Both) -> None:
    run = {"run_id": "$r"}
    point = {"key": "s", "value": 1, "timestamp": 1}
    both.stricter("POST", "runs/log-batch", run | {"metrics": [point | {"step": 1.5}, point]})
    both.stricter("POST", "runs/log-metric", run | point | {"step": 1.5})
    both.stricter("POST", "runs/log-metric", run | point | {"timestamp": 1.5})
    both.stricter("POST", "runs/create", {"experiment_id": "$e", "tags": 5})
    both.stricter("POST", "runs/update", run | {"status": "NOBODY"})
    both.stricter("GET", "metrics/get-history", run | {"metric_key": "m", "max_results": "x"})


def test_artifacts(both: Both) -> None:
    change: dict[str, Any]
    both.get("artifacts/list", run_id="$r")
    for change in ({"path": ".."}, {"path": "/etc"}, {"run_id": NOBODY}, {"run_id": ""}, {"path": "nothing"}):
        both.get("artifacts/list", **({"run_id": "$r"} | change))
    # What clients ask to download a folder that has nothing in it.
    both.same("GET", "/api/2.0/mlflow-artifacts/artifacts/$e/$r/artifacts", {})


def test_runs_are_deleted(both: Both) -> None:
    both.remember(
        "gone", both.post("runs/create", {"experiment_id": "$e", "start_time": 1}), "run", "info", "run_id"
    )
    for _ in range(2):
        both.post("runs/delete", {"run_id": "$gone"})
    both.get("runs/get", run_id="$gone")
    both.post("runs/log-metric", {"run_id": "$gone", "key": "m", "value": 1, "timestamp": 1})
    both.post("runs/log-batch", {"run_id": "$gone", "tags": [{"key": "a", "value": "1"}]})
    both.post("runs/log-parameter", {"run_id": "$gone", "key": "m", "value": "1"})
    both.post("runs/set-tag", {"run_id": "$gone", "key": "m", "value": "1"})
    both.post("runs/delete-tag", {"run_id": "$gone", "key": "mlflow.runName"})
    both.post("runs/update", {"run_id": "$gone", "status": "FINISHED"})
    for _ in range(2):
        both.post("runs/restore", {"run_id": "$gone"})
    both.post("runs/log-metric", {"run_id": "$gone", "key": "m", "value": 1, "timestamp": 1})
    for path in ("delete", "restore"):
        for id_ in (NOBODY, "", None, 7):
            both.post(f"runs/{path}", {"run_id": id_})
