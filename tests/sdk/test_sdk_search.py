"""Searching runs: both clients, the fluent function, the data frame, the command."""

import csv
import io
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace import ViewType
from headrace.cli import main
from headrace.errors import HeadraceError, InvalidArgumentError
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"
OTHER = "ffffffffffffffffffffffffffffffff"
THIS, NEXT = "this", "next"


def page_of(count: int, token: str = "") -> pb.SearchRunsResponse:
    run = pb.Run(info=pb.RunInfo(run_id=RUN, status=pb.RUNNING))
    latest = pb.LatestMetrics(keys=[1], values=[0.5], timestamps=[1], steps=[2])
    return pb.SearchRunsResponse(
        runs=[run] * count, latest=[latest] * count, metric_keys=["a", "b"], next_page_token=token
    )


def test_a_search(fake: FakeCore, ask: Ask) -> None:
    fake.responses["SearchRuns"] = page_of(2, NEXT)
    page = ask("search_runs", ["0", 7], "metrics.b < 1", ViewType.ALL, 2, ["metrics.b DESC"], page_token=THIS)
    assert ([(each.info.run_id, each.data.metrics) for each in page], page.token) == (
        [(RUN, {"b": 0.5})] * 2,
        NEXT,
    )
    assert fake.asked[-1][1] == pb.SearchRunsRequest(
        experiment_ids=["0", "7"],
        filter="metrics.b < 1",
        order_by=["metrics.b DESC"],
        view_type=pb.ALL,
        max_results=2,
        page_token=THIS,
    )
    fake.responses["SearchRuns"] = page_of(1)
    assert ask("search_runs").token is None
    assert fake.asked[-1][1] == pb.SearchRunsRequest(max_results=1000, view_type=pb.ACTIVE_ONLY)
    ask("search_runs", "12")  # one id, not the ids "1" and "2"
    assert fake.asked[-1][1].experiment_ids == ["12"]
    fake.asked.clear()
    assert ask("search_runs", []) == []
    assert [what for what, _ in fake.asked] == ["settle"], "no experiment is not every experiment"


def test_a_search_goes_on_where_a_page_of_the_daemon_ends(fake: FakeCore, ask: Ask) -> None:
    pages = iter([page_of(3, NEXT), page_of(1, NEXT), page_of(2, "the rest")])
    fake.responses["SearchRuns"] = lambda _: next(pages)
    found = ask("search_runs", max_results=6)
    assert (len(found), found.token) == (6, "the rest")
    asked = [request for method, request in fake.asked if method == "SearchRuns"]
    assert [(request.max_results, request.page_token) for request in asked] == [(6, ""), (3, NEXT), (2, NEXT)]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("filter_string", {"filter_string": 3}),
        ("order_by", {"order_by": [3]}),
        ("run_view_type", {"run_view_type": 4}),
        ("max_results", {"max_results": 50_001}),
        ("experiment_ids", {"experiment_ids": ["Default"]}),
    ],
)
def test_what_no_search_can_be(fake: FakeCore, ask: Ask, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=name):
        ask("search_runs", **options)
    assert not [method for method, _ in fake.asked if method == "SearchRuns"]


def run_of(run_id: str, **params: str) -> pb.Run:
    info = pb.RunInfo(
        run_id=run_id,
        run_name="name",
        experiment_id="0",
        status=pb.FINISHED,
        artifact_uri="there",
        start_time=1_700_000_000_000,
    )
    if run_id == RUN:
        info.end_time = 1_700_003_661_000
    return pb.Run(info=info, params=params, tags={"team": "mill"} if run_id == RUN else {})


@pytest.fixture
def two_runs(fake: FakeCore) -> FakeCore:
    fake.experiments["1"] = pb.Experiment(experiment_id="1", name="digits", lifecycle_stage="active")
    fake.responses["SearchRuns"] = pb.SearchRunsResponse(
        runs=[run_of(RUN, lr="0.1"), run_of(OTHER)],
        metric_keys=["loss", "acc"],
        latest=[
            pb.LatestMetrics(keys=[0, 1], values=[math.inf, 0.5], timestamps=[1, 1], steps=[0, 0]),
            pb.LatestMetrics(keys=[1], values=[0.25], timestamps=[1], steps=[0]),
        ],
    )
    return fake


def asked(fake: FakeCore) -> Sequence[pb.SearchRunsRequest]:
    return [request for method, request in fake.asked if method == "SearchRuns"]


def test_a_search_is_a_data_frame_with_the_columns_of_mlflow(two_runs: FakeCore) -> None:
    frame = headrace.search_runs(["1"], "metrics.acc > 0", order_by=["metrics.acc DESC"])
    assert list(frame.columns) == [
        "run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time",
        "metrics.loss", "metrics.acc", "params.lr", "tags.team",
    ]  # fmt: skip
    assert frame["run_id"].tolist() == [RUN, OTHER]
    assert frame["start_time"][0] == pd.Timestamp(1_700_000_000_000, unit="ms", tz="UTC")
    assert frame["end_time"][0] == pd.Timestamp(1_700_003_661_000, unit="ms", tz="UTC")
    assert pd.isna(frame["end_time"][1])
    assert frame["metrics.acc"].tolist() == [0.5, 0.25]
    assert frame["metrics.loss"][0] == math.inf
    assert math.isnan(frame["metrics.loss"][1])
    assert frame["params.lr"][0] == "0.1"
    assert pd.isna(frame["params.lr"][1])
    assert frame["tags.team"][0] == "mill"
    [request] = asked(two_runs)
    assert request.experiment_ids == ["1"]
    assert (request.filter, request.max_results) == ("metrics.acc > 0", 10_000)


