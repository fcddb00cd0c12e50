"""The commands that change, compare and watch, and how runs are named: what they ask, and what they print."""

import csv
import io
import json
import math
import sys
from array import array
from typing import Any

import pytest

from fake_core import FakeCore, finding
from headrace.cli import gc, main, tables, watch
from headrace.errors import InvalidArgumentError, NotFoundError, UnavailableError
from headrace_proto.v1 import tracking_pb2 as pb

RUN, OTHER = "0123456789abcdef0123456789abcdef", "01ff" * 8


def run_of(run_id: str, name: str, status: int = pb.FINISHED, **params: str) -> pb.Run:
    info = pb.RunInfo(run_id=run_id, run_name=name, experiment_id="0", status=pb.RunStatus.Name(status))
    info.start_time, info.end_time = 1_700_000_000_000, 1_700_003_661_000
    return pb.Run(info=info, params=params)


def summary_of(key: str, last: float, least: float, count: int = 12) -> pb.MetricSummary:
    point = pb.Metric(value=last, step=9, timestamp=1)
    return pb.MetricSummary(key=key, last=point, first=point, min=least, max=2, count=count)


@pytest.fixture(autouse=True)
def daemon(fake: FakeCore) -> FakeCore:
    fake.experiments["1"] = pb.Experiment(experiment_id="1", name="digits", lifecycle_stage="active")
    runs = {
        RUN: run_of(RUN, "first", lr="0.1", same="x"),
        OTHER: run_of(OTHER, "second", lr="0.2", same="x", own="y"),
    }
    fake.responses["SearchRuns"] = finding(runs.values())
    fake.responses["GetRun"] = lambda request: runs[request.run_id]
    of_run = {RUN: 0.5, OTHER: math.nan}
    fake.responses["GetSummaries"] = lambda request: pb.GetSummariesResponse(
        summaries=[summary_of("loss", of_run[request.run_id], 0.25)]
    )
    fake.responses["ChangeExperiment"] = pb.Experiment()
    fake.responses["ChangeRun"] = pb.Run()
    return fake


