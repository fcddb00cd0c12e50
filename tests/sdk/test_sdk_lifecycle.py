"""Deleted and restored, renamed and tagged, resumed and found again: what MLflow's scripts do with runs."""

import contextvars
import subprocess
import threading
from pathlib import Path

import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace import Client, source
from headrace.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace_proto.v1 import tracking_pb2 as pb

RUN = "0123456789abcdef0123456789abcdef"
PARENT = "f" * 32


def run_of(run_id: str = RUN, **tags: str) -> pb.Run:
    info = pb.RunInfo(
        run_id=run_id, run_name="old", experiment_id="0", status=pb.FINISHED, end_time=5, artifact_uri="there"
    )
    info.lifecycle_stage = "active"
    return pb.Run(info=info, tags={key.replace("_", "."): value for key, value in tags.items()})


def last_request(fake: FakeCore) -> object:
    return fake.asked[-1][1]


# Changes that the daemon makes.


@pytest.mark.parametrize(
    ("call", "change"),
    [
        (("rename_experiment", "1", "new"), {"name": "new"}),
        (("delete_experiment", "1"), {"lifecycle_stage": "deleted"}),
        (("restore_experiment", 1), {"lifecycle_stage": "active"}),
        (("set_experiment_tag", "1", "k", 2), {"set_tags": {"tags": {"k": "2"}}}),
        (("set_experiment_tags", "1", {"k": 2, "l": None}), {"set_tags": {"tags": {"k": "2", "l": "None"}}}),
        (("delete_experiment_tag", "1", "k"), {"delete_tag": "k"}),
    ],
)
def test_changes_of_an_experiment(fake: FakeCore, ask: Ask, call: tuple[object, ...], change: dict) -> None:  # type: ignore[type-arg]
    fake.responses["ChangeExperiment"] = pb.Experiment(experiment_id="1")
    assert ask(*call) is None
    assert last_request(fake) == pb.ChangeExperimentRequest(experiment_id="1", **change)
    fake.responses["ChangeExperiment"] = NotFoundError("there is no experiment '1'")
    with pytest.raises(NotFoundError):
        ask(*call)


