"""What ``start_run(resume_from_step=..., fork_from=...)`` writes, and the commands and methods beside it."""

import json

import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace.cli import main
from headrace.errors import InvalidArgumentError, NotFoundError
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def known(fake: FakeCore) -> FakeCore:
    info = pb.RunInfo(run_id=RUN, experiment_id="0", status=pb.FINISHED, lifecycle_stage="active")
    fake.responses["GetRun"] = pb.Run(info=info)
    return fake


def written(fake: FakeCore, kind: str) -> pb.RunChange:
    [change] = [each.change for each in fake.changes() if each.change.WhichOneof("change") == kind]
    return change


def test_a_resumed_run_is_rewound_by_its_attempt(known: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_ATTEMPT", "second")
    headrace.start_run(run_id=RUN, resume_from_step=0)
    start = written(known, "start_attempt").start_attempt
    assert (start.token, start.resume_from_step, start.HasField("resume_from_step")) == ("second", 0, True)


def test_without_a_step_nothing_is_rewound(known: FakeCore) -> None:
    headrace.start_run(run_id=RUN)
    assert not written(known, "start_attempt").start_attempt.HasField("resume_from_step")


def test_a_joined_run_is_rewound_by_a_named_attempt(known: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_RUN_ID", RUN)
    with pytest.raises(InvalidArgumentError, match="HEADRACE_ATTEMPT"):
        headrace.start_run(resume_from_step=5)
    monkeypatch.setenv("HEADRACE_ATTEMPT", "second")
    headrace.start_run(resume_from_step=5)
    assert written(known, "start_attempt").start_attempt.resume_from_step == 5


def test_a_fork_names_its_origin(known: FakeCore) -> None:
    headrace.start_run(fork_from=RUN, fork_step=-3)
    create = written(known, "create").create
    assert (create.fork_from, create.fork_step) == (RUN, -3)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"resume_from_step": 3}, "resume_from_step"),
        ({"run_id": RUN, "resume_from_step": -(2**63)}, "resume_from_step"),
        ({"run_id": RUN, "resume_from_step": 0.5}, "resume_from_step"),
        ({"fork_step": 3}, "fork_step"),
        ({"run_id": RUN, "fork_from": RUN}, "fork_from"),
        ({"fork_from": "x"}, "fork_from"),
        ({"fork_from": RUN, "fork_step": 2**63}, "fork_step"),
    ],
)
def test_arguments_that_make_no_sense(known: FakeCore, arguments: dict[str, object], named: str) -> None:
    with pytest.raises(InvalidArgumentError, match=named):
        headrace.start_run(**arguments)  # type: ignore[arg-type]
    assert not known.changes()


def test_a_fork_of_nothing_is_refused(fake: FakeCore) -> None:
    fake.responses["GetRun"] = NotFoundError("there is no run")
    with pytest.raises(NotFoundError):
        headrace.start_run(fork_from=RUN)


ENTRY = pb.ListRewindsResponse.Entry(number=2, step=30, token="second", created_at=5, undone_at=7)
REWIND = headrace.Rewind(2, 30, "second", 5, 7)


def test_rewinds_are_listed_and_undone(fake: FakeCore, ask: Ask) -> None:
    fake.responses["ListRewinds"] = pb.ListRewindsResponse(rewinds=[ENTRY])
    fake.responses["ChangeRewind"] = ENTRY
    assert ask("list_rewinds", RUN) == [REWIND]
    for method, undone in (("undo_rewind", True), ("redo_rewind", False)):
        assert ask(method, RUN, 2) == REWIND
        assert fake.asked[-1][1] == pb.ChangeRewindRequest(run_id=RUN, number=2, undone=undone)
        with pytest.raises(InvalidArgumentError, match="number"):
            ask(method, RUN, 0)


def test_the_command(fake: FakeCore, capsys: pytest.CaptureFixture[str]) -> None:
    fake.responses["ListRewinds"] = pb.ListRewindsResponse(rewinds=[ENTRY])
    fake.responses["ChangeRewind"] = ENTRY
    assert main(["runs", "rewinds", RUN]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:3] == ["2", "30", "second"]
    assert main(["runs", "rewinds", RUN, "--undo", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["attempt"] == "second"
    assert [method for method, _ in fake.asked if method == "ChangeRewind"] == ["ChangeRewind"]