def out(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def changes(daemon: FakeCore, method: str) -> list[Any]:
    return [request for name, request in daemon.asked if name == method]


def test_experiments_are_created_and_changed(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiments", "create", "new", "--tag", "a=b=c", "--artifact-location", "s3://x"]) == 0
    assert out(capsys) == "2\n"
    created = pb.CreateExperimentRequest(name="new", artifact_location="s3://x", tags={"a": "b=c"})
    assert changes(daemon, "CreateExperiment") == [created]
    assert main(["experiments", "rename", "digits", "letters"]) == 0
    assert main(["experiments", "tag", "1", "a=b", "c="]) == 0
    assert main(["experiments", "delete", "digits", "0"]) == 0
    assert main(["experiments", "restore", "digits"]) == 0
    change = pb.ChangeExperimentRequest
    assert changes(daemon, "ChangeExperiment") == [
        change(experiment_id="1", name="letters"),
        change(experiment_id="1", set_tags=change.Tags(tags={"a": "b", "c": ""})),
        change(experiment_id="1", lifecycle_stage="deleted"),
        change(experiment_id="0", lifecycle_stage="deleted"),
        change(experiment_id="1", lifecycle_stage="active"),
    ]
    assert main(["experiments", "delete", "digits", "nobody"]) == 1
    assert "there is no experiment 'nobody'" in capsys.readouterr().err
    assert len(changes(daemon, "ChangeExperiment")) == 5, "nothing is deleted when a name is wrong"


def test_a_list_of_experiments(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["ListExperiments"] = pb.ListExperimentsResponse(experiments=[daemon.experiments["1"]])
    arguments = ["experiments", "list", "name = 'digits'", "--order-by", "name", "--view", "all"]
    assert main([*arguments, "--csv"]) == 0
    header, row = csv.reader(io.StringIO(out(capsys)))
    assert (header, row[:3]) == (["id", "name", "stage", "created"], ["1", "digits", "active"])
    assert daemon.asked[-1][1] == pb.ListExperimentsRequest(
        view_type=pb.ALL, max_results=1000, filter="name = 'digits'", order_by=["name"]
    )


def test_runs_are_deleted_and_restored(daemon: FakeCore) -> None:
    assert main(["runs", "delete", RUN, "second"]) == 0
    assert main(["runs", "restore", "first"]) == 0
    assert changes(daemon, "ChangeRun") == [
        pb.ChangeRunRequest(run_id=RUN, lifecycle_stage="deleted"),
        pb.ChangeRunRequest(run_id=OTHER, lifecycle_stage="deleted"),
        pb.ChangeRunRequest(run_id=RUN, lifecycle_stage="active"),
    ]
    assert changes(daemon, "SearchRuns")[-1].view_type == pb.DELETED_ONLY, "restored are deleted ones"


def test_a_list_of_deleted_runs_as_csv(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "--view", "deleted", "--csv"]) == 0
    header, *rows = csv.reader(io.StringIO(out(capsys)))
    assert header[:3] == ["run", "name", "status"]
    assert [row[0] for row in rows] == [RUN, OTHER]
    assert daemon.asked[-1][1].view_type == pb.DELETED_ONLY


# Naming.


def test_what_a_table_has_cut_names_the_run(daemon: FakeCore) -> None:
    assert main(["runs", "show", f"{RUN[:7]}…"]) == 0
    assert ("GetRun", pb.GetRunRequest(run_id=RUN)) in daemon.asked


def test_a_deleted_run_is_found_when_no_other_is_called_so(daemon: FakeCore) -> None:
    active, deleted = (
        finding([run_of(RUN, "active")]),
        finding([run_of(OTHER, "gone"), run_of(OTHER, "active")]),
    )
    daemon.responses["SearchRuns"] = lambda request: (
        deleted(request) if request.view_type == pb.DELETED_ONLY else active(request)
    )
    for name, run_id in (("gone", OTHER), ("active", RUN)):
        assert main(["runs", "show", name]) == 0
        assert [request for method, request in daemon.asked if method == "GetRun"][-1].run_id == run_id


@pytest.mark.parametrize("arguments", [["search"], ["experiments", "list"]])
def test_a_wrong_filter_is_shown_with_its_place(
    daemon: FakeCore, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "tags.team = 'a' AND tags.日本 = 'a' AND metrics.loss <= x AND metrics.other > 0 AND tags.third = ''"
    )
    problem = f"is wrong at character {text.index(' x ') + 2}, 'x': expected a number"
    wrong = InvalidArgumentError("filter_string", problem)
    daemon.responses["SearchRuns"] = daemon.responses["ListExperiments"] = wrong
    assert main([*arguments, text]) == 1
    shown, pointer, message = capsys.readouterr().err.splitlines()
    assert tables.width(shown[: shown.index(" x ") + 1]) == pointer.index("^")
    assert "日" in shown
    assert len(shown) < 80
    assert message.endswith(problem)


# Comparing.


def test_what_differs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "compare", RUN, OTHER]) == 0
    header, *rows = [line.split() for line in out(capsys).splitlines()]
    assert header == ["FIELD", "first", "second"]
    assert rows == [
        ["run", RUN, OTHER],
        ["params.lr", "0.1", "0.2"],
        ["params.own", "y"],
        ["metrics.loss", "0.5", "nan"],
    ]
    assert main(["runs", "compare", RUN, OTHER, "--all", "--csv"]) == 0
    fields = [row[0] for row in csv.reader(io.StringIO(out(capsys)))]
    assert fields[1:5] == ["run", "status", "started", "duration"]
    assert {"params.same", "metrics.loss.min", "metrics.loss.max"} < set(fields)
    assert main(["runs", "compare", RUN, OTHER, "--json"]) == 0
    first, second = json.loads(out(capsys))
    assert first["summaries"]["loss"]["last"]["value"] == 0.5
    assert second["summaries"]["loss"]["last"]["value"] == "NaN"


def test_runs_of_one_name_are_told_apart(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["GetRun"] = lambda request: run_of(request.run_id, "same")
    assert main(["runs", "compare", RUN, OTHER, "--csv"]) == 0
    assert next(csv.reader(io.StringIO(out(capsys)))) == ["field", f"{RUN[:8]} same", f"{OTHER[:8]} same"]


def test_of_one_run_everything_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "compare", RUN]) == 0
    assert "params.same" in out(capsys)


# Erasing.


@pytest.mark.parametrize(
    ("text", "expected"), [("30d", 2_592_000), ("1d12h", 129_600), ("5m1s", 301), ("0s", 0)]
)
def test_ages(text: str, expected: int) -> None:
    assert gc.age(text) == expected


@pytest.mark.parametrize("text", ["", "30", "d", "1y", "-1d", "1d 2h"])
def test_what_is_no_age(text: str) -> None:
    with pytest.raises(SystemExit):
        main(["gc", f"--older-than={text}"])


