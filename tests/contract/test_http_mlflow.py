"""MLflow's REST API by raw requests: what is answered, and that nothing makes it fail."""

import asyncio
import math
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from headrace_ingest.http.mlflow import metrics
from headrace_ingest.http.mlflow.routes import API, PAGES
from headrace_ingest.ports import reserve
from headrace_storage import history
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


async def test_identical_points_count_once(served: Served) -> None:
    run = await served.run()
    points = [{"key": "m", "value": n / 7, "timestamp": n, "step": n} for n in range(50)]
    points += [{"key": "m", "value": "NaN", "timestamp": 60, "step": 60}] * 2
    # Many at once, as after a timeout; then with others among them.
    await asyncio.gather(*(served.post("runs/log-batch", run_id=run, metrics=points) for _ in range(5)))
    other = {"key": "m", "value": 0.5, "timestamp": 1, "step": 1}
    await served.post("runs/log-batch", run_id=run, metrics=[*points, other])
    await served.post("runs/log-metric", run_id=run, **other)
    found = await served.points(run, "m")
    assert found == sorted(
        [(n, n, n / 7) for n in range(50)] + [(1, 1, 0.5), (60, 60, "NaN")],
        key=lambda point: (point[0], str(point[2])),
    )


async def test_two_daemons_take_the_same_points(tmp_path: Path, database_url: str) -> None:
    with reserve("127.0.0.1", 0) as first, reserve("127.0.0.1", 0) as second:
        one, two = Served(first.getsockname()[1]), Served(second.getsockname()[1])
        async with (
            serving(tmp_path / "data", database_url, one.port),
            serving(tmp_path / "data", database_url, two.port),
        ):
            run = await one.run()
            metrics = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(9)]
            await asyncio.gather(
                *(each.post("runs/log-batch", run_id=run, metrics=metrics) for each in (one, two))
            )
            expected = [(n, n, n) for n in range(9)]
            assert await one.points(run, "m") == await two.points(run, "m") == expected
        async with serving(tmp_path / "data", database_url, one.port):  # the port is free at once
            await one.post("runs/log-metric", run_id=run, **metrics[0])
            assert await one.points(run, "m") == expected


async def test_many_requests_at_once(served: Served) -> None:
    runs = [await served.run() for _ in range(4)]

    async def log(number: int) -> None:
        metrics = [{"key": f"k{n % 5}", "value": n, "timestamp": number, "step": n} for n in range(100)]
        await served.post(
            "runs/log-batch", run_id=runs[number % 4], metrics=metrics, params=[{"key": f"p{number}"}]
        )

    await asyncio.gather(*map(log, range(40)))
    for place, run in enumerate(runs):
        expected = [(number, n, n) for number in range(place, 40, 4) for n in range(2, 100, 5)]
        assert await served.points(run, "k2") == expected
        assert len((await served.get("runs/get", run_id=run))["run"]["data"]["params"]) == 10


async def test_pages_and_samples_of_histories(served: Served) -> None:
    run = await served.run()
    values = [random.Random(7).random() for _ in range(1000)]
    values[333], values[666] = 5.0, -5.0
    metrics = [
        {"key": "m", "value": value, "timestamp": step, "step": step} for step, value in enumerate(values)
    ]
    await served.post("runs/log-batch", run_id=run, metrics=metrics)
    pages: list[Any] = []
    token: dict[str, str] = {}
    while True:
        page = await served.get("metrics/get-history", run_id=run, metric_key="m", max_results=300, **token)
        pages += page["metrics"]
        if "next_page_token" not in page:
            break
        token = {"page_token": page["next_page_token"]}
    assert [each["value"] for each in pages] == values
    sampled = await served.get(
        "metrics/get-history-bulk-interval", run_ids=[run, NOBODY], metric_key="m", max_results=20
    )
    points = {each["step"]: each["value"] for each in sampled["metrics"]}
    assert len(sampled["metrics"]) <= 20
    assert {0: values[0], 333: 5.0, 666: -5.0, 999: values[999]}.items() <= points.items()
    between = await served.get(
        "metrics/get-history-bulk-interval", run_ids=run, metric_key="m", start_step=10, end_step=12
    )
    assert [(each["step"], each["run_id"]) for each in between["metrics"]] == [
        (10, run),
        (11, run),
        (12, run),
    ]
    bulk = await served.get(
        "metrics/get-history-bulk", PAGES, run_id=[run, NOBODY], metric_key="m", max_results=7
    )
    assert [each["step"] for each in bulk["metrics"]] == list(range(7))


async def test_a_sample_of_a_history_of_any_length(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MANY", 1000)
    monkeypatch.setattr(metrics, "STRETCH", 700)
    monkeypatch.setattr(metrics, "_THIN", 100)
    run, rng = await served.run(), random.Random(3)
    values: list[Any] = [rng.random() for _ in range(5000)]
    values[1234], values[2345], values[3456] = 5.0, -5.0, "NaN"
    for start in range(0, 5000, 1000):
        points = [
            {"key": "m", "value": values[step], "timestamp": 9000 - step, "step": step}
            for step in range(start, start + 1000)
        ]
        await served.post("runs/log-batch", run_id=run, metrics=points)
    ask = {"run_ids": run, "metric_key": "m", "max_results": 60}
    found = (await served.get("metrics/get-history-bulk-interval", **ask))["metrics"]
    shown = {each["step"]: each["value"] for each in found}
    assert 30 < len(found) <= 60
    assert list(shown) == sorted(shown)
    assert {0: values[0], 1234: 5.0, 2345: -5.0, 4999: values[4999]}.items() <= shown.items()
    assert all(each["timestamp"] == 9000 - each["step"] for each in found)
    assert all(values[step] == value for step, value in shown.items())
    ask |= {"start_step": 1300, "end_step": 2300}
    found = (await served.get("metrics/get-history-bulk-interval", **ask))["metrics"]
    assert [found[0]["step"], found[-1]["step"]] == [1300, 2300]
    assert max(each["value"] for each in found) == max(values[1300:2301])
    refused = await served.ask("GET", f"{API}metrics/get-history?run_id={run}&metric_key=m")
    assert refused.status == 400


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


async def test_the_rest_is_no_endpoint(served: Served) -> None:
    assert (await served.ask("GET", "/health")).body == b"OK"
    assert (await served.ask("GET", "/version")).status == 200
    info = (await served.ask("GET", "/api/3.0/mlflow/server-info")).json
    assert not any(value for name, value in info.items() if name.endswith("_supported"))
    for path in ("runs/nothing", "traces/search", "metrics/get-history-bulk"):
        answer = await served.ask("GET", API + path)
        assert (answer.status, answer.json["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
