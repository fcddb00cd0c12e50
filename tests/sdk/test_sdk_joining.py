"""Runs that go on elsewhere: continued by id, joined by ranks, taken along by a fork."""

import multiprocessing
import os

import pytest

import headrace
from fake_core import Change, FakeCore
from headrace import surroundings
from headrace.errors import InvalidArgumentError, NotFoundError
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"


def existing(stage: str = "active") -> pb.Run:
    info = pb.RunInfo(run_id=RUN, run_name="old", experiment_id="3", status=pb.FAILED, lifecycle_stage=stage)
    return pb.Run(info=info, params={"p": "1"})


def test_a_run_is_continued_as_a_new_attempt(fake: FakeCore) -> None:
    fake.responses["GetRun"] = existing()
    tokens = set()
    for _ in range(2):
        with headrace.start_run(run_id=RUN, tags={"again": True}, description="more") as run:
            headrace.log_metric("loss", 1.0)
        assert (run.info.run_name, run.info.experiment_id, run.data.params) == ("old", "3", {"p": "1"})
        assert fake.kinds()[-4:] == ["start_attempt", "tag", "tag", "end"]
        tokens.add(fake.end_of(RUN).token)
        tokens.add(fake.changes()[-1].change.end.token)
    assert len(tokens) == 2
    assert {point.attempt for point in fake.points()} == tokens


def test_a_run_that_does_not_exist_is_not_continued(fake: FakeCore) -> None:
    with pytest.raises(NotFoundError):
        headrace.start_run(run_id=RUN)
    fake.responses["GetRun"] = existing("deleted")
    with pytest.raises(InvalidArgumentError, match="deleted"):
        headrace.start_run(run_id=RUN)
    for bad in ("", "xyz", RUN.upper(), 5):
        with pytest.raises(InvalidArgumentError, match="32 lower-case hex digits"):
            headrace.start_run(run_id=bad)  # type: ignore[arg-type]
    assert fake.written() == []
    assert headrace.active_run() is None


def test_a_run_is_continued_without_a_daemon(fake: FakeCore) -> None:
    fake.answers = False
    with headrace.start_run(run_id=RUN) as run:
        headrace.log_metric("loss", 1.0)
    assert run.info.run_id == fake.points()[0].run_id == RUN


def test_ranks_join_the_run_of_the_environment(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_RUN_ID", RUN)
    with headrace.start_run(run_name="ignored") as run:
        headrace.log_metric("loss", 1.0)
        with headrace.start_run(nested=True) as child:
            pass
    assert run.info.run_id == RUN
    assert fake.kinds(RUN) == []  # neither begins nor ends it
    assert ("GetRun", pb.GetRunRequest(run_id=RUN)) not in fake.asked
    assert fake.changes(child.info.run_id)[0].change.create.tags["mlflow.parentRunId"] == RUN


def test_ranks_of_a_launch_share_its_attempt(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_RUN_ID", RUN)
    monkeypatch.setenv("HEADRACE_ATTEMPT", "launch-1")
    with headrace.start_run():
        headrace.log_metric("loss", 1.0)
    start, end = fake.changes(RUN)
    assert {start.change.start_attempt.token, end.change.end.token} == {"launch-1"}
    assert end.change.end.process_id == fake.process_id
    assert fake.points()[0].attempt == "launch-1"


def test_a_bad_run_id_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_RUN_ID", "nonsense")
    with pytest.raises(InvalidArgumentError, match="HEADRACE_RUN_ID is 'nonsense'"):
        headrace.start_run()


def test_logging_without_a_run_joins_too(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_RUN_ID", RUN)
    headrace.log_metric("loss", 1.0)
    assert fake.points()[0].run_id == RUN


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        ({"TORCHELASTIC_RUN_ID": "abc", "TORCHELASTIC_RESTART_COUNT": "2"}, "torchelastic.abc.2"),
        ({"TORCHELASTIC_RUN_ID": "abc"}, "torchelastic.abc.0"),
        ({"SLURM_JOB_ID": "77"}, "slurm.77.0"),
        ({"SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": "3"}, "slurm.77.3"),
        ({"TORCHELASTIC_RUN_ID": "abc", "SLURM_JOB_ID": "77"}, "torchelastic.abc.0"),
    ],
)
def test_attempts_of_launchers(environment: dict[str, str], expected: str) -> None:
    assert surroundings.attempt_token("", environment) == expected
    assert surroundings.attempt_token("mine", environment) == "mine"


def test_torchruns_default_id_is_no_name_of_a_launch() -> None:
    made = surroundings.attempt_token("", {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "1"})
    assert str(os.getppid()) in made
    assert made.endswith(".1")


def test_a_forked_child_logs_into_its_parents_run_and_does_not_end_it(fake: FakeCore) -> None:
    results = multiprocessing.get_context("fork").SimpleQueue()

    def child() -> None:
        fake.answers = True
        headrace.log_metric("loss", 1.0)
        with headrace.start_run(run_id=run.info.run_id):
            headrace.log_metric("loss", 2.0)
        headrace.end_run()
        found = [(p.run_id, p.value, p.attempt) for p in fake.points()]
        results.put((found, fake.kinds(), headrace.active_run() is None))

    with headrace.start_run() as run:
        attempt = fake.changes()[0].attempt
        info = pb.RunInfo(run_id=run.info.run_id, status=pb.RUNNING, lifecycle_stage="active")
        fake.responses["GetRun"] = pb.Run(info=info)
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        found, kinds, ended = results.get()
        process.join()
        headrace.log_metric("loss", 3.0)
    assert found == [(run.info.run_id, 1.0, attempt), (run.info.run_id, 2.0, attempt)]
    assert kinds == [
        "start_attempt",
        "end",
    ]  # with another process id: the catalog knows whose the attempt is
    assert ended
    assert fake.kinds() == ["create", "start_attempt", "end"]
    assert isinstance(fake.written()[0], Change)
