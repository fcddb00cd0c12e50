"""Which experiment new runs go to."""

import pytest

import headrace
from fake_core import FakeCore
from headrace.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_proto.v1 import tracking_pb2 as pb


def created_in(fake: FakeCore) -> tuple[str, str]:
    """Id and name of the experiment in the last CreateRun."""
    create = next(r.change.create for r in reversed(fake.changes()) if r.change.HasField("create"))
    return create.experiment_id, create.experiment_name


def test_the_default_experiment_has_no_name_yet(fake: FakeCore) -> None:
    headrace.start_run()
    assert created_in(fake) == ("", "")


def test_a_new_name_is_created_once(fake: FakeCore) -> None:
    first = headrace.set_experiment("digits")
    again = headrace.set_experiment("digits")
    assert first == again
    assert (first.experiment_id, first.name, first.lifecycle_stage) == ("1", "digits", "active")
    headrace.start_run()
    assert created_in(fake) == ("1", "")


def test_two_processes_create_the_same_name_at_once(fake: FakeCore) -> None:
    experiment = pb.Experiment(experiment_id="5", name="digits", lifecycle_stage="active")

    def taken(_: object) -> None:
        fake.experiments["5"] = experiment
        raise AlreadyExistsError("taken")

    fake.responses["CreateExperiment"] = taken
    assert headrace.set_experiment("digits").experiment_id == "5"


def test_by_id(fake: FakeCore) -> None:
    assert headrace.set_experiment(experiment_id="0").name == "Default"
    with pytest.raises(NotFoundError):
        headrace.set_experiment(experiment_id="99")
    headrace.start_run()
    assert created_in(fake) == ("0", "")


def test_start_runs_own_argument_wins(fake: FakeCore) -> None:
    headrace.set_experiment("digits")
    headrace.start_run(experiment_id="0")
    assert created_in(fake) == ("0", "")


@pytest.mark.parametrize("bad", ["x", "", "-1", "1" * 19, True, "0; drop"])
def test_bad_ids_are_refused(bad: str) -> None:
    with pytest.raises(InvalidArgumentError, match="experiment_id"):
        headrace.start_run(experiment_id=bad)
    with pytest.raises(InvalidArgumentError, match="experiment_id"):
        headrace.set_experiment(experiment_id=bad)
    assert headrace.active_run() is None


def test_a_run_in_an_unknown_experiment_is_not_started(fake: FakeCore) -> None:
    with pytest.raises(NotFoundError):
        headrace.start_run(experiment_id="99")
    assert fake.written() == []


def test_deleted_experiments_are_refused(fake: FakeCore) -> None:
    fake.experiments["1"] = pb.Experiment(experiment_id="1", name="old", lifecycle_stage="deleted")
    for call in (
        lambda: headrace.set_experiment("old"),
        lambda: headrace.set_experiment(experiment_id="1"),
        lambda: headrace.start_run(experiment_id="1"),
    ):
        with pytest.raises(InvalidArgumentError, match="deleted experiment 'old'"):
            call()


@pytest.mark.parametrize(("name", "number"), [(None, None), ("a", "0")])
def test_exactly_one_of_name_and_id(name: str | None, number: str | None) -> None:
    with pytest.raises(InvalidArgumentError, match="not both"):
        headrace.set_experiment(name, number)


def test_without_a_daemon_the_name_travels_with_the_run(fake: FakeCore) -> None:
    fake.answers = False
    experiment = headrace.set_experiment("digits")
    assert (experiment.experiment_id, experiment.name) == ("", "digits")
    headrace.start_run()
    assert created_in(fake) == ("", "digits")


def test_another_daemon_gives_the_name_another_id(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    headrace.set_experiment("digits")
    other = FakeCore(fake.folder / "other", uri="headrace://other:7070")
    monkeypatch.setitem(headrace.core._cores, other.uri, other)
    headrace.set_tracking_uri(other.uri)
    headrace.start_run()
    assert created_in(other) == ("", "digits")


def test_the_environments_experiment(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_EXPERIMENT_NAME", "from outside")
    headrace.start_run()
    assert created_in(fake) == ("", "from outside")
    headrace.end_run()
    headrace.set_experiment("digits")
    headrace.start_run()
    assert created_in(fake) == ("1", "")


def test_experiments_of_the_fluent_api() -> None:
    number = headrace.create_experiment("digits", tags={"k": 1})
    assert headrace.get_experiment(number).tags == {"k": "1"}
    assert headrace.get_experiment_by_name("digits") == headrace.get_experiment(number)
    assert headrace.get_experiment_by_name("letters") is None
    with pytest.raises(AlreadyExistsError):
        headrace.create_experiment("digits")
    for bad in ("", None, "x" * 501, "a\0b"):
        with pytest.raises(InvalidArgumentError, match="name"):
            headrace.create_experiment(bad)  # type: ignore[arg-type]


def test_tracking_uris(monkeypatch: pytest.MonkeyPatch) -> None:
    headrace.set_tracking_uri("headrace://host")
    assert headrace.get_tracking_uri() == "headrace://host:7070"
    for bad in ("http://host", "headrace://", "headrace://host:x"):
        with pytest.raises(InvalidArgumentError, match="tracking URI"):
            headrace.set_tracking_uri(bad)
    assert headrace.get_tracking_uri() == "headrace://host:7070"
    headrace.set_tracking_uri("")
    assert headrace.get_tracking_uri() == "headrace://127.0.0.1:7070"
    monkeypatch.setenv("HEADRACE_TRACKING_URI", "headrace://elsewhere:1")
    assert headrace.get_tracking_uri() == "headrace://elsewhere:1"
