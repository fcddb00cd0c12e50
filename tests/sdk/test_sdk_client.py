"""Both clients: the same questions, the same answers, the same records."""

import asyncio
import logging
import math
import re
from array import array
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace import AsyncClient, Client
from headrace.errors import InvalidArgumentError, NotFoundError, OperationTimeoutError, UnavailableError
from headrace.operation import RunOperation
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"
THIS, NEXT = "this", "next"


def test_experiments(fake: FakeCore, ask: Ask) -> None:
    number = ask("create_experiment", "digits", "here", {"k": 1})
    assert fake.asked[-1][1] == pb.CreateExperimentRequest(
        name="digits", artifact_location="here", tags={"k": "1"}
    )
    experiment = ask("get_experiment", number)
    assert experiment == ask("get_experiment_by_name", "digits")
    assert (experiment.experiment_id, experiment.name, experiment.tags) == ("1", "digits", {"k": "1"})
    assert ask("get_experiment_by_name", "letters") is None
    with pytest.raises(NotFoundError):
        ask("get_experiment", "99")


def test_pages_of_experiments(fake: FakeCore, ask: Ask) -> None:
    fake.responses["ListExperiments"] = pb.ListExperimentsResponse(
        experiments=[pb.Experiment(experiment_id="1", name="a")], next_page_token=NEXT
    )
    page = ask("search_experiments", max_results=1, page_token=THIS)
    assert [experiment.name for experiment in page] == ["a"]
    assert page.token == NEXT
    expected = pb.ListExperimentsRequest(max_results=1, page_token=THIS, view_type=pb.ACTIVE_ONLY)
    assert fake.asked[-1][1] == expected
    fake.responses["ListExperiments"] = pb.ListExperimentsResponse()
    last = ask("search_experiments")
    assert (list(last), last.token) == ([], None)
    for bad in (0, -1, 50_001, "5", True):
        with pytest.raises(InvalidArgumentError, match="max_results"):
            ask("search_experiments", max_results=bad)


def test_a_run_is_created_at_the_daemon(fake: FakeCore, ask: Ask) -> None:
    fake.responses["CreateRun"] = pb.Run(info=pb.RunInfo(run_id=RUN, status=pb.RUNNING))
    run = ask("create_run", "0", 5, {"k": 1}, "named")
    assert run.info.run_id == RUN
    # Whoever gets no answer sends the request again: it makes no second run.
    assert re.fullmatch("[0-9a-f]{32}", fake.asked[-1][1].run_id)
    create = fake.asked[-1][1].run
    assert (create.experiment_id, create.start_time, create.run_name) == ("0", 5, "named")
    assert create.tags["k"] == "1"
    assert create.tags["mlflow.runName"] == "named"
    assert fake.written() == []
    with pytest.raises(InvalidArgumentError, match="experiment_id"):
        ask("create_run", "Default")


def test_a_run_is_read(fake: FakeCore, ask: Ask) -> None:
    info = pb.RunInfo(
        run_id=RUN,
        run_name="name",
        experiment_id="3",
        user_id="me",
        status=pb.KILLED,
        start_time=1,
        end_time=2,
        lifecycle_stage="active",
        artifact_uri="there",
    )
    metrics = [pb.Metric(key="a", value=math.inf, step=4), pb.Metric(key="b", value=-0.0)]
    fake.responses["GetRun"] = pb.Run(info=info, metrics=metrics, params={"p": "1"}, tags={"t": "2"})
    run = ask("get_run", RUN)
    expected = headrace.RunInfo(RUN, "3", "me", "KILLED", 1, 2, "active", "there", "name")
    assert run == headrace.Run(expected, headrace.RunData({"a": math.inf, "b": -0.0}, {"p": "1"}, {"t": "2"}))
    assert run.info.status == headrace.RunStatus.KILLED
    assert RUN in repr(run)
    assert "2 metrics" in repr(run)


def test_a_run_that_goes_on_has_no_end(fake: FakeCore, ask: Ask) -> None:
    fake.responses["GetRun"] = pb.Run(info=pb.RunInfo(run_id=RUN, status=pb.RUNNING))
    assert ask("get_run", RUN).info.end_time is None


def test_a_history_in_chunks(fake: FakeCore, ask: Ask) -> None:
    fake.responses["GetMetricHistory"] = [
        pb.HistoryChunk(
            steps=array("q", [3, -1]).tobytes(),
            timestamps=array("q", [10, 11]).tobytes(),
            values=array("d", [0.5, math.inf]).tobytes(),
        ),
        pb.HistoryChunk(
            steps=array("q", [2**63 - 1]).tobytes(),
            timestamps=array("q", [9]).tobytes(),
            values=array("d", [5e-324]).tobytes(),
        ),
    ]
    assert ask("get_metric_history", RUN, "loss") == [
        headrace.Metric("loss", 0.5, 10, 3),
        headrace.Metric("loss", math.inf, 11, -1),
        headrace.Metric("loss", 5e-324, 9, 2**63 - 1),
    ]
    assert fake.asked[-1][1] == pb.GetMetricHistoryRequest(run_id=RUN, key="loss", packed=True)
    columns = ask("get_metric_columns", RUN, "loss")
    assert list(columns.steps) == [3, -1, 2**63 - 1]
    assert list(columns.timestamps) == [10, 11, 9]
    assert list(columns.values) == [0.5, math.inf, 5e-324]


