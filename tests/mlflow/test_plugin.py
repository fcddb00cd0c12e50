"""MLflow's plugin beside stock MLflow and beside REST: the same scripts, the same answers and refusals.

Only with MLflow: ``make test-mlflow``.
"""

import importlib.util
import math
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest

import mlflow_plugin
from beside import NOBODY, Side
from headrace import Client
from ingest_daemon import DaemonProcess

mlflow: Any = pytest.importorskip("mlflow")

Play = Callable[[Callable[[Side], None]], None]

BEGIN = 1_700_000_000_000


def beside_this(name: str) -> Any:
    """The file of this name."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


REST = beside_this("test_rest_clients_beside_mlflow")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a daemon, for the plugin."""
    folder = tmp_path_factory.mktemp("plugin")
    mlflow_plugin.register()
    daemon = DaemonProcess(folder / "data")
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_JOURNAL_DIR", str(folder / "journals"))
        patch.chdir(folder)  # where MLflow keeps files
        yield f"headrace://{daemon.ready()}"
        mlflow.set_tracking_uri(before)
    daemon.close()


@pytest.fixture
def client(uri: str) -> Any:
    return mlflow.MlflowClient(uri)


@pytest.fixture
def reader(client: Any) -> Any:
    """Stock MLflow at the same daemon, by REST: it knows nothing of this process's journal."""
    return mlflow.MlflowClient(store_of(client).get_host_creds().host)


def store_of(client: Any) -> Any:
    return client._tracking_client.store


@pytest.fixture
def play(uri: str, servers: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> Play:
    """On both sides: the plugin, and a stock server."""

    def both(scenario: Callable[[Side], None]) -> None:
        noted = []
        for each in (uri, servers[1]):
            monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
            monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
            mlflow.set_tracking_uri(each)
            side = Side(mlflow, mlflow.MlflowClient())
            scenario(side)
            while mlflow.active_run() is not None:
                mlflow.end_run()
            noted.append(side.noted)
        pairs = enumerate(zip(*noted, strict=True))
        assert not [(number, *pair) for number, pair in pairs if pair[0] != pair[1]]

    return both


@pytest.mark.parametrize(
    "scenario",
    [*REST.scenarios(), REST.runs, REST.asynchronous, REST.histories, REST.files],
    ids=lambda scenario: scenario.__name__,
)
def test_scripts(play: Play, scenario: Callable[[Side], None]) -> None:
    play(scenario)


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("test_datasets_beside_mlflow", "test_runs_use_datasets"),
        ("test_models_beside_mlflow", "test_a_logged_model"),
        ("test_models_beside_mlflow", "test_the_guides_checkpoints"),
    ],
)
def test_models(play: Play, name: str, test: str) -> None:
    getattr(beside_this(name), test)(play)


def test_refusals_are_those_of_rest(client: Any, reader: Any) -> None:
    """Whatever is wrong, in whatever call, is told by the same error with the same words."""
    metric, param, tag = mlflow.entities.Metric, mlflow.entities.Param, mlflow.entities.RunTag
    at = {"timestamp": BEGIN, "step": 0}
    deleted = client.create_run("0").info.run_id
    client.log_metric(deleted, "m", 1.0)
    client.delete_run(deleted)
    run = client.create_run("0").info.run_id
    client.log_param(run, "once", "1")
    calls: list[Callable[[Any], Any]] = [
        lambda store: store.log_param(run, param("once", "2")),
        lambda store: store.log_batch(run, [], [param("new", "1"), param("once", "2")], []),
        lambda store: store.log_batch(run, [], [param("twice", "1"), param("twice", "1")], []),
        *(
            lambda store, key=key, call=call: call(store, key)
            for key in ("", "/a", "a//b", "../b", ".", "a;b", "k" * 251)
            for call in (
                lambda store, key: store.log_metric(run, metric(key, 1.0, **at)),
                lambda store, key: store.log_param(run, param(key, "1")),
                lambda store, key: store.set_tag(run, tag(key, "1")),
                lambda store, key: store.log_batch(run, [metric(key, 1.0, **at)], [], []),
            )
        ),
        lambda store: store.log_metric(run, metric("m", 1.0, -1, 0)),
        lambda store: store.log_metric(run, metric("m", 1.0, 1 << 60, 0)),
        lambda store: store.log_metric(run, metric("m", "high", BEGIN, 0)),
        lambda store: store.log_metric(run, metric("m", 1.0, BEGIN, 1 << 63)),
        lambda store: store.log_metric(run, metric("m", 3.0, BEGIN, 0, "m-none")),
        lambda store: store.log_batch(run, [metric("m", 3.0, BEGIN, 0, "m-none", "d", "1")], [], []),
        lambda store: store.set_tag(run, tag("t", "\0")),
        lambda store: store.log_batch(run, [metric("m", 1.0, BEGIN, n) for n in range(1001)], [], []),
        lambda store: store.log_batch(run, [], [param(f"q{n}", "1") for n in range(101)], []),
        *(
            lambda store, run=run, call=call: call(store, run)
            for run in (NOBODY, "nobody", "", deleted)
            for call in (
                lambda store, run: store.log_metric(run, metric("m", 2.0, **at)),
                lambda store, run: store.log_param(run, param("p", "1")),
                lambda store, run: store.set_tag(run, tag("t", "1")),
                lambda store, run: store.log_batch(run, [metric("m", 2.0, **at)], [], []),
            )
        ),
    ]
    for number, call in enumerate(calls):
        told = []
        for each in (client, reader):
            with pytest.raises(Exception) as error:
                call(store_of(each))
            told.append((type(error.value), str(error.value), getattr(error.value, "error_code", "")))
        assert told[0] == told[1], number
    assert client.get_run(run).data.params == {"once": "1", "new": "1"}


