"""MLflow's REST API by raw requests: what is answered, and that nothing makes it fail."""

import math
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from headrace_ingest.http.mlflow.routes import API, PAGES
from headrace_ingest.ports import reserve
from http_peer import Answer
from ingest_daemon import serving
from mlflow_rest import Served

NOBODY = "f" * 32


@pytest.fixture
async def served(tmp_path: Path, database_url: str) -> AsyncIterator[Served]:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        async with serving(tmp_path / "data", database_url, port):
            yield Served(port)


async def refused(answer: Answer) -> tuple[int, str]:
    assert set(answer.json) == {"error_code", "message"}
    return answer.status, answer.json["error_code"]


async def test_an_experiment_and_its_runs(served: Served) -> None:
    made = (await served.post("experiments/create", name="digits", tags=[{"key": "a", "value": "1"}]))[
        "experiment_id"
    ]
    found = (await served.get("experiments/get", experiment_id=made))["experiment"]
    assert (
        found == (await served.get("experiments/get-by-name", PAGES, experiment_name="digits"))["experiment"]
    )
    assert type(found["creation_time"]) is int
    assert found["artifact_location"] == f"mlflow-artifacts:/{made}"
    assert found["tags"] == [{"key": "a", "value": "1"}]
    page = await served.post("experiments/search", max_results=1)
    rest = await served.get("experiments/search", max_results=1, page_token=page["next_page_token"])
    assert [each["name"] for each in page["experiments"] + rest["experiments"]] == ["digits", "Default"]
    assert "next_page_token" not in rest

    run = (await served.post("runs/create", experiment_id=made, start_time="7", tags=[], unknown={}))["run"]
    run_id = run["info"]["run_id"]
    assert run["info"]["run_uuid"] == run_id
    assert (run["info"]["status"], run["info"]["start_time"]) == ("RUNNING", 7)
    assert run["data"]["tags"] == [{"key": "mlflow.runName", "value": run["info"]["run_name"]}]
    updated = await served.post("runs/update", run_id=run_id, status="FINISHED", end_time=9, run_name="named")
    assert updated["run_info"]["end_time"] == 9
    found = await served.post("runs/search", experiment_ids=[made], filter="tags.mlflow.runName = 'named'")
    assert [each["info"]["status"] for each in found["runs"]] == ["FINISHED"]
    assert await served.post("runs/search", experiment_ids=[]) == {}

    await served.post("experiments/delete", experiment_id=made)
    assert await refused(await served.send("runs/create", {"experiment_id": made})) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )
    await served.post("experiments/restore", experiment_id=made)
    assert (await served.get("runs/get", run_uuid=run_id))["run"]["info"]["lifecycle_stage"] == "active"


async def test_what_is_logged_can_be_read_at_once(served: Served) -> None:
    run = await served.run()
    batch = {
        "metrics": [
            {"key": "loss", "value": value, "timestamp": 3 - step, "step": step}
            for step, value in enumerate([1.5, "NaN"])
        ],
        "params": [{"key": "lr", "value": "0.1"}, {"key": "none"}, {"key": "long", "value": "x" * 7000}],
        "tags": [{"key": "mlflow.runName", "value": "renamed"}],
    }
    assert await served.post("runs/log-batch", run_id=run, **batch) == {}
    assert await served.points(run, "loss") == [(2, 1, "NaN"), (3, 0, 1.5)]
    found = (await served.get("runs/get", run_id=run))["run"]
    assert found["info"]["run_name"] == "renamed"
    assert found["data"]["metrics"] == [{"key": "loss", "value": "NaN", "timestamp": 2, "step": 1}]
    params = {each["key"]: each["value"] for each in found["data"]["params"]}
    assert params == {"lr": "0.1", "none": "", "long": "x" * 6000}

    await served.post("runs/set-tag", run_uuid=run, key="t", value="1")
    assert await served.post("runs/delete-tag", run_id=run, key="t") == {}
    assert await refused(await served.send("runs/delete-tag", {"run_id": run, "key": "t"})) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    await served.post("runs/log-parameter", run_id=run, key="lr", value="0.1")
    changed = await served.send("runs/log-parameter", {"run_id": run, "key": "lr", "value": "0.2"})
    assert await refused(changed) == (400, "INVALID_PARAMETER_VALUE")
    await served.post("runs/log-metric", run_id=run, key="late", value=math.inf, timestamp=1)
    assert await served.points(run, "late") == [(1, 0, "Infinity")]


