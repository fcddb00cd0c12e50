"""How runs begin and end, with a daemon and without."""

import logging
import random
import re

import pytest

import headrace
from fake_core import FakeCore
from headrace.errors import InvalidArgumentError, NotFoundError, RejectedError
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"


def test_a_run_is_created_started_and_ended(fake: FakeCore) -> None:
    with headrace.start_run(run_name="first", tags={"team": 7}, description="a note") as run:
        assert headrace.active_run() is run
    assert headrace.active_run() is None

    create, start, end = fake.changes(run.info.run_id)
    assert create.change.create.run_name == "first"
    tags = dict(create.change.create.tags)
    assert tags["team"] == "7"
    assert tags["mlflow.runName"] == "first"
    assert tags["mlflow.note.content"] == "a note"
    assert tags["mlflow.user"] == create.change.create.user_id != ""
    assert tags["mlflow.source.type"] == "LOCAL"
    assert tags["mlflow.source.name"]
    assert start.change.start_attempt.process_id == end.change.end.process_id == fake.process_id
    assert start.change.start_attempt.token == end.change.end.token == start.attempt != ""
    assert end.change.end.status == pb.FINISHED
    assert fake.asked[-1] == ("flush", fake.settings.exit_timeout)


def test_what_start_run_returns_is_the_daemons_view(fake: FakeCore) -> None:
    info = pb.RunInfo(run_id=RUN, experiment_id="7", status=pb.RUNNING, artifact_uri="there")
    fake.responses["GetRun"] = pb.Run(info=info, tags={"from": "daemon"})
    run = headrace.start_run()
    assert (run.info.experiment_id, run.info.artifact_uri, run.data.tags) == (
        "7",
        "there",
        {"from": "daemon"},
    )


def test_random_names_are_not_drawn_from_the_trainings_random_numbers() -> None:
    names = set()
    for _ in range(20):
        random.seed(0)
        with headrace.start_run() as run:
            names.add(run.info.run_name)
    assert len(names) > 15
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-\d{1,3}", name) for name in names)
    random.seed(0)
    untouched = random.random()
    random.seed(0)
    with headrace.start_run():
        pass
    assert random.random() == untouched


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_fails_the_run_and_goes_on(fake: FakeCore, error: type[BaseException]) -> None:
    with pytest.raises(error), headrace.start_run() as run:
        raise error
    assert fake.end_of(run.info.run_id).status == pb.FAILED


def test_end_run_takes_a_status(fake: FakeCore) -> None:
    for status in ("FINISHED", "FAILED", "KILLED", headrace.RunStatus.SCHEDULED):
        run = headrace.start_run()
        headrace.end_run(status)
        assert pb.RunStatus.Name(fake.end_of(run.info.run_id).status) == status
    run = headrace.start_run()
    for bad in ("RUNNING", "finished", ""):
        with pytest.raises(InvalidArgumentError, match="FINISHED, FAILED"):
            headrace.end_run(bad)
    headrace.end_run(None)
    assert fake.end_of(run.info.run_id).status == pb.FINISHED


def test_ending_without_a_run_is_nothing(fake: FakeCore) -> None:
    headrace.end_run()
    assert fake.written() == []


def test_ended_by_hand_inside_its_block(fake: FakeCore) -> None:
    with headrace.start_run() as run:
        headrace.end_run("KILLED")
    assert fake.kinds(run.info.run_id) == ["create", "start_attempt", "end"]
    assert fake.end_of(run.info.run_id).status == pb.KILLED


# Nesting.


def test_a_second_run_needs_nested(fake: FakeCore) -> None:
    with headrace.start_run() as outer:
        with pytest.raises(InvalidArgumentError, match=f"run {outer.info.run_id} is active"):
            headrace.start_run()
        with headrace.start_run(nested=True) as inner:
            assert headrace.active_run() is inner
            headrace.log_metric("loss", 1.0)
        assert headrace.active_run() is outer
        headrace.log_metric("loss", 2.0)
    create = fake.changes(inner.info.run_id)[0].change.create
    assert create.tags["mlflow.parentRunId"] == outer.info.run_id
    assert [(p.run_id, p.value) for p in fake.points()] == [
        (inner.info.run_id, 1.0),
        (outer.info.run_id, 2.0),
    ]


def test_ending_an_outer_run_ends_what_is_open_inside(fake: FakeCore) -> None:
    with headrace.start_run() as outer:
        inner = headrace.start_run(nested=True)
    assert headrace.active_run() is None
    ended = [record.run_id for record in fake.changes() if record.change.HasField("end")]
    assert ended == [inner.info.run_id, outer.info.run_id]


def test_a_parent_by_id(fake: FakeCore) -> None:
    fake.responses["GetRun"] = pb.Run(
        info=pb.RunInfo(run_id=RUN, lifecycle_stage="active", status=pb.FINISHED)
    )
    with headrace.start_run(parent_run_id=RUN):
        pass
    assert fake.changes()[0].change.create.tags["mlflow.parentRunId"] == RUN
    del fake.responses["GetRun"]
    with headrace.start_run() as outer, pytest.raises(InvalidArgumentError, match=outer.info.run_id):
        headrace.start_run(parent_run_id=RUN, nested=True)
    with pytest.raises(NotFoundError):
        headrace.start_run(parent_run_id=RUN[::-1])


def test_wrong_names_and_notes_are_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="description"):
        headrace.start_run(description="a", tags={"mlflow.note.content": "b"})
    with pytest.raises(InvalidArgumentError, match="bound is 500"):
        headrace.start_run(run_name="x" * 501)
    with pytest.raises(InvalidArgumentError, match="tag 'k' has 8001 characters, the bound is 8000"):
        headrace.start_run(tags={"k": "x" * 8001})
    assert headrace.active_run() is None


def test_a_name_among_the_tags() -> None:
    assert headrace.start_run(tags={"mlflow.runName": "b"}).info.run_name == "b"
    inner = headrace.start_run(run_name="a", tags={"mlflow.runName": "b"}, nested=True)
    assert (inner.info.run_name, inner.data.tags["mlflow.runName"]) == ("a", "a"), "as in MLflow"


# The daemon says no, or nothing.


def test_an_absent_daemon_is_no_reason_not_to_start(fake: FakeCore, caplog: pytest.LogCaptureFixture) -> None:
    fake.answers = False
    with headrace.start_run(run_name="alone", experiment_id="7") as run:
        headrace.log_metric("loss", 1.0)
    assert (run.info.run_name, run.info.experiment_id, run.info.status) == ("alone", "7", "RUNNING")
    assert fake.kinds() == ["create", "start_attempt", "end"]
    left = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(left) == 1
    message = left[0].getMessage()
    assert str(fake.writers[0].folder) in message
    assert "headrace sync" in message
    assert "\n" not in message


def test_a_refused_run_is_not_started(fake: FakeCore) -> None:
    fake.refusals = [(0, 1, "INVALID_PARAMETER_VALUE", "no")]
    with pytest.raises(RejectedError, match="no"):
        headrace.start_run()
    assert headrace.active_run() is None


def test_a_run_that_was_recovered_says_so(fake: FakeCore, caplog: pytest.LogCaptureFixture) -> None:
    fake.responses["GetRun"] = pb.Run(
        info=pb.RunInfo(experiment_id="9", status=pb.RUNNING),
        tags={"headrace.recovered": "experiment 7 is deleted"},
    )
    headrace.start_run()
    assert "experiment 7 is deleted" in caplog.text