def test_what_is_long_or_odd_is_stored_as_by_rest(client: Any, reader: Any) -> None:
    def log(to: Any) -> Any:
        run = to.create_run("0").info.run_id
        to.log_param(run, "long", "x" * 9000)
        to.log_param(run, "number", 5)
        to.log_batch(run, tags=[mlflow.entities.RunTag("long", "y" * 9000)])
        to.set_tag(run, "mlflow.runName", "renamed")
        to.set_tag(run, "mlflow.runName", "")
        for step, value in enumerate((math.nan, math.inf, -math.inf, -0.0, 7, True)):
            to.log_metric(run, f"ünder {step}", value, BEGIN, step - 3)
        data = to.get_run(run).data
        return data.params, data.tags, {key: str(value) for key, value in data.metrics.items()}

    assert log(client) == log(reader)


def test_synchronous_calls_return_when_all_see_it(client: Any, reader: Any) -> None:
    run = client.create_run("0").info.run_id
    for step in range(3):
        client.log_metric(run, "m", step / 2, step=step)
        assert len(reader.get_metric_history(run, "m")) == step + 1
    client.log_param(run, "p", "1")
    client.set_tag(run, "t", "1")
    data = reader.get_run(run).data
    assert (data.params, data.tags["t"]) == ({"p": "1"}, "1")


