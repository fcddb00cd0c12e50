"""The commands: what they print, for people and for programs, and their exit codes."""

import json
import math
import os
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest

from fake_core import FakeCore, finding
from headrace.cli import main, output
from headrace.errors import UnavailableError
from headrace.shipping import sync
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"
OTHER = "01ff" * 8
MORE = "more"


def run_of(run_id: str, name: str) -> pb.Run:
    info = pb.RunInfo(
        run_id=run_id,
        run_name=name,
        experiment_id="0",
        status=pb.FINISHED,
        start_time=1_700_000_000_000,
        end_time=1_700_003_661_000,
        lifecycle_stage="active",
    )
    return pb.Run(
        info=info, metrics=[pb.Metric(key="loss", value=math.nan)], params={"lr": "0.1"}, tags={"t": "x"}
    )


@pytest.fixture(autouse=True)
def daemon(fake: FakeCore) -> FakeCore:
    fake.experiments["1"] = pb.Experiment(experiment_id="1", name="digits", lifecycle_stage="active")
    runs = [run_of(RUN, "first"), run_of(OTHER, "second")]
    fake.responses["SearchRuns"] = finding(runs, keys=[0], values=[math.nan], timestamps=[1], steps=[1])
    fake.responses["GetRun"] = lambda request: run_of(request.run_id, "first")
    point = pb.Metric(value=0.5, step=9, timestamp=1)
    fake.responses["GetSummaries"] = pb.GetSummariesResponse(
        summaries=[pb.MetricSummary(key="loss", last=point, first=point, min=math.nan, max=2, count=12)]
    )
    fake.responses["GetMetricChart"] = pb.MetricChart(
        **{name: array("q", [0, 7]).tobytes() for name in ("first_steps", "last_steps", "nan_counts")},
        counts=array("q", [1, 12]).tobytes(),
        **{
            name: array("d", [0.25, math.nan]).tobytes()
            for name in ("mins", "maxs", "means", "first_values", "last_values")
        },
    )
    return fake


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_experiments_list(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    pages = iter(
        [
            pb.ListExperimentsResponse(experiments=[daemon.experiments["0"]], next_page_token=MORE),
            pb.ListExperimentsResponse(experiments=[daemon.experiments["1"]]),
        ]
    )
    daemon.responses["ListExperiments"] = lambda _: next(pages)
    assert main(["experiments", "list"]) == 0
    header, *rows = lines(capsys)
    assert header.split() == ["ID", "NAME", "STAGE", "CREATED"]
    assert [row.split()[:2] for row in rows] == [["0", "Default"], ["1", "digits"]]


def test_experiments_list_json(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["ListExperiments"] = pb.ListExperimentsResponse(experiments=[daemon.experiments["1"]])
    assert main(["experiments", "list", "--json"]) == 0
    (experiment,) = json.loads(capsys.readouterr().out)
    assert (experiment["experiment_id"], experiment["name"]) == ("1", "digits")


def test_runs_list(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list"]) == 0
    header, first, second = lines(capsys)
    assert header.split() == ["RUN", "NAME", "STATUS", "EXPERIMENT", "STARTED", "DURATION", "METRICS"]
    assert first.split()[:4] == [RUN, "first", "FINISHED", "0"]
    assert first.split()[-2:] == ["1:01:01", "1"]
    assert second.startswith(OTHER)
    assert daemon.asked[-1][1] == pb.SearchRunsRequest(max_results=50, view_type=pb.ACTIVE_ONLY)


@pytest.mark.parametrize("experiment", ["digits", "1"])
def test_runs_list_of_an_experiment(daemon: FakeCore, experiment: str) -> None:
    assert main(["runs", "list", "--experiment", experiment, "--limit", "3"]) == 0
    assert (daemon.asked[-1][1].experiment_ids, daemon.asked[-1][1].max_results) == (["1"], 3)


def test_runs_list_of_an_unknown_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    for unknown in ("letters", "99"):
        assert main(["runs", "list", "--experiment", unknown]) == 1
        assert capsys.readouterr().err.startswith(f"headrace: there is no experiment '{unknown}'")


def test_runs_json_holds_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    def strict(constant: str) -> None:
        raise AssertionError(constant)

    assert main(["runs", "list", "--json"]) == 0
    runs = json.loads(capsys.readouterr().out, parse_constant=strict)
    assert runs[0]["data"]["metrics"] == {"loss": "NaN"}
    assert main(["runs", "show", RUN, "--json"]) == 0
    run = json.loads(capsys.readouterr().out, parse_constant=strict)
    assert run["info"]["run_id"] == RUN
    assert run["summaries"]["loss"]["count"] == 12
    assert run["summaries"]["loss"]["min"] == "NaN"


def test_runs_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", RUN]) == 0
    text = capsys.readouterr().out
    for part in (RUN, "first", "FINISHED", "lr", "0.1", "12"):
        assert part in text


@pytest.mark.parametrize("text", [RUN, RUN[:3], "first"])
def test_a_run_by_id_prefix_or_name(daemon: FakeCore, text: str) -> None:
    assert main(["runs", "show", text]) == 0
    assert ("GetRun", pb.GetRunRequest(run_id=RUN)) in daemon.asked


@pytest.mark.parametrize(("text", "problem"), [("01", "means 2 runs"), ("it's", "there is no run")])
def test_no_run_or_several(text: str, problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show", text]) == 1
    assert problem in capsys.readouterr().err


def test_rejects(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    entry = pb.ListRejectsResponse.Entry(first=1, end=2, code="CODE", message="no such luck", timestamp=3)
    daemon.responses["ListRejects"] = pb.ListRejectsResponse(rejects=[entry])
    assert main(["rejects"]) == 0
    assert "no such luck" in lines(capsys)[1]
    assert main(["rejects", "--csv"]) == 0
    assert lines(capsys)[0] == "time,run,code,message"
    assert main(["rejects", "first", "--json"]) == 0
    assert daemon.asked[-1][1].run_id == RUN
    assert json.loads(capsys.readouterr().out)[0]["code"] == "CODE"


def test_writers_of_a_run(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    entry = pb.ListWritersResponse.Entry(writer_id="w" * 32, labels={"rank": "3", "host": "node7"}, points=9)
    daemon.responses["ListWriters"] = pb.ListWritersResponse(writers=[entry])
    assert main(["runs", "show", RUN, "--writers"]) == 0
    assert lines(capsys)[-1].split() == ["w" * 32, "3", "node7", "9"]
    assert main(["runs", "show", RUN, "--writers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["writers"][0]["labels"]["rank"] == "3"


# Delivery.


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> sync.SyncReport:
    """What the command will be told; it is not this test's matter whether it is true."""
    report = sync.SyncReport(delivered=1234, journals=2)

    def deliver(folder: Path, *, uri: str | None, refill: bool, progress: Any) -> sync.SyncReport:
        assert folder.is_dir()
        assert uri in (None, "headrace://there:1")
        assert not refill
        progress(sync.SyncProgress(10, 3))
        return report

    monkeypatch.setattr(sync, "sync", deliver)
    return report


@pytest.mark.usefixtures("report")
def test_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", str(tmp_path), "--tracking-uri", "headrace://there:1"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "delivered 1,234 operations from 2 journals\n"
    assert captured.err == ""


def test_sync_that_leaves_something(
    report: sync.SyncReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.pending, report.rejects, report.unfinished = 5, 3, [tmp_path / "journal"]
    assert main(["sync", str(tmp_path), "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["pending"] == 5
    assert str(tmp_path / "journal") in captured.err
    assert "3 operations were refused" in captured.err


def test_sync_of_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", str(tmp_path / "nowhere")]) == 1
    assert "is no folder" in capsys.readouterr().err


# Around the commands.


def test_errors_are_one_line(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["SearchRuns"] = UnavailableError("no daemon\n  answers")
    assert main(["runs", "list"]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "headrace: no daemon answers\n")


def test_a_chart_as_a_table(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chart", RUN, "loss", "--buckets", "7", "--first-step", "-3"]) == 0
    assert [row.split() for row in lines(capsys)] == [
        ["STEPS", "POINTS", "NAN", "MIN", "MEAN", "MAX"],
        ["0", "1", "0", "0.25", "0.25", "0.25"],
        ["7", "12", "7", "nan", "nan", "nan"],
    ]
    request = pb.GetMetricChartRequest(run_id=RUN, key="loss", buckets=7, first_step=-3)
    assert daemon.asked[-1][1] == request


def test_a_chart_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chart", RUN, "loss", "--json"]) == 0
    chart = json.loads(capsys.readouterr().out)
    assert (chart["counts"], chart["means"]) == ([1, 12], [0.25, "NaN"])


def test_a_chart_is_drawn_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("plotext")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["chart", RUN, "loss"]) == 0
    text = capfd.readouterr().out
    assert "loss, 13 points, 7 of them NaN" in text
    assert len(text.splitlines()) >= 20


def test_a_chart_of_nothing(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["GetMetricChart"] = pb.MetricChart()
    assert main(["chart", RUN, "los"]) == 1
    assert "has no points of 'los'" in capsys.readouterr().err
    assert main(["chart", RUN, "loss", "--buckets", "10001"]) == 1
    assert "buckets is 10001" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["runs", "bogus"],
        ["history"],
        ["history", RUN, "--steps", ":"],
        ["history", RUN, "--steps", "1:2:3"],
        ["history", RUN, "--csv", "--json"],
        ["runs", "list", "--limit", "0"],
        ["history", RUN, "k", "--format", "xml"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: headrace" in capsys.readouterr().err


def test_the_server_command_hands_its_arguments_over(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []
    server = type(sys)("headrace_ingest.main")

    def serve(arguments: list[str]) -> int:
        given.append(arguments)
        return 7

    server.main = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "headrace_ingest.main", server)
    assert main(["server", "--data", "here", "--help"]) == 7
    assert given == [["--data", "here", "--help"]]


def test_the_server_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "headrace_ingest.main", None)
    assert main(["server"]) == 1
    error = capsys.readouterr().err
    assert "pip install 'headrace[server]'" in error
    assert len(error.splitlines()) == 1


def test_python_m_headrace_lists_every_command() -> None:
    command = [sys.executable, "-m", "headrace", "--help"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for name in ("server", "agent", "experiments", "runs", "history", "chart", "rejects", "sync"):
        assert f"\n    {name}" in text


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = "from headrace.cli import main; import sys, headrace.cli.experiments as e\n"
    script += "def chatty(_):\n    for n in range(100000): print(n)\n    return 0\n"
    script += "e._list = chatty\nsys.exit(main(['experiments', 'list']))"
    reading, writing = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.close(reading)
    _, error = process.communicate()
    assert (process.returncode, error) == (0, b"")


def test_times_that_no_calendar_knows() -> None:
    assert output.local_time(253_402_300_799_999) == "253402300799999 ms"
    assert output.local_time(0).startswith(("1970", "1969"))


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("delivering") as show:
        show(1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
