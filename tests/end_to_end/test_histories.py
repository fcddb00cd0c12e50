"""Histories of several runs and keys, by rank and step, in pages and buckets, through a real daemon."""

import asyncio
import json
import math
import os
import subprocess
import sys
from typing import Any

import pytest

import headrace
from headrace import AsyncClient, Client, MetricHistories
from headrace.errors import InvalidArgumentError, NotFoundError
from obedient import headrace as command
from running import PROGRAMS, Daemon

STEPS = 50


def rank(number: int, run_id: str, steps: range) -> subprocess.Popen[bytes]:
    """A process of this rank, which logs its number as "loss" at these steps."""
    words = [json.dumps({"run_id": run_id}), str(steps.start), str(steps.stop), "loss", str(number)]
    environment = os.environ | {"HEADRACE_RANK": str(number), "HEADRACE_ATTEMPT": "first"}
    return subprocess.Popen([sys.executable, str(PROGRAMS / "resumed.py"), *words], env=environment)


def points(found: MetricHistories) -> list[tuple[str, str, int, float]]:
    return [(point.run_id, point.key, point.step, point.value) for point in found.to_list()]


@pytest.fixture
def runs(daemon: Daemon) -> list[str]:
    """Three ranks logged to the first one, this process "acc" and "loss" to the second."""
    client = Client(daemon.uri)
    first, second = sorted(client.create_run("0").info.run_id for _ in range(2))
    launched = [rank(number, first, range(STEPS)) for number in range(3)]
    client.log_series(second, "acc", [math.nan, math.inf, 0.5], steps=[5, 6, 7])
    client.log_series(second, "loss", [float(step) for step in range(1000)])
    for process in launched:
        assert process.wait(60) == 0
    return [first, second]


def check_in_one_call(daemon: Daemon, runs: list[str]) -> None:
    first, second = runs
    client = Client(daemon.uri)
    of_rank = sorted((first, "loss", step, float(number)) for step in range(STEPS) for number in range(3))
    long = [(second, "loss", step, float(step)) for step in range(1000)]

    whole = client.get_metric_histories(runs)
    assert [one[:2] for one in whole.series] == [(first, "loss"), (second, "acc"), (second, "loss")]
    told = points(whole)
    assert [point[:3] for point in told[: len(of_rank)]] == [point[:3] for point in of_rank]
    assert sorted(told[: len(of_rank)]) == of_rank
    assert told[-1000:] == long
    assert list(whole[second, "acc"]["step"]) == [5, 6, 7]
    assert repr(whole) == "<MetricHistories 1,153 points of 3 metrics>"

    assert points(client.get_metric_histories(first, rank=1)) == of_rank[1::3]
    begin = points(client.get_metric_histories(runs, "loss", steps=(None, 1)))
    assert sorted(begin) == sorted(of_rank[:6] + long[:2])
    some = client.get_metric_histories(runs, ["loss"], steps=(STEPS - 1, STEPS), rank=[0, 2])
    assert sorted(points(some)) == [of_rank[-3], of_rank[-1]]
    [one] = [each.writer_id for each in client.list_writers(first) if each.labels["rank"] == "2"]
    assert points(client.get_metric_histories(runs, writer=one)) == of_rank[2::3]
    assert {writer.rank for writer in client.get_metric_histories(first).writers} == {0, 1, 2}
    assert points(client.get_metric_histories(runs, "none")) == []

    history = client.get_metric_history(first, "loss", steps=(3, 4), rank=2)
    assert [(point.step, point.value) for point in history] == [(3, 2.0), (4, 2.0)]
    assert list(client.get_metric_columns(second, "loss", steps=(998, None)).steps) == [998, 999]
    everything = client.get_metric_history(first, "loss", writer=[each.writer_id for each in whole.writers])
    assert everything == client.get_metric_history(first, "loss")

    assert points(headrace.get_metric_histories(runs, "acc"))[1:] == told[-1002:-1000]


def check_in_pages(daemon: Daemon, runs: list[str]) -> None:
    client = Client(daemon.uri)
    whole = client.get_metric_histories(runs)
    pages = list(client.iter_metric_histories(runs, max_points=100))
    assert [len(page) for page in pages] == [100] * 11 + [53]
    assert [str(point) for page in pages for point in points(page)] == [str(point) for point in points(whole)]
    assert pages[-1].token is None
    assert "not the last page" in repr(pages[0])

    async def walk() -> list[Any]:
        async with AsyncClient(daemon.uri) as reader:
            return [page async for page in reader.iter_metric_histories(runs, "loss", max_points=575)]

    assert [len(page) for page in asyncio.run(walk())] == [575, 575]
    token = pages[0].token
    with pytest.raises(InvalidArgumentError, match="page_token is of another question; ask"):
        client.get_metric_histories(runs, "loss", page_token=token)
    with pytest.raises(InvalidArgumentError, match="page_token is none that was given out"):
        client.get_metric_histories(runs, page_token="x" + str(token))
    with pytest.raises(NotFoundError, match="0" * 32):
        client.get_metric_histories([*runs, "0" * 32])
    curves = list(client.iter_metric_histories(runs, buckets=10, max_points=10))
    assert [[one.key for one in page.series] for page in curves] == [["loss"], ["acc"], ["loss"]]