def test_an_empty_history(fake: FakeCore, ask: Ask) -> None:
    fake.responses["GetMetricHistory"] = []
    assert ask("get_metric_history", RUN, "loss") == []


def test_summaries(fake: FakeCore, ask: Ask) -> None:
    summary = pb.MetricSummary(
        key="a",
        last=pb.Metric(value=1.0, step=9, timestamp=8),
        first=pb.Metric(value=2.0, step=0, timestamp=7),
        min=0.5,
        max=2.0,
        count=10,
        nan_count=1,
    )
    fake.responses["GetSummaries"] = pb.GetSummariesResponse(summaries=[summary])
    assert ask("get_metric_summaries", RUN, ["a"]) == {
        "a": headrace.MetricSummary(
            "a", headrace.Metric("a", 1.0, 8, 9), headrace.Metric("a", 2.0, 7, 0), 0.5, 2.0, 10, 1
        )
    }
    assert fake.asked[-1][1] == pb.GetSummariesRequest(run_id=RUN, keys=["a"])
    ask("get_metric_summaries", RUN, "loss")
    assert fake.asked[-1][1].keys == ["loss"]


def test_a_chart(fake: FakeCore, ask: Ask) -> None:
    integers = ("first_steps", "last_steps", "counts", "nan_counts")
    doubles = ("mins", "maxs", "means", "first_values", "last_values")
    fake.responses["GetMetricChart"] = pb.MetricChart(
        **{name: array("q", [number, -number]).tobytes() for number, name in enumerate(integers)},
        **{name: array("d", [number, math.inf]).tobytes() for number, name in enumerate(doubles)},
    )
    chart = ask("get_metric_chart", RUN, "loss", first_step=-5)
    assert fake.asked[-1][1] == pb.GetMetricChartRequest(run_id=RUN, key="loss", buckets=1000, first_step=-5)
    for names, last in ((integers, None), (doubles, math.inf)):
        for number, name in enumerate(names):
            assert list(getattr(chart, name)) == [number, -number if last is None else last]
    ask("get_metric_chart", RUN, "loss", buckets=7, last_step=2**63 - 1)
    assert fake.asked[-1][1] == pb.GetMetricChartRequest(
        run_id=RUN, key="loss", buckets=7, last_step=2**63 - 1
    )
    for bad in ({"buckets": 0}, {"buckets": 10_001}, {"first_step": 2**63}, {"last_step": 0.5}):
        with pytest.raises(InvalidArgumentError, match=next(iter(bad))):
            ask("get_metric_chart", RUN, "loss", **bad)


def test_rejects(fake: FakeCore, ask: Ask) -> None:
    entry = pb.ListRejectsResponse.Entry(
        writer_id="w", first=1, end=2, code="C", message="m", timestamp=3, run_id=RUN
    )
    fake.responses["ListRejects"] = pb.ListRejectsResponse(rejects=[entry])
    assert ask("list_rejects", RUN) == [headrace.Reject("w", 1, 2, "C", "m", 3, RUN)]
    ask("list_rejects", max_results=7)
    assert fake.asked[-1][1] == pb.ListRejectsRequest(max_results=7)


def test_writers(fake: FakeCore, ask: Ask) -> None:
    entry = pb.ListWritersResponse.Entry(writer_id="w", labels={"rank": "3"}, points=9)
    fake.responses["ListWriters"] = pb.ListWritersResponse(writers=[entry])
    assert ask("list_writers", RUN) == [headrace.RunWriter("w", {"rank": "3"}, 9)]
    assert fake.asked[-1][1] == pb.ListWritersRequest(run_id=RUN)


READS = [
    ("get_experiment", "0"),
    ("get_run", RUN),
    ("search_runs",),
    ("get_metric_history", RUN, "a"),
    ("get_metric_columns", RUN, "a"),
    ("get_metric_chart", RUN, "a"),
    ("get_metric_summaries", RUN),
    ("list_rejects",),
    ("list_writers", RUN),
]


@pytest.mark.parametrize("read", READS, ids=lambda read: read[0])
def test_every_read_first_waits_for_what_was_logged(fake: FakeCore, ask: Ask, read: tuple[Any, ...]) -> None:
    fake.responses = {
        "GetRun": NotFoundError(""),
        "GetMetricHistory": [],
        "SearchRuns": pb.SearchRunsResponse(),
    }
    fake.responses["ListWriters"] = pb.ListWritersResponse()
    fake.responses["GetMetricChart"] = pb.MetricChart()
    fake.responses |= {"GetSummaries": pb.GetSummariesResponse(), "ListRejects": pb.ListRejectsResponse()}
    fake.run_log(RUN).log_metric("a", 1.0)
    try:
        ask(*read)
    except NotFoundError:
        assert read[0] == "get_run"
    assert next(asked for asked, _ in fake.asked) == "settle"
    assert not fake.pending()


