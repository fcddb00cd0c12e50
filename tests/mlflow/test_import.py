"""``headrace import mlflow``: all that MLflow's client tells of a store, it tells of Headrace afterwards.

Only with MLflow: ``make test-mlflow``.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import headrace
from ingest_daemon import DaemonProcess
from mlflow_server import free_port, mlflow_server
from mlflow_source import BEGIN, fill, folder_of_runs, run_of_files, told

mlflow = pytest.importorskip("mlflow")

pytestmark = pytest.mark.timeout(900)  # each import loads MLflow

KILLS = 4


class There(NamedTuple):
    """A daemon: by gRPC, and by HTTP as MLflow's client knows it."""

    uri: str
    http: str
    journals: Path

    def start(self, source: str | Path, *options: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "headrace", "import", "mlflow", str(source), "--json", *options]
        environment = {
            **os.environ,
            "HEADRACE_TRACKING_URI": self.uri,
            "HEADRACE_JOURNAL_DIR": str(self.journals),
        }
        environment.pop("MLFLOW_TRACKING_URI", None)
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=cwd)

    def take(self, source: str | Path, *options: str, cwd: Path | None = None) -> tuple[int, dict[str, Any]]:
        """Imports; the exit code, and what it tells, or the error."""
        process = self.start(source, *options, cwd=cwd)
        try:
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()
        return process.returncode, json.loads(out) if out else {"error": err}

    def told(self, folder: Path, prefix: str = "") -> dict[str, Any]:
        mlflow.set_tracking_uri(self.http)
        return told(mlflow.MlflowClient(self.http, self.http), folder, prefix)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[There]:
    port = free_port()
    daemon = DaemonProcess(tmp_path / "data", "--http-port", str(port), "--run-lease", "3")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("HEADRACE_JOURNAL_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("HEADRACE_READ_TIMEOUT", "120")
    before = mlflow.get_tracking_uri()
    try:
        yield There(f"headrace://{daemon.ready()}", f"http://127.0.0.1:{port}", tmp_path / "journals")
    finally:
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri("")
        daemon.close()


@pytest.mark.parametrize("kind", ["database", "folder", "server"])
def test_all_is_there_as_it_was(kind: str, there: There, tmp_path: Path) -> None:
    made = tmp_path / "source"
    made.mkdir()
    if kind == "server":
        with mlflow_server(made) as uri:
            _compare(uri, uri, there, tmp_path)
    elif kind == "database":
        _compare(f"sqlite:///{made / 'mlflow.db'}", f"sqlite:///{made / 'mlflow.db'}", there, tmp_path)
    else:
        _compare((made / "mlruns").as_uri(), str(made / "mlruns"), there, tmp_path)


def _compare(uri: str, given: str, there: There, tmp_path: Path) -> None:
    fill(uri, tmp_path)
    theirs = told(mlflow.MlflowClient(uri, uri), tmp_path / "theirs")
    empty = tmp_path / "empty"
    empty.mkdir()
    code, first = there.take(given, cwd=empty)
    assert (code, first["problems"]) == (0, [])
    assert not list(empty.iterdir()), "MLflow leaves nothing where the import is called"
    assert first["counts"]["points"] == {"source": 3 * 605 + 4, "headrace": 3 * 605 + 4}
    assert first["counts"]["logged models"]["headrace"] == 2
    ours = there.told(tmp_path / "ours")
    if uri.startswith("file:"):
        _forget_what_mlflow_misreads(theirs, ours)
    _assert_equal(ours, theirs)
    # Again: nothing is doubled.
    code, second = there.take(given)
    assert (code, second["problems"], second["runs_imported_before"]) == (0, [], 6)
    assert second["counts"] == first["counts"]
    if not uri.startswith("file:"):
        return  # the other stores take long
    again = there.told(tmp_path / "again")
    _forget_what_mlflow_misreads(again)
    _assert_equal(again, theirs)
    code, third = there.take(given, "--recheck")
    assert (code, third["runs_imported_before"], third["counts"]) == (0, 0, first["counts"])


def _assert_equal(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, parts in theirs.items():
        for place, part in enumerate(parts):
            assert ours[name][place] == part, name  # one by one, for a message that says something


def _forget_what_mlflow_misreads(*all_told: dict[str, Any]) -> None:
    """Of points with a dataset in a folder it tells no steps, and of a model's only the last."""
    for each in all_told:
        for told_of in each.values():
            for part in told_of:
                if isinstance(part, dict) and "acc" in part:
                    steps = [step for step, _, _ in part.pop("acc")]
                    assert steps in ([0, 0], [1, 2])
                elif isinstance(part, list) and part and isinstance(part[0], tuple) and part[0][0] == "acc":
                    part[:] = part[-1:]


def test_a_killed_import_goes_on_and_doubles_nothing(there: There, tmp_path: Path) -> None:
    seed = random.randrange(10**6)
    chosen = random.Random(seed)
    runs, metrics, points = 120, 3, 1000
    store = tmp_path / "mlruns"
    folder_of_runs(store, runs, metrics, points)
    client = headrace.Client(there.uri)

    def there_are() -> int:
        found = client.search_runs(None, "", 3, 1000)
        return len(found) + sum("headrace.import" in run.data.tags for run in found)

    killed = 0
    for goal in sorted(chosen.sample(range(1, 2 * runs), KILLS)):
        process = there.start(store)
        while process.poll() is None and there_are() < goal:
            time.sleep(0.005)
        time.sleep(chosen.random() / 20)
        killed += process.poll() is None
        process.kill()
        process.communicate()
    code, report = there.take(store)
    assert (code, report["problems"]) == (0, []), seed
    assert killed, f"every import came to its end: {seed}"
    expected = runs * metrics * points
    assert report["counts"]["points"] == {"source": expected, "headrace": expected}, seed
    found = client.search_runs(None, "", 3, 1000)
    assert len(found) == runs, seed
    steps = list(range(points))
    for run in found:
        for metric in range(metrics):
            columns = client.get_metric_columns(run.info.run_id, f"m{metric}")
            assert list(columns.steps) == steps, (seed, run.info.run_id, metric)
            assert list(columns.timestamps) == [BEGIN + step for step in steps], seed
            assert list(columns.values) == [step / 7 + metric for step in steps], seed
        assert (run.info.status, run.info.end_time) == ("FINISHED", BEGIN + 5), seed
        assert client.download_artifacts(run.info.run_id, "notes.txt", str(tmp_path / run.info.run_id)), seed


def test_what_came_since_is_added(there: There, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    folder_of_runs(store, 3, 1, 10)
    assert there.take(store)[0] == 0
    changed = f"{1:032x}"
    client = headrace.Client(there.uri)
    client.set_tag(changed, "mine", "kept")
    with (store / "1" / changed / "metrics" / "m0").open("a") as metric:
        metric.write(f"{BEGIN + 10} 10.5 10\n")
    (store / "1" / changed / "params" / "new").write_text("1")
    (store / "1" / changed / "artifacts" / "new.txt").write_text("new")
    run_of_files(store, f"{7:032x}", 1, 5)
    code, report = there.take(store)
    assert (code, report["runs_imported_before"]) == (0, 2)
    assert list(client.get_metric_columns(changed, "m0").steps) == list(range(11))
    run = client.get_run(changed)
    assert (run.data.params, run.data.tags["mine"]) == ({"lr": "0.1", "new": "1"}, "kept")
    assert {file.path for file in client.list_artifacts(changed)} == {"new.txt", "notes.txt"}
    assert client.get_run(f"{7:032x}").info.status == "FINISHED"


def test_what_is_broken_is_told_and_the_rest_comes(there: There, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    folder_of_runs(store, 6, 1, 10)
    runs = [store / "1" / f"{number:032x}" for number in range(6)]
    (runs[0] / "meta.yaml").write_text("{ no yaml")
    (runs[1] / "metrics" / "m0").write_text(f"{BEGIN} 0.5 1\n{BEGIN + 1} 0.")
    (runs[1] / "metrics" / "m0").open("a").write("\nnonsense\n")
    (runs[2] / "metrics" / "m0").write_text(f"-5 0.5 1\n{BEGIN} nan 1\n{BEGIN} nan 1\n")
    (runs[2] / "params" / "long").write_text("x" * 6001)
    (runs[3] / "artifacts" / "con").write_text("a device")
    (runs[3] / "artifacts" / "lost").symlink_to(tmp_path / "nowhere")
    (runs[4] / "tags" / "k").mkdir()
    (runs[4] / "tags" / "k" / ("n" * 249)).write_text("too long a key")
    (store / "2").mkdir()
    (store / "3").mkdir()
    (store / "3" / "meta.yaml").write_text("{ no yaml")
    shutil.rmtree(runs[5] / "artifacts")
    code, report = there.take(store)
    assert code == 1
    problems = {problem["what"]: problem["why"] for problem in report["problems"]}
    said = " ".join(f"{what}: {why}" for what, why in problems.items())
    for name in (
        f"{0:032x}",
        "experiment 2",
        "experiment 3",
        f"files of run {5:032x}: their folder is gone",
        "nonsense",
        "'long'",
        "6,001 characters",
        "'con'",
        "'lost'",
        "before 1970",
    ):
        assert name in said, (name, problems)
    client = headrace.Client(there.uri)
    assert len(client.search_runs(None, "", 3)) == 5
    assert list(client.get_metric_columns(runs[1].name, "m0").values) == [0.5, 0.0]
    assert len(client.get_metric_columns(runs[2].name, "m0").values) == 2
    assert len(client.get_run(runs[2].name).data.params["long"]) == 6000
    assert {file.path for file in client.list_artifacts(runs[3].name)} == {"notes.txt"}
    # It is told again, and nothing is doubled.
    again, repeated = there.take(store)
    assert (again, repeated["counts"]) == (1, report["counts"])


def test_names_that_are_taken(there: There, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    folder_of_runs(store, 2, 1, 3)
    client = headrace.Client(there.uri)
    other = client.create_experiment("other")
    assert other == "1"
    mine = client.create_experiment("many")
    code, refused = there.take(store)
    assert code == 1
    assert "'many'" in refused["error"]
    assert "--prefix" in refused["error"]
    assert client.search_runs(None, "", 3) == []
    code, report = there.take(store, "--prefix", "old ", "--no-artifacts", "--experiment", "many")
    assert (code, report["notes"]) == (0, ["experiment 'many': its id is 3 here; 1 was taken"])
    assert "files" not in report["counts"]
    assert {run.info.experiment_id for run in client.search_runs(None, "", 3)} == {"3"}
    assert client.get_experiment("3").name == "old many"
    run_of_files(store, f"{9:032x}", 1, 1)
    code, report = there.take(store, "--merge")
    assert (code, report["counts"]["runs"]) == (0, {"source": 3, "headrace": 3})
    assert client.get_run(f"{9:032x}").info.experiment_id == mine


def test_a_run_that_is_not_from_an_import_is_left_alone(there: There, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    folder_of_runs(store, 2, 1, 3)
    assert there.take(store)[0] == 0
    client = headrace.Client(there.uri)
    client.delete_tag(f"{1:032x}", "headrace.imported_from")
    (store / "1" / f"{1:032x}" / "params" / "new").write_text("1")
    code, report = there.take(store)
    assert code == 1
    assert "not from an import" in report["problems"][0]["why"]
    assert "new" not in client.get_run(f"{1:032x}").data.params


def test_dry_runs_write_nothing(there: There, tmp_path: Path) -> None:
    store = tmp_path / "mlruns"
    folder_of_runs(store, 2, 1, 3)
    code, report = there.take(store, "--dry-run")
    assert (code, report["counts"]["runs"]["source"], report["dry_run"]) == (0, 2, True)
    assert headrace.Client(there.uri).get_experiment_by_name("many") is None