def check_in_buckets(daemon: Daemon, runs: list[str]) -> None:
    first, second = runs
    client = Client(daemon.uri)
    found = client.get_metric_histories(runs, buckets=2)
    last = found.to_list()[-1]
    assert (last.run_id, last.key, last.first_step, last.last_step) == (second, "loss", 500, 999)
    assert (last.count, last.min, last.max, last.mean, last.last_value) == (500, 500.0, 999.0, 749.5, 999.0)
    [bucket] = client.get_metric_histories(second, "acc", buckets=1).to_list()
    assert (bucket.nan_count, bucket.posinf, bucket.neginf, bucket.min) == (1, True, False, 0.5)
    assert (bucket.count, bucket.max, bucket.last_value) == (3, math.inf, 0.5)
    [bucket] = client.get_metric_histories(first, buckets=1, rank=2, steps=(10, 19)).to_list()
    assert (bucket.count, bucket.min, bucket.max) == (10, 2.0, 2.0)


def check_what_a_rewind_hides(daemon: Daemon, runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, client = runs[0], Client(daemon.uri)
    monkeypatch.setenv("HEADRACE_ATTEMPT", "second")
    with headrace.start_run(run_id=first, resume_from_step=10):
        headrace.log_metric("loss", 7.0, 10)
    shown = points(client.get_metric_histories(first))
    assert len(shown) == 31
    assert shown[-1] == (first, "loss", 10, 7.0)
    assert [each.max for each in client.get_metric_histories(first, buckets=1).to_list()] == [7.0]
    assert client.get_metric_history(first, "loss", steps=(10, None))[0].value == 7.0
    summary = client.get_metric_summaries(first)["loss"]
    assert (summary.count, summary.last.value) == (31, 7.0)


def check_tables(daemon: Daemon, runs: list[str]) -> None:
    client = Client(daemon.uri)
    found = client.get_metric_histories(runs)
    frame, table, arrays = found.to_pandas(), found.to_arrow(), found.to_numpy()
    names = ["run_id", "key", "step", "timestamp", "value", "writer", "rank"]
    assert [*frame.columns] == table.column_names == names == list(found.names)
    expected = [tuple(row.values()) for row in found.to_dicts()]
    millis = table.set_column(3, "timestamp", table["timestamp"].cast("int64"))
    assert str([tuple(row.values()) for row in millis.to_pylist()]) == str(expected)
    assert str(frame["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert frame.groupby("rank", dropna=False).size().tolist() == [STEPS, STEPS, STEPS, 1003]
    assert frame["run_id"].tolist() == [row[0] for row in expected]
    assert arrays["step"].tolist() == [row[2] for row in expected]
    assert [found.series[place].run_id for place in arrays["series"]] == [row[0] for row in expected]
    buckets = client.get_metric_histories(runs, buckets=5)
    rows = [tuple(row.values()) for row in buckets.to_dicts()]
    assert str([tuple(row.values()) for row in buckets.to_arrow().to_pylist()]) == str(rows)
    assert str(list(buckets.to_pandas().itertuples(index=False, name=None))) == str(rows)
    for none in (
        client.get_metric_histories(runs, "none"),
        client.get_metric_histories(runs, "none", buckets=3),
    ):
        assert len(none) == len(none.to_pandas()) == none.to_arrow().num_rows == len(none.to_list()) == 0
        assert [*none.to_pandas().columns] == none.to_arrow().column_names == list(none.names)


def test_readers(daemon: Daemon, runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    check_in_one_call(daemon, runs)
    check_in_pages(daemon, runs)
    check_in_buckets(daemon, runs)
    check_tables(daemon, runs)
    check_what_a_rewind_hides(daemon, runs, monkeypatch)
    check_in_one_place(daemon, runs)


def check_in_one_place(daemon: Daemon, runs: list[str]) -> None:
    """What the command prints is what the client reads."""
    done = command("history", runs[0], "--rank", "2", "--steps=:4", "--json")
    assert done.returncode == 0, done.stderr
    found = Client(daemon.uri).get_metric_histories(runs[0], rank=2, steps=(None, 4))
    assert json.loads(done.stdout) == found.to_dicts()
    assert len(found) == 5