@pytest.mark.parametrize("read", READS, ids=lambda read: read[0])
def test_reads_of_an_absent_daemon_say_so(fake: FakeCore, ask: Ask, read: tuple[Any, ...]) -> None:
    fake.answers = False
    with pytest.raises(UnavailableError):
        ask(*read)


@pytest.mark.parametrize("bad", ["", "xyz", RUN.upper(), RUN + "0", "-x", "a b", None, 7])
def test_bad_run_ids_are_refused_by_name(fake: FakeCore, ask: Ask, bad: Any) -> None:
    writes = [("log_metric", bad, "a", 1.0), ("log_batch", bad), ("set_terminated", bad), ("update_run", bad)]
    reads = [("get_run", bad), ("delete_run", bad), ("get_metric_history", bad, "a")]
    # One that MLflow might have is looked for.
    asked = re.fullmatch("[0-9a-zA-Z]+", str(bad)) and isinstance(bad, str)
    for call in [*writes, *([] if asked else reads)]:
        with pytest.raises(InvalidArgumentError, match="32 lower-case hex digits") as caught:
            ask(*call)
        assert caught.value.argument == "run_id"
    assert fake.asked == []


def test_logging_by_run_id(fake: FakeCore, ask: Ask) -> None:
    operations = [
        ask("log_metric", RUN, "a", 1, 77, 5),
        ask("log_series", RUN, "a", [2.0, 3.0], steps=[8, 9]),
        ask("log_param", RUN, "p", 0.5),
        ask("set_tag", RUN, "t", 1),
        ask("delete_tag", RUN, "t"),
        ask("log_batch", RUN, [headrace.Metric("b", 4.0, 1, 2)], [headrace.Param("q", "r")]),
        ask("set_terminated", RUN, "KILLED", 99),
    ]
    assert all(isinstance(operation, RunOperation) for operation in operations)
    assert [(p.key, p.value, p.timestamp, p.step) for p in fake.points()] == [
        ("a", 1.0, 77, 5),
        ("a", 2.0, None, 8),
        ("a", 3.0, None, 9),
        ("b", 4.0, 1, 2),
    ]
    assert fake.kinds() == ["param", "tag", "delete_tag", "param", "start_attempt", "end"]
    start, last = (record.change for record in fake.changes()[-2:])
    end = last.end
    assert (end.status, end.end_time) == (pb.KILLED, 99)
    # An attempt of its own: the catalog lets only the newest attempt's creator end a run.
    assert (start.start_attempt.token, start.start_attempt.process_id) == (end.token, end.process_id)
    assert end.token
    with pytest.raises(InvalidArgumentError, match="status"):
        ask("set_terminated", RUN, "RUNNING")
    ask("set_terminated", RUN)
    assert fake.changes()[-1].change.end.status == pb.FINISHED


def test_the_blocking_client_can_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[RunOperation] = []
    monkeypatch.setattr(RunOperation, "wait", lambda operation: waited.append(operation))  # noqa: PLW0108
    client = Client()
    calls: list[Callable[..., RunOperation]] = [
        lambda **options: client.log_metric(RUN, "a", 1.0, **options),
        lambda **options: client.log_series(RUN, "a", [1.0], **options),
        lambda **options: client.log_param(RUN, "p", 1, **options),
        lambda **options: client.set_tag(RUN, "t", 1, **options),
        lambda **options: client.delete_tag(RUN, "t", **options),
        lambda **options: client.log_batch(RUN, tags=[headrace.RunTag("x", "y")], **options),
        lambda **options: client.set_terminated(RUN, **options),
    ]
    for call in calls:
        call()
        assert waited == []
        assert call(synchronous=True) is waited.pop()


async def test_operations_of_the_async_client_can_be_awaited(fake: FakeCore) -> None:
    async with AsyncClient() as client:
        operation: Awaitable[None] = client.log_metric(RUN, "a", 1.0)
        asyncio.get_running_loop().call_later(0.01, fake.commit)
        await operation


def test_flushing(fake: FakeCore, ask: Ask) -> None:
    fake.answers = False
    fake.run_log(RUN).log_metric("a", 1.0)
    with pytest.raises(OperationTimeoutError, match="1 operations are not delivered"):
        ask("flush", 0.5)
    fake.answers = True
    ask("flush")
    assert fake.asked[-1][1] == fake.settings.exit_timeout


def test_closing_never_fails_for_want_of_a_daemon(
    fake: FakeCore, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    fake.answers = False
    fake.run_log(RUN).log_metric("a", 1.0)
    ask("close")
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    with Client():
        pass
    assert len(caplog.records) == 2


def test_each_client_has_its_tracking_uri(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    other = FakeCore(fake.folder / "other", uri="headrace://other:7070")
    monkeypatch.setitem(headrace.core._cores, other.uri, other)
    for face in (Client, AsyncClient):
        assert face().tracking_uri == fake.uri
        client = face("headrace://other")
        assert client.tracking_uri == other.uri
        assert other.uri in repr(client)
        client.log_metric(RUN, "a", 1.0)
    assert len(other.points()) == 2
    assert fake.points() == []