def test_gc_shows_first_and_erases_when_told(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["EraseDeleted"] = pb.EraseDeletedResponse(run_ids=[RUN], experiment_ids=["7"])
    daemon.responses["ListExperiments"] = pb.ListExperimentsResponse(
        experiments=[pb.Experiment(experiment_id="7", name="letters", lifecycle_stage="deleted")]
    )
    assert main(["gc"]) == 0
    text = out(capsys)
    assert text.splitlines()[1].split() == ["run", RUN, "first"]
    assert text.splitlines()[2].split() == ["experiment", "7", "letters"]
    assert "would erase 1 runs and 1 experiments; add --yes" in text
    assert changes(daemon, "EraseDeleted")[-1].dry_run
    assert main(["gc", "--yes", "--run", RUN, "--experiment", "digits", "--older-than", "1d", "--json"]) == 0
    assert json.loads(out(capsys)) == {"erased": True, "run_ids": [RUN], "experiment_ids": ["7"]}
    request = daemon.asked[-1][1]
    assert (request.dry_run, request.run_ids, request.experiment_ids) == (False, [RUN], ["1"])
    assert request.deleted_before > 0


# Watching.


def watching(daemon: FakeCore, counts: list[int]) -> None:
    """Has the run go on while there are counts, and end with the last."""
    left = iter(counts)
    state = {"count": 0}

    def get_run(_: object) -> pb.Run:
        state["count"] = next(left)
        return run_of(RUN, "first", pb.FINISHED if state["count"] == counts[-1] else pb.RUNNING)

    daemon.responses["GetRun"] = get_run
    daemon.responses["GetSummaries"] = lambda _: pb.GetSummariesResponse(
        summaries=[summary_of("loss", 0.5, 0.25, state["count"]), summary_of("acc", 0.75, 0.5, 7)]
    )
    columns = {name: array("q", [0, 7]).tobytes() for name in ("first_steps", "last_steps", "counts")}
    daemon.responses["GetMetricChart"] = pb.MetricChart(**columns, means=array("d", [2.0, 1.0]).tobytes())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept; the clock is that and nothing else."""
    slept: list[float] = []
    monkeypatch.setattr(watch, "_sleep", slept.append)
    monkeypatch.setattr(watch, "_clock", lambda: sum(slept))
    return slept


def test_a_run_is_watched_until_it_ends(
    daemon: FakeCore, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    watching(daemon, [10, 10, 30])
    assert main(["runs", "watch", RUN, "--interval", "4"]) == 0
    assert clock == [4.0, 4.0]
    first, second, third = out(capsys).strip().split("\n\n")
    assert first.splitlines()[0].startswith("first  RUNNING")
    assert "17 points" in first
    assert "0 a second" in second
    lines = [line.split() for line in third.splitlines()]
    assert third.splitlines()[0].endswith("37 points, 5 a second")
    assert lines[2] == ["acc", "0.75", "9", "7", "0", "█▁"]
    assert lines[3] == ["loss", "0.5", "9", "30", "5", "█▁"]


def test_a_terminal_shows_what_fits(
    daemon: FakeCore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watching(daemon, [10])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "5")
    assert main(["runs", "watch", RUN, "--once"]) == 0
    text = out(capsys)
    assert "\x1b" not in text, "what was on the terminal before stays"
    assert "and 1 more metrics" in text
    assert all(len(line) <= 40 for line in text.splitlines()[1:])


def test_a_daemon_that_is_away_for_a_while(
    daemon: FakeCore, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    watching(daemon, [10, 30])
    answer, away = daemon.responses["GetRun"], iter([False, True, False])

    def get_run(request: object) -> pb.Run:
        if next(away):
            raise UnavailableError("connection refused")
        return answer(request)  # type: ignore[no-any-return]

    daemon.responses["GetRun"] = get_run
    assert main(["runs", "watch", RUN]) == 0
    assert len(clock) == 2
    assert "(connection refused)" in out(capsys)


@pytest.mark.usefixtures("clock")
def test_a_terminal_is_written_over(
    daemon: FakeCore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watching(daemon, [10, 10, 30])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["runs", "watch", RUN]) == 0
    first, second, third = out(capsys).split("\x1b[J")
    for before, after in ((first, second), (second, third)):
        assert before.count("\n") == 4
        assert before.endswith("\x1b[4F"), "at the beginning of the first line"
        assert after.startswith("first  ")


def test_watching_no_run(daemon: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.responses["GetRun"] = NotFoundError("there is no run")
    assert main(["runs", "watch", RUN]) == 1
    assert "there is no run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""), ([1.0], "▁"), ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"), ([math.nan, 1, math.inf, 2], " ▁ █"),
        ([math.nan], " "), ([-1e308, 1e308], "▁█"), ([5e-324, 1e-323], "▁▁"),
    ],
)  # fmt: skip
def test_sparklines(values: list[float], line: str) -> None:
    found = watch.sparkline(values)
    assert len(found) == len(line)
    assert found == line or values == [5e-324, 1e-323], "numbers without a half"
