"""Points by MLflow's REST API: what counts once, what a number is, who is answered, what a chart is told."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace_ingest.http.mlflow import metrics
from headrace_ingest.http.mlflow.routes import API, PAGES
from headrace_ingest.ports import reserve
from headrace_storage import history
from ingest_daemon import serving
from mlflow_rest import Served

NOBODY = "f" * 32


@pytest.fixture
async def served(tmp_path: Path, database_url: str) -> AsyncIterator[Served]:
    with reserve("127.0.0.1", 0) as reserved:
        port = reserved.getsockname()[1]
        async with serving(tmp_path / "data", database_url, port):
            yield Served(port)


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


async def test_who_waits_when_the_daemon_ends_is_not_told_more_than_is_so(
    tmp_path: Path, database_url: str
) -> None:
    with reserve("127.0.0.1", 0) as reserved:
        daemon = Served(reserved.getsockname()[1])
        async with serving(tmp_path / "data", database_url, daemon.port):
            run = await daemon.run()
            waiting = [
                asyncio.create_task(daemon.send("runs/log-metric", {"run_id": run, **point(step)}))
                for step in range(60)
            ]
            await waiting[0]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        told = [step for step, answer in enumerate(answers) if getattr(answer, "status", 0) == 200]
        others = {getattr(answer, "status", type(answer)) for answer in answers} - {200}
        assert others <= {503, ConnectionResetError, ConnectionRefusedError, IndexError}
        async with serving(tmp_path / "data", database_url, daemon.port):
            assert set(told) <= {step for _, step, _ in await daemon.points(run, "m")}
            for step in range(60):  # as the client does that was not told
                await daemon.post("runs/log-metric", run_id=run, **point(step))
            assert await daemon.points(run, "m") == [(step, step, float(step)) for step in range(60)]


def point(step: int) -> dict[str, Any]:
    return {"key": "m", "value": step, "timestamp": step, "step": step}


NUMBERS: tuple[tuple[bytes, Any], ...] = (
    (b"1e400", "Infinity"),  # what readers of JSON make of it
    (b"NaN", "NaN"),
    (b"-Infinity", "-Infinity"),
    (b"123456789012345678901234567890", 123456789012345678901234567890.0),
    (b'1, "value": 2', 2.0),  # of one name twice the last counts
    (b'"1e400"', "Infinity"),
    (b"1" + b"0" * 400, None),
    (b"1" + b"0" * 5000, None),
    (b'"\\ud800"', None),
    (b"[" * 500 + b"]" * 500, None),
    (b"true", None),
)


async def test_numbers_as_json_may_have_them(served: Served) -> None:
    run = await served.run()
    for number, (value, stored) in enumerate(NUMBERS):
        fields = b'"run_id": "%b", "key": "m%d", "timestamp": 1, "step": 2' % (run.encode(), number)
        answer = await served.send("runs/log-metric", b'{%b, "value": %b}' % (fields, value))
        assert answer.status == (400 if stored is None else 200), (value[:50], answer)
        found = await served.points(run, f"m{number}")
        assert found == ([] if stored is None else [(1, 2, stored)]), value[:50]


async def test_keys_are_any_letters(served: Served) -> None:
    run = await served.run()
    keys = ["größe", "損失", "λ/µ β.1"]
    for key in keys:
        await served.post("runs/log-metric", **{**point(1), "run_id": run, "key": key})
        assert await served.points(run, key) == [(1, 1, 1.0)]
    found = (await served.get("runs/get", run_id=run))["run"]["data"]["metrics"]
    assert {each["key"] for each in found} == set(keys)
    for key in ("e\u0301", "\ud83d", "a\0b", "a\nb", "\U0001f600", "a\u202eb"):
        refused_key = await served.send("runs/log-metric", {**point(1), "run_id": run, "key": key})
        assert refused_key.status == 400, key


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
