"""MLflow's own clients over REST: a stock MLflow server and Headrace, the same scripts, the same answers.

The scripts are those that compare Headrace's SDK with MLflow, played by MLflow on both sides. Only with
MLflow: ``make test-mlflow``.
"""

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beside import Side

mlflow: Any = pytest.importorskip("mlflow")

Play = Callable[[Callable[[Side], None]], None]


def scenarios() -> list[Callable[[Side], None]]:
    """Those of the files beside this one."""
    found = []
    for name, functions in (
        ("test_experiments_beside_mlflow", ("experiments", "fluent_experiments")),
        (
            "test_runs_beside_mlflow",
            # Not those that give tags which are no texts: over REST, MLflow's client fails at these.
            ("params_and_tags", "metrics", "logging"),
        ),
    ):
        found += [getattr(beside_this(name), function) for function in functions]
    return found


def beside_this(name: str) -> Any:
    """The file of this name."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's server answers 500 to some errors of users, which its client sends again for minutes."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")


@pytest.fixture
def play(servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Play:
    def both(scenario: Callable[[Side], None]) -> None:
        noted = []
        for uri in servers:
            monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
            monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
            mlflow.set_tracking_uri(uri)
            side = Side(mlflow, mlflow.MlflowClient())
            scenario(side)
            while mlflow.active_run() is not None:
                mlflow.end_run()
            noted.append(side.noted)
        ours, theirs = noted
        pairs = enumerate(zip(ours, theirs, strict=True))
        assert not [(number, *pair) for number, pair in pairs if pair[0] != pair[1]]

    return both


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda scenario: scenario.__name__)
def test_scripts(play: Play, scenario: Callable[[Side], None]) -> None:
    play(scenario)


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("test_datasets_beside_mlflow", "test_runs_use_datasets"),
        ("test_models_beside_mlflow", "test_a_logged_model"),
        ("test_models_beside_mlflow", "test_the_guides_checkpoints"),
        ("test_models_beside_mlflow", "test_searches_that_both_refuse"),
        ("test_models_beside_mlflow", "test_the_registry"),
        ("test_models_beside_mlflow", "test_logged_models_are_registered"),
    ],
)
def test_models(play: Play, name: str, test: str) -> None:
    getattr(beside_this(name), test)(play)


class WithDigests(mlflow.MlflowClient):  # type: ignore[misc]
    """Over REST, MLflow's server finds no dataset whose digest is not told (R11)."""

    def search_logged_models(self, *args: Any) -> Any:
        experiments, text, datasets, *rest = args
        datasets = [{"dataset_digest": "d1"} | dataset for dataset in datasets or ()]
        return super().search_logged_models(experiments, text, datasets or None, *rest)


def test_searches_of_models(servers: tuple[str, str]) -> None:
    sides = tuple(Side(mlflow, WithDigests(uri, uri)) for uri in servers)
    beside = beside_this("test_models_beside_mlflow")
    beside.random_searches_of_models(sides, 10, 20)
    beside.searches_of_the_registry(sides, 3)


def runs(side: Side) -> None:
    client, module = side.client, side.module
    module.set_experiment("runs over rest")
    with module.start_run(run_name="outer", tags={"named": "yes"}, description="what for") as outer:
        module.log_param("lr", 0.1)
        for number in range(3):
            with module.start_run(run_name=f"inner {number}", nested=True, tags={"named": "yes"}) as inner:
                module.log_metrics({"loss": number / 3}, step=number)
        side.noted.append(client.get_parent_run(inner.info.run_id).info.run_id == outer.info.run_id)
        side.code(module.log_param, "lr", 0.2)
    side.note(client.get_run, outer.info.run_id)
    side.noted.append(client.get_run(inner.info.run_id).data.metrics)
    module.start_run(run_id=outer.info.run_id)
    module.log_metric("late", 1)
    module.end_run("FAILED")
    side.note(client.get_run, outer.info.run_id)
    names = ["tags.mlflow.runName DESC"]
    found = client.search_runs([outer.info.experiment_id], "tags.named = 'yes'", order_by=names)
    side.noted.append([run.info.run_name for run in found])
    client.set_terminated(outer.info.run_id, "KILLED", 77)
    side.noted.append(client.get_run(outer.info.run_id).info.end_time)
    for call in (client.delete_run, client.restore_run):
        side.note(call, outer.info.run_id)
        side.note(client.get_run, outer.info.run_id)
    for run_id in ("f" * 32, "nobody"):
        side.code(client.get_run, run_id)
        side.code(client.delete_run, run_id)
    side.note(
        lambda: len(module.search_runs(search_all_experiments=True, filter_string="tags.named = 'yes'"))
    )