async def test_only_deleted_and_unknown_runs_are_refused(served: Served) -> None:
    run = await served.run()
    point = {"key": "m", "value": 1, "timestamp": 1, "step": 1}
    assert await refused(await served.send("runs/log-metric", {"run_id": NOBODY, **point})) == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
    )
    await served.post("runs/update", run_id=run, status="FINISHED")
    await served.post("runs/log-metric", run_id=run, **point)
    await served.post("runs/delete", run_id=run)
    assert await refused(await served.send("runs/log-metric", {"run_id": run, **point})) == (
        400,
        "INVALID_PARAMETER_VALUE",
    )
    await served.post("runs/restore", run_id=run)
    await served.post("runs/log-metric", run_id=run, **point)
    assert await served.points(run, "m") == [(1, 1, 1.0)]


async def test_the_item_that_is_wrong_is_named_and_nothing_is_logged(served: Served) -> None:
    run = await served.run()
    good = {"key": "m", "value": 1, "timestamp": 1, "step": 1}
    for name, value in (
        ("step", 1.5),
        ("timestamp", -1),
        ("timestamp", None),
        ("value", "x"),
        ("key", "../m"),
        ("key", 7),
    ):
        answer = await served.send(
            "runs/log-batch", {"run_id": run, "metrics": [good, {**good, name: value}]}
        )
        assert await refused(answer) == (400, "INVALID_PARAMETER_VALUE")
        assert f"metrics[1].{name}" in answer.json["message"]
    params = [{"key": "p", "value": "1"}] * 2
    assert (await served.send("runs/log-batch", {"run_id": run, "params": params})).status == 400
    for items in ({"metrics": [good] * 1001}, {"params": [{"key": f"p{n}"} for n in range(101)]}):
        assert (await served.send("runs/log-batch", {"run_id": run, **items})).status == 400
    assert await served.points(run, "m") == []


async def test_files_of_a_run(served: Served) -> None:
    run, other = await served.run(), await served.run()
    root = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts"
    data = b"x" * (9 << 20)  # more than other bodies may have
    assert (await served.ask("PUT", f"{root}/a/b.bin", data)).json == {}
    assert (await served.ask("GET", f"{root}/a/b.bin")).body == data
    listed = await served.get("artifacts/list", run_id=run, path="a")
    assert listed["files"] == [{"path": "a/b.bin", "is_dir": False, "file_size": len(data)}]
    path = urlencode({"path": f"0/{run}/artifacts"})
    folder = await served.ask("GET", f"/ajax-api/2.0/mlflow-artifacts/artifacts?{path}")
    assert folder.json == {"files": [{"path": "a", "is_dir": True}]}
    for bad in (
        f"1/{run}/artifacts/a",
        f"0/{run}/artifacts/../../x",
        f"0/{NOBODY}/artifacts/a",
        "x",
        f"0/{run}",
        "..",
    ):
        for method in ("GET", "PUT", "DELETE"):
            answer = await served.ask(method, f"/api/2.0/mlflow-artifacts/artifacts/{bad}", b"x")
            assert answer.status in {400, 404}, (method, bad, answer)
    assert (await served.ask("DELETE", f"{root}/a")).json == {}
    assert (await served.ask("GET", f"{root}/a/b.bin")).status == 404
    assert "files" not in await served.get("artifacts/list", run_id=other)
    assert (await served.ask("GET", root)).status == 404  # what clients ask to download nothing


async def test_the_rest_is_no_endpoint(served: Served) -> None:
    assert (await served.ask("GET", "/health")).body == b"OK"
    assert (await served.ask("GET", "/version")).status == 200
    info = (await served.ask("GET", "/api/3.0/mlflow/server-info")).json
    assert not any(value for name, value in info.items() if name.endswith("_supported"))
    for path in ("runs/nothing", "traces/search", "metrics/get-history-bulk"):
        answer = await served.ask("GET", API + path)
        assert (answer.status, answer.json["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