@pytest.mark.parametrize(
    "call",
    [
        ("rename_experiment", "1", ""), ("rename_experiment", "x", "a"), ("delete_experiment", ""),
        ("set_experiment_tag", "1", "", "v"), ("set_experiment_tags", "1", {"k": "v" * 8001}),
        ("delete_experiment_tag", "1", "k" * 251), ("search_experiments", 7), ("search_experiments", 1, 1, 5),
        ("search_experiments", 1, 1, "", [5]), ("erase_deleted", ["x"]), ("erase_deleted", None, ["x"]),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_not_asked(fake: FakeCore, ask: Ask, call: tuple[object, ...]) -> None:
    with pytest.raises(InvalidArgumentError):
        ask(*call)
    assert fake.asked == []


@pytest.mark.parametrize(("call", "stage"), [("delete_run", "deleted"), ("restore_run", "active")])
def test_runs_are_deleted_and_restored(fake: FakeCore, ask: Ask, call: str, stage: str) -> None:
    fake.responses["ChangeRun"] = run_of()
    assert ask(call, RUN) is None
    assert last_request(fake) == pb.ChangeRunRequest(run_id=RUN, lifecycle_stage=stage)
    assert getattr(headrace, call)(RUN) is None


def test_a_search_for_experiments(fake: FakeCore, ask: Ask) -> None:
    fake.responses["ListExperiments"] = pb.ListExperimentsResponse()
    ask("search_experiments", headrace.ViewType.ALL, 5, "name = 'a'", ["name DESC"], "token")
    assert last_request(fake) == pb.ListExperimentsRequest(
        view_type=pb.ALL, max_results=5, filter="name = 'a'", order_by=["name DESC"], page_token="token"
    )
    ask("search_experiments", max_results=None, order_by="name")
    assert last_request(fake) == pb.ListExperimentsRequest(
        view_type=pb.ACTIVE_ONLY, max_results=1000, order_by=["name"]
    )


def test_the_fluent_search_walks_the_pages(fake: FakeCore) -> None:
    def page(request: pb.ListExperimentsRequest) -> pb.ListExperimentsResponse:
        number = int(request.page_token or 0)
        found = [pb.Experiment(experiment_id=str(number + one)) for one in range(min(2, request.max_results))]
        return pb.ListExperimentsResponse(
            experiments=found, next_page_token=str(number + 2) if number < 4 else ""
        )

    fake.responses["ListExperiments"] = page
    assert [each.experiment_id for each in headrace.search_experiments()] == list("012345")
    assert [each.experiment_id for each in headrace.search_experiments(max_results=3)] == list("012")


def test_erasing_goes_on_until_there_is_no_more(fake: FakeCore, ask: Ask) -> None:
    answers = [
        pb.EraseDeletedResponse(run_ids=["a"], more=True),
        pb.EraseDeletedResponse(run_ids=["b"], experiment_ids=["1"]),
    ]
    fake.responses["EraseDeleted"] = lambda _: answers.pop(0)
    assert ask("erase_deleted", [RUN], ["1"]) == (["a", "b"], ["1"])
    assert last_request(fake) == pb.EraseDeletedRequest(run_ids=[RUN], experiment_ids=["1"])
    answers.append(pb.EraseDeletedResponse(run_ids=["a"], more=True))
    assert ask("erase_deleted", older_than=60, dry_run=True) == (["a"], [])
    request = fake.asked[-1][1]
    assert request.dry_run
    assert 0 <= headrace.record.now() - request.deleted_before - 60_000 < 60_000
    fake.asked.clear()
    assert ask("erase_deleted", []) == ([], []), "no run is not every run"
    assert [what for what, _ in fake.asked] == ["settle"]


# Parents, the last run, the active experiment.


def test_the_parent_of_a_run(fake: FakeCore, ask: Ask) -> None:
    runs = {RUN: run_of(mlflow_parentRunId=PARENT), PARENT: run_of(PARENT)}

    def get(request: pb.GetRunRequest) -> pb.Run:
        if request.run_id not in runs:
            raise NotFoundError("there is no run")
        return runs[request.run_id]

    fake.responses["GetRun"] = get
    assert ask("get_parent_run", RUN).info.run_id == PARENT
    assert ask("get_parent_run", PARENT) is None
    del runs[PARENT]
    with pytest.raises(NotFoundError):
        ask("get_parent_run", RUN)


def test_the_parent_of_the_active_run() -> None:
    assert headrace.get_parent_run() is None
    with headrace.start_run() as parent:
        assert headrace.get_parent_run() is None
        with headrace.start_run(nested=True) as child:
            assert headrace.get_parent_run() == headrace.get_parent_run(child.info.run_id)
            found = headrace.get_parent_run()
            assert found is not None
            assert found.info.run_id == parent.info.run_id


def test_the_last_active_run(fake: FakeCore) -> None:
    assert headrace.last_active_run() is None
    with headrace.start_run() as first:
        assert headrace.last_active_run() is first
        with headrace.start_run(nested=True) as inner:
            pass
        assert headrace.last_active_run() is first
    fake.responses["GetRun"] = lambda request: run_of(request.run_id, from_daemon="now")
    found = headrace.last_active_run()
    assert found is not None
    assert (found.info.run_id, found.data.tags) == (first.info.run_id, {"from.daemon": "now"})
    assert found.info.run_id != inner.info.run_id


def test_tags_of_the_active_experiment(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.responses["ChangeExperiment"] = pb.Experiment()
    headrace.set_experiment_tag("k", 1)
    assert fake.asked[-1][1].experiment_id == "0", "Default"
    headrace.set_experiment("digits")
    headrace.set_experiment_tags({"k": 1})
    assert fake.asked[-1][1].experiment_id == "1"
    headrace.delete_experiment_tag("k")
    assert last_request(fake) == pb.ChangeExperimentRequest(experiment_id="1", delete_tag="k")
    monkeypatch.setattr("headrace.experiment._chosen", None)
    monkeypatch.setenv("HEADRACE_EXPERIMENT_NAME", "of the environment")
    headrace.set_experiment_tag("k", 1)
    assert fake.experiments[fake.asked[-1][1].experiment_id].name == "of the environment"


def test_children_inherit_the_experiment(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_EXPERIMENT_ID", "0")
    headrace.start_run()
    assert fake.changes()[-2].change.create.experiment_id == "0"
    headrace.end_run()
    headrace.set_experiment("digits")
    monkeypatch.setattr("headrace.experiment._chosen", None)  # as in a process that this one starts
    run = headrace.start_run()
    create = fake.changes(run.info.run_id)[0].change.create
    assert (create.experiment_id, create.experiment_name) == ("", "digits")


def test_artifact_uris(fake: FakeCore) -> None:
    fake.responses["GetRun"] = run_of()
    with headrace.start_run():
        assert headrace.get_artifact_uri() == "there"
        assert headrace.get_artifact_uri("a/b.txt") == "there/a/b.txt"
    fake.answers = False
    with headrace.start_run():
        fake.answers = True
        assert headrace.get_artifact_uri("/a") == "there/a"


# Continuing a run, and changing what it is called.


def test_a_resumed_run_takes_name_description_and_tags(fake: FakeCore) -> None:
    fake.responses["GetRun"] = run_of(kept="yes")
    run = headrace.start_run(RUN, run_name="new", tags={"k": 1}, description="a note")
    expected = {"kept": "yes", "mlflow.runName": "new", "k": "1", "mlflow.note.content": "a note"}
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("new", "RUNNING", None)
    assert run.data.tags == expected
    written = {c.change.tag.key: c.change.tag.value for c in fake.changes(RUN) if c.change.HasField("tag")}
    assert written == {key: value for key, value in expected.items() if key != "kept"}
    headrace.end_run()
    assert headrace.start_run(RUN, run_name="a", tags={"mlflow.runName": "b"}).info.run_name == "a"


def test_a_run_is_updated(fake: FakeCore, ask: Ask) -> None:
    ask("update_run", RUN, name="new")
    assert fake.kinds(RUN) == ["tag"]
    assert (fake.changes()[0].change.tag.key, fake.changes()[0].change.tag.value) == ("mlflow.runName", "new")
    ask("update_run", RUN, "FAILED")
    assert fake.kinds(RUN)[1:] == ["start_attempt", "end"]
    assert fake.end_of(RUN).status == pb.FAILED
    ask("update_run", RUN, status="RUNNING", name="again")
    assert fake.kinds(RUN)[3:] == ["tag", "start_attempt"]
    ask("update_run", RUN)
    assert len(fake.kinds(RUN)) == 5
    for bad in ({"status": "running"}, {"name": ""}, {"name": "n" * 501}):
        with pytest.raises(InvalidArgumentError):
            ask("update_run", RUN, **bad)


def test_threads_and_contexts_have_runs_of_their_own(fake: FakeCore) -> None:
    barrier = threading.Barrier(4)
    logged: dict[str, int] = {}

    def train(number: int) -> None:
        with headrace.start_run(run_name=f"run {number}") as run:
            barrier.wait()
            headrace.log_metric("number", number)
            headrace.set_tag("number", number)
            logged[run.info.run_id] = number

    threads = [threading.Thread(target=contextvars.Context().run, args=(train, n)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {point.run_id: point.value for point in fake.points()} == logged
    for run_id in logged:
        assert fake.kinds(run_id) == ["create", "start_attempt", "tag", "end"]


# Where a run comes from.


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_that_is_checked_out(tmp_path: Path) -> None:
    repository, inside, elsewhere = tmp_path / "r", tmp_path / "r" / "a" / "b", tmp_path / "other"
    inside.mkdir(parents=True)

    def found(folder: Path = inside) -> str:
        source.commit_of.cache_clear()
        return source.commit_of(folder)

    git(repository, "init", "--quiet")
    assert found() == ""
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "first")
    first = git(repository, "rev-parse", "HEAD")
    assert found() == first
    git(repository, "pack-refs", "--all")
    assert found() == first
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(elsewhere))
    git(elsewhere, "commit", "--quiet", "--allow-empty", "--message", "second")
    assert found(elsewhere) == git(elsewhere, "rev-parse", "HEAD") != first
    git(repository, "checkout", "--quiet", "--detach", "side")
    assert found() == git(repository, "rev-parse", "HEAD") != first
    (repository / ".git" / "HEAD").write_bytes(b"\xff")
    assert found() == ""


def test_automatic_tags(monkeypatch: pytest.MonkeyPatch, fake: FakeCore) -> None:
    monkeypatch.setattr("sys.argv", ["/there/train.py", "--lr", "1"])
    monkeypatch.setattr("headrace.source.git_commit", lambda: "c0ffee")
    monkeypatch.setenv("HEADRACE_RANK", "3")
    headrace.start_run(tags={"headrace.rank": "mine"})
    tags = fake.changes()[0].change.create.tags
    assert tags["mlflow.source.name"] == "/there/train.py"
    assert tags["mlflow.source.git.commit"] == "c0ffee"
    assert tags["headrace.rank"] == "mine"
    assert tags["headrace.host"]
    assert tags["mlflow.project.entryPoint"]
    headrace.end_run()
    monkeypatch.delenv("HEADRACE_RANK")
    monkeypatch.setattr("headrace.source.git_commit", lambda: "")
    run = headrace.start_run()
    assert not {"mlflow.source.git.commit", "headrace.rank"} & set(run.data.tags)


def test_errors_are_mlflows() -> None:
    from headrace.exceptions import MlflowException  # noqa: PLC0415 - as users write it

    with pytest.raises(MlflowException) as caught:
        headrace.create_experiment("Default")
    assert isinstance(caught.value, AlreadyExistsError)
    assert (caught.value.error_code, caught.value.message) == ("RESOURCE_ALREADY_EXISTS", str(caught.value))
    own = MlflowException("mine", error_code="BAD_REQUEST")
    assert (str(own), own.error_code) == ("mine", "BAD_REQUEST")
    with pytest.raises(InvalidArgumentError, match="registry_uri"):
        Client("headrace://fake:7070", "headrace://other")
