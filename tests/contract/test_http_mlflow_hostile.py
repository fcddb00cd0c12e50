"""Whatever is sent to MLflow's REST API, on every route: an answer that is no failure."""

import asyncio
import contextlib
import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.routing import Route

from headrace_ingest.http.mlflow.routes import API, Parts, mlflow_routes
from headrace_ingest.ports import reserve
from ingest_daemon import serving
from mlflow_rest import Served

FIELDS = [
    "alias",
    "allow_deleted",
    "archive_existing_versions",
    "artifact_directory_path",
    "artifact_location",
    "datasets",
    "description",
    "end_step",
    "end_time",
    "experiment_id",
    "experiment_ids",
    "experiment_name",
    "filter",
    "key",
    "max_results",
    "metric_key",
    "metrics",
    "model_id",
    "model_type",
    "models",
    "name",
    "new_name",
    "order_by",
    "page_token",
    "params",
    "path",
    "run_id",
    "run_ids",
    "run_link",
    "run_name",
    "run_uuid",
    "run_view_type",
    "source",
    "source_run_id",
    "stage",
    "stages",
    "start_step",
    "start_time",
    "status",
    "step",
    "tags",
    "timestamp",
    "user_id",
    "value",
    "version",
    "view_type",
]
"""All that any route takes."""

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    1.5,
    2**63,
    -(10**40),
    1e308,
    math.nan,
    "",
    "\0",
    "\ud800",
    "x" * 20_000,
    "../../etc/passwd",
    "'; DROP TABLE runs; --",
    [],
    ["\ud800", None, {}],
    [[[[[[]]]]]],
    {},
    {"key": {"key": []}},
    [{"key": "k", "value": 1, "timestamp": 1, "step": 1.5}],
    [{"key": "k", "value": "v", "timestamp": -1}],
    [{"key": "k\0", "value": "\ud800"}] * 200,
    [{}] * 2000,
)

RAW = (
    b"",
    b"{",
    b"[" * 100_000,
    b'{"tags":' * 100_000,
    b'{"tags":[' * 900 + b"]}" * 900,
    b"\xff\xfe{}",
    b'"{}"',
    b'"',
    b"null",
    b"[1]",
    b'{"timestamp": 1' + b"0" * 5000 + b"}",
    b'{"run_id": "\\ud800", "key": "\\u0000"}',
)


def query(body: dict[str, Any]) -> str:
    """A hostile body as a query."""
    fields = [
        (name, str(each)[:50])
        for name, value in body.items()
        for each in (value[:3] if isinstance(value, list) else [value])
    ]
    return urlencode(fields, errors="surrogatepass")


async def test_hostile_input_is_refused_by_every_route(tmp_path: Path, database_url: str) -> None:
    with reserve("127.0.0.1", 0) as reserved:
        served = Served(reserved.getsockname()[1])
        async with serving(tmp_path / "data", database_url, served.port):
            await walk(served)


async def walk(served: Served) -> None:
    run = await served.run()
    made = await served.post("logged-models", experiment_id="0")
    model = made["model"]["info"]["model_id"]
    await served.post("registered-models/create", name="known")
    good = {
        "experiment_id": "0",
        "experiment_ids": ["0"],
        "run_id": run,
        "run_ids": [run],
        "key": "k",
        "metric_key": "k",
    }
    bodies: list[dict[str, Any]] = [dict.fromkeys(FIELDS, value) for value in HOSTILE]
    known = {"name": "known", "version": "1", "source": "s3://x", "dataset": {}}
    bodies = [body | good for body in bodies] + [body | known for body in bodies[::3]] + bodies[1::3]
    linked = {"key": "k", "value": 1, "timestamp": 1, "model_id": model, "dataset_name": "\ud800"}
    bodies += [good | {"metrics": [linked]}, good | linked, good | {"datasets": [{"dataset": {"name": 5}}]}]
    posts = [json.dumps(body).encode() for body in bodies] + list(RAW)
    gets = [query(body) for body in bodies]
    routes = [
        each for each in mlflow_routes(Parts._make([None] * len(Parts._fields))) if isinstance(each, Route)
    ]
    routes = [each for each in routes if each.path.startswith(API)]
    assert len(routes) > 50

    async def answered(route: Route, request: bytes | str, id_: str = model) -> None:
        method = next(iter((route.methods or set()) - {"HEAD"}))
        path = route.path.format(model_id=id_, tag_key=id_)
        if isinstance(request, str):
            answer = await served.ask(method, f"{path}?{request}")
        else:
            answer = await served.ask(method, path, request, content_type="application/json")
        expected = {501} if "/presigned-" in path else {200, 400, 404, 413}
        assert answer.status in expected, (path, request[:300], answer)
        if answer.status != 200:
            assert set(answer.json) == {"error_code", "message"}

    for route in routes:
        requests = gets if "GET" in (route.methods or ()) else posts
        await asyncio.gather(*(answered(route, request) for request in requests))
        if "{" in route.path:
            ids = ("%00", "%ed%a0%80", "..%2f..", "x" * 5000, "m-" + "f" * 32)
            await asyncio.gather(
                *(answered(route, "" if "GET" in (route.methods or ()) else b"{}", id_) for id_ in ids)
            )
    with contextlib.suppress(ConnectionError):  # it is told before all of it is read
        too_large = b'{"run_id":"' + b"x" * (9 << 20) + b'"}'
        assert (await served.send("runs/log-batch", too_large)).status == 413
    await served.post("runs/log-metric", run_id=run, key="after", value=1, timestamp=1)
    assert await served.points(run, "after") == [(1, 0, 1.0)]
