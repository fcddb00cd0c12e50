"""``--artifacts-only`` and ``--no-serve-artifacts``: the routes that answer 503, here and at MLflow's server.

MLflow's is asked without a process of its own. Only with MLflow: ``make test-mlflow``.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.routing import Route

from headrace_ingest.http.mlflow.routes import Parts, mlflow_routes
from headrace_ingest.http.mlflow.served import Serves
from headrace_ingest.http.problems import Problem

pytest.importorskip("mlflow")


@pytest.mark.parametrize("only", [True, False])
async def test_the_same_is_not_served(only: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if only:
        monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACTS_ONLY", "true")
    monkeypatch.setenv("_MLFLOW_SERVER_SERVE_ARTIFACTS", str(only).lower())
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_DESTINATION", str(tmp_path))
    monkeypatch.setenv("_MLFLOW_SERVER_FILE_STORE", f"sqlite:///{tmp_path}/mlflow.db")
    server: Any = pytest.importorskip("mlflow.server")
    theirs = server.app.test_client()
    routes = mlflow_routes(Parts._make([None] * len(Parts._fields)), Serves(not only, only))
    refused = 0
    for route in routes:
        assert isinstance(route, Route)
        method = next(iter((route.methods or set()) - {"HEAD"}))
        path = re.sub(r"\{\w+(:path)?\}", "x", route.path)
        if not only and "-artifacts/" not in path and "-artifacts" not in path.rpartition("/")[0]:
            continue  # whether the rest works there is compared elsewhere
        answered = theirs.open(path, method=method, json=None if method == "GET" else {})
        ours = await is_refused(route, method, path)
        assert ours == (answered.status_code == 503), (method, path, answered.data)
        refused += ours
    assert refused > (100 if only else 10)


async def is_refused(route: Route, method: str, path: str) -> bool:
    """Whether it answers 503, whatever is asked."""
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}
    nothing: Any = None
    try:
        await route.endpoint(Request(scope | {"path_params": {"path": "x"}, "server": ("x", 80)}, nothing))
    except Problem as problem:
        return problem.status == 503
    except Exception:  # noqa: BLE001 -- there is nothing behind it
        return False
    return False