def test_operations_are_mlflows_with_real_futures(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    run = client.create_run("0").info.run_id
    operations = [client.log_metric(run, "m", step / 7, step=step, synchronous=False) for step in range(100)]
    operations.append(client.log_batch(run, params=[mlflow.entities.Param("p", "1")], synchronous=False))
    assert {type(each) for each in operations} == {mlflow.utils.async_logging.run_operations.RunOperations}
    futures = [future for operation in operations for future in operation._operation_futures]
    assert all(isinstance(future, Future) for future in futures)
    assert wait(futures, 60).not_done == set()
    assert [future.result() for future in futures] == [None] * 101
    seen: list[Any] = []
    futures[0].add_done_callback(seen.append)
    assert seen == [futures[0]]
    for refused in (
        client.log_param(run, "p", "2", synchronous=False),
        client.log_metric(NOBODY, "m", 1.0, synchronous=False),
        client.set_tag(run, "a;b", 1, synchronous=False),
    ):
        with pytest.raises(mlflow.exceptions.MlflowException, match=r"INVALID_PARAMETER|RESOURCE_DOES"):
            refused.wait()
    client.log_param(run, "p", "3", synchronous=False)  # nobody asks what became of it
    store_of(client).flush_async_logging()
    assert f"Run Id {run}: Failed to log run data" in caplog.text


def test_the_end_of_a_run_comes_after_all_of_it(uri: str, reader: Any) -> None:
    mlflow.set_tracking_uri(uri)
    with mlflow.start_run(experiment_id="0") as run:
        for step in range(5000):
            mlflow.log_metric("m", step / 3, step=step, synchronous=False)
        mlflow.log_params({f"p{number}": number for number in range(120)}, synchronous=False)
    found = reader.get_run(run.info.run_id)
    assert found.info.status == "FINISHED"
    assert len(found.data.params) == 120
    history = reader.get_metric_history(run.info.run_id, "m")
    assert [(point.step, point.value) for point in history] == [(step, step / 3) for step in range(5000)]

    client = mlflow.MlflowClient(uri)
    client.log_metric(run.info.run_id, "late", 1.0, synchronous=False)
    store_of(client).update_run_info(run.info.run_id, mlflow.entities.RunStatus.FAILED, 5, None)
    assert reader.get_run(run.info.run_id).data.metrics["late"] == 1.0


def test_points_that_come_again_count_once(client: Any, uri: str) -> None:
    """As when MLflow's log_model logs a step's points once more, with the model."""
    run = client.create_run("0").info.run_id
    model = client.create_logged_model("0", "again", run)
    points = [mlflow.entities.Metric("m", step / 3, BEGIN + step, step) for step in range(900)]
    client.log_batch(run, points)
    client.log_batch(run, points)
    for point in points[:5]:
        client.log_metric(run, point.key, point.value, point.timestamp, point.step)
    last = client.get_metric_history(run, "m")[-1]
    linked = mlflow.entities.Metric("m", last.value, last.timestamp, last.step, model.model_id, "data", "d1")
    client.log_batch(run, [linked], synchronous=False).wait()
    client.log_metric(run, "m", math.nan, BEGIN, 0)
    client.log_metric(run, "m", math.nan, BEGIN, 0)
    assert len(client.get_metric_history(run, "m")) == 901
    assert Client(uri).get_metric_summaries(run)["m"].count == 901, "they are stored once"
    [found] = client.get_logged_model(model.model_id).metrics
    assert (found.value, found.step, found.dataset_name, found.dataset_digest) == (
        last.value,
        last.step,
        "data",
        "d1",
    )


def test_a_store_can_be_pickled(client: Any, reader: Any) -> None:
    run = client.create_run("0").info.run_id
    again = pickle.loads(pickle.dumps(store_of(client)))  # noqa: S301 - its own
    again.log_metric(run, mlflow.entities.Metric("m", 2.5, BEGIN, 1))
    again.log_metric_async(run, mlflow.entities.Metric("m", 3.5, BEGIN, 2)).wait()
    assert [point.value for point in reader.get_metric_history(run, "m")] == [2.5, 3.5]
    other = pickle.loads(pickle.dumps(client))  # noqa: S301
    assert other.get_run(run).data.metrics == {"m": 3.5}


def test_artifacts_go_through_the_daemon(client: Any, uri: str, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(uri)
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    (folder / "a b.txt").write_text("text")
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(folder), "all")
    listed = client.list_artifacts(run.info.run_id, "all")
    assert [(each.path, each.is_dir, each.file_size) for each in listed] == [
        ("all/a b.txt", False, 4),
        ("all/deep", True, None),
    ]
    place = run.info.artifact_uri.partition(":")[2]
    for source in (f"runs:/{run.info.run_id}/all", f"mlflow-artifacts:{place}/all", f"{uri}{place}/all"):
        got = Path(mlflow.artifacts.download_artifacts(source))
        assert (got / "deep" / "large.bin").read_bytes() == (folder / "deep" / "large.bin").read_bytes()
    artifacts = mlflow.store.artifact
    others = artifacts.artifact_repository_registry.get_artifact_repository(
        "mlflow-artifacts:/1/x", "http://127.0.0.1:9"
    )
    assert type(others) is artifacts.mlflow_artifacts_repo.MlflowArtifactsRepository, "theirs stay theirs"


def test_models_are_registered_and_loaded(client: Any, uri: str) -> None:
    mlflow.set_tracking_uri(uri)

    class Twice(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
        def predict(self, context: Any, model_input: list[float]) -> list[float]:  # noqa: ARG002 - MLflow's
            return [2 * each for each in model_input]

    with mlflow.start_run(experiment_id="0") as run:
        mlflow.log_metric("m", 1.0)
        info = mlflow.pyfunc.log_model(name="twice", python_model=Twice(), registered_model_name="plugin")
    assert mlflow.pyfunc.load_model("models:/plugin/1").predict([3.0]) == [6.0]
    assert client.get_model_version("plugin", "1").source.startswith(("models:/", "mlflow-artifacts:/"))
    assert client.get_logged_model(info.model_id).metrics[0].key == "m"
    # It logged the step's points once more, with the model.
    assert len(client.get_metric_history(run.info.run_id, "m")) == 1