def asynchronous(side: Side) -> None:
    module = side.module
    module.set_experiment("asynchronous")
    with module.start_run() as run:
        for step in range(50):
            module.log_metrics({"a": step / 7, "b": -step}, step=step, synchronous=False)
        module.log_params({f"p{number}": number for number in range(120)}, synchronous=False)
        module.flush_async_logging()
    side.noted.append([point.value for point in side.client.get_metric_history(run.info.run_id, "a")])
    side.note(side.client.get_run, run.info.run_id)


def histories(side: Side) -> None:
    client, metric = side.client, side.entities.Metric
    run = client.create_run("0").info.run_id
    points = [metric("m", math.sin(step), 1_700_000_000_000 + step % 7, step) for step in range(900)]
    client.log_batch(run, points)
    client.log_batch(run, points)  # as after a timeout
    client.log_batch(run, [metric("m", math.nan, 1_700_000_000_000, 0)])
    side.note(lambda: [point for point in client.get_metric_history(run, "m") if not math.isnan(point.value)])
    side.noted.append(len(client.get_metric_history(run, "m")))
    sampled = client._tracking_client.store.get_metric_history_bulk_interval([run], "m", 50, None, None)
    side.noted.append([sampled[0].step, sampled[-1].step, len(sampled) <= 50])


def files(side: Side) -> None:
    module, client = side.module, side.client
    with module.start_run(experiment_id="0") as run:
        module.log_text("some text", "folder/a.txt")
        module.log_dict({"a": [1, 2]}, "b.json")
    run_id = run.info.run_id
    for path in (None, "folder", "nothing"):
        found = client.list_artifacts(run_id, path)
        side.noted.append([(each.path, each.is_dir, each.file_size) for each in found])
    uri = f"runs:/{run_id}"
    side.noted.append(module.artifacts.load_text(f"{uri}/folder/a.txt"))
    side.noted.append(module.artifacts.load_dict(f"{uri}/b.json"))
    side.refused(module.artifacts.load_text, f"{uri}/nothing")


def files_in_parts(side: Side) -> None:
    """Asked to send and fetch in parts, the client falls back where the server cannot."""
    module, client = side.module, side.client
    run_id = client.create_run("0").info.run_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
        patch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
        patch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "10")
        client.log_text(run_id, "text" * 100, "a.txt")
        side.noted.append(module.artifacts.load_text(f"runs:/{run_id}/a.txt"))


@pytest.mark.parametrize("scenario", [runs, asynchronous, histories, files, files_in_parts])
def test_logging(play: Play, scenario: Callable[[Side], None]) -> None:
    play(scenario)


def test_searches(servers: tuple[str, str]) -> None:
    """With pages, over REST: the language itself is compared elsewhere."""
    answers = []
    for uri in servers:
        client = mlflow.MlflowClient(uri)
        experiment = client.create_experiment("searches")
        for number in range(25):
            run = client.create_run(experiment, 1000 + number, {"even": str(number % 2 == 0)}).info.run_id
            client.log_metric(run, "loss", number % 5, 1, 1)
            client.log_param(run, "number", number)
        found, token = [], None
        while True:
            page = client.search_runs(
                [experiment],
                "metrics.loss < 4 and tags.even = 'True'",
                order_by=["metrics.loss DESC"],
                max_results=4,
                page_token=token,
            )
            found += [(run.data.params["number"], run.data.metrics, run.info.start_time) for run in page]
            token = page.token
            if not token:
                break
        answers.append(found)
    assert len(answers[0]) == 10
    assert answers[0] == answers[1]