def test_a_frame_of_no_runs_has_its_columns(fake: FakeCore) -> None:
    fake.responses["SearchRuns"] = pb.SearchRunsResponse()
    frame = headrace.search_runs(search_all_experiments=True)
    assert (len(frame), list(frame.columns)[:2]) == (0, ["run_id", "experiment_id"])


def test_without_pandas_there_is_a_remedy(two_runs: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HeadraceError, match=r"pip install pandas.*output_format='list'"):
        headrace.search_runs(["1"])
    assert len(asked(two_runs)) == 0, "said before anything is asked"
    assert [run.info.run_id for run in headrace.search_runs(["1"], output_format="list")] == [RUN, OTHER]


@pytest.mark.parametrize(
    ("options", "experiments"),
    [
        ({"experiment_ids": ["1", "0"]}, ["1", "0"]),
        ({"experiment_names": ["digits", "none"]}, ["1"]),
        ({"search_all_experiments": True}, []),
        ({"experiment_ids": [], "experiment_names": [], "search_all_experiments": True}, []),
        ({"experiment_ids": ["0"], "search_all_experiments": True}, ["0"]),
        ({}, ["0"]),
    ],
)
def test_where_to_search(two_runs: FakeCore, options: dict[str, Any], experiments: list[str]) -> None:
    headrace.search_runs(**options, output_format="list")
    [request] = asked(two_runs)
    assert list(request.experiment_ids) == experiments


def test_by_default_in_the_experiment_that_is_set(two_runs: FakeCore) -> None:
    headrace.set_experiment("digits")
    headrace.search_runs(output_format="list")
    assert list(asked(two_runs)[0].experiment_ids) == ["1"]


def test_names_that_do_not_exist_have_no_runs(two_runs: FakeCore) -> None:
    assert headrace.search_runs(experiment_names=["none"], output_format="list") == []
    assert asked(two_runs) == []


@pytest.mark.parametrize(
    "options",
    [
        {"experiment_ids": ["1"], "experiment_names": ["digits"]},
        {"output_format": "arrow"},
        {"max_results": "9"},
    ],
)
def test_what_the_fluent_search_refuses(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        headrace.search_runs(**options)


def test_no_runs_were_asked_for(two_runs: FakeCore) -> None:
    assert headrace.search_runs(["0"], max_results=0, output_format="list") == []
    assert headrace.search_experiments(max_results=0) == []
    assert asked(two_runs) == []


def test_a_name_that_no_experiment_has_is_warned_of(
    two_runs: FakeCore, caplog: pytest.LogCaptureFixture
) -> None:
    assert headrace.search_runs(experiment_names=["nobody"], output_format="list") == []
    assert "there is no experiment 'nobody'" in caplog.text
    assert asked(two_runs) == []


def test_the_fluent_search_walks_pages(fake: FakeCore) -> None:
    pages = iter([page_of(3, NEXT), page_of(2, "more")])
    fake.responses["SearchRuns"] = lambda _: next(pages)
    assert len(headrace.search_runs(["0"], max_results=5, output_format="list")) == 5
    assert [request.max_results for request in asked(fake)] == [5, 2]


def test_the_command_shows_what_was_asked_for(
    two_runs: FakeCore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert (
        main(["search", "metrics.acc > 0", "--order-by", "metrics.acc DESC", "--experiment", "digits"]) == 0
    )
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["RUN", "NAME", "STATUS", "STARTED", "DURATION", "acc"]
    assert first.split()[-2:] == ["1:01:01", "0.5"]
    assert second.split()[-1] == "0.25"
    [request] = asked(two_runs)
    assert request == pb.SearchRunsRequest(
        experiment_ids=["1"],
        filter="metrics.acc > 0",
        order_by=["metrics.acc DESC"],
        view_type=pb.ACTIVE_ONLY,
        max_results=50,
    )
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["search", "--max", "2", "--view", "all"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[-3:] == ["acc", "loss", "lr"]


def test_the_command_prints_for_programs(two_runs: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--json"]) == 0
    [found, _] = json.loads(capsys.readouterr().out)
    assert found["data"]["metrics"] == {"loss": "Infinity", "acc": 0.5}
    assert main(["search", "--csv"]) == 0
    first, second = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (first["run_id"], first["metrics.loss"], first["tags.team"]) == (RUN, "inf", "mill")
    assert (second["run_id"], second["metrics.loss"], second["params.lr"]) == (OTHER, "", "")
    with pytest.raises(SystemExit):
        main(["search", "--csv", "--json"])
    assert len(asked(two_runs)) == 2
