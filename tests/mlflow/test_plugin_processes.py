"""MLflow's plugin in real processes: killed, forked, left, and with a daemon that comes and goes.

Only with MLflow: ``make test-mlflow``.
"""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlflow_plugin
from headrace import core, errors
from ingest_daemon import eventually
from running import Daemon

mlflow: Any = pytest.importorskip("mlflow")

TRAINING = """
import mlflow, os, signal, sys
how = sys.argv[1]
if how == "left":
    client = mlflow.MlflowClient()
    run_id = client.create_run("0").info.run_id
else:
    client, run_id = None, mlflow.start_run(experiment_id="0").info.run_id
print(run_id, flush=True)
for step in range(300):
    if client is None:
        mlflow.log_metric("m", step / 3, step=step, synchronous=False)
    else:
        client.log_metric(run_id, "m", step / 3, step=step, synchronous=False)
if how == "killed":
    mlflow.log_metric("last", 1.0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("plugin")
    mlflow_plugin.register()
    running = Daemon(folder)
    running.start()
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_JOURNAL_DIR", str(folder / "journals"))
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
        patch.chdir(folder)
        yield running
        mlflow.set_tracking_uri(before)
        running.end()


@pytest.fixture
def client(daemon: Daemon) -> Any:
    return mlflow.MlflowClient(daemon.uri)


def store_of(client: Any) -> Any:
    return client._tracking_client.store


@pytest.mark.parametrize(
    ("how", "status"),
    [("done", "FINISHED"), ("left", "RUNNING"), ("killed", "RUNNING")],
)
def test_a_script_needs_nothing_but_the_tracking_uri(
    client: Any, daemon: Daemon, tmp_path: Path, how: str, status: str
) -> None:
    """By the entry points. What was logged is there when the process ended; only the user ends a run."""
    ended = mlflow_plugin.run(tmp_path, TRAINING, how, MLFLOW_TRACKING_URI=daemon.uri)
    assert ended.returncode == {"killed": -signal.SIGKILL}.get(how, 0), ended.stderr
    assert "Traceback" not in ended.stderr
    assert "arning" not in ended.stderr
    run_id = ended.stdout.split()[0]
    run = client.get_run(run_id)
    assert run.info.status == status
    assert len(client.get_metric_history(run_id, "m")) == 300
    assert run.data.metrics.get("last") == (1.0 if how == "killed" else None)


def test_a_daemon_that_is_started_again_meanwhile(client: Any, daemon: Daemon) -> None:
    """Its HTTP port is another one afterwards."""
    mlflow.set_tracking_uri(daemon.uri)
    with mlflow.start_run(experiment_id="0") as run:
        for step in range(100):
            mlflow.log_metric("m", step / 3, step=step, synchronous=False)
        mlflow.log_text("before", "before.txt")
        daemon.kill()
        for step in range(100, 200):
            mlflow.log_metric("m", step / 3, step=step, synchronous=False)
        before = store_of(client).get_host_creds().host
        daemon.start()
        mlflow.log_metric("m", 200 / 3, step=200)
        eventually(lambda: store_of(client).get_host_creds().host != before)
        mlflow.log_text("after", "after.txt")
    assert [point.step for point in client.get_metric_history(run.info.run_id, "m")] == list(range(201))
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    assert [each.path for each in client.list_artifacts(run.info.run_id)] == ["after.txt", "before.txt"]


def test_a_forked_child_logs_and_asks(client: Any) -> None:
    run = client.create_run("0").info.run_id
    client.log_metric(run, "m", 0.5, 1_700_000_000_000, 0)
    child = os.fork()
    if not child:
        status = 1
        try:
            client.log_metric(run, "m", 0.5, 1_700_000_000_000, 0)  # the parent's, once more
            client.log_metric(run, "m", 1.5, step=1)
            client.log_metric(run, "m", 2.5, step=2, synchronous=False).wait()
            client.log_param(run, "p", "1")
            status = len(client.get_metric_history(run, "m"))
        finally:
            os._exit(status)
    client.log_metric(run, "m", 3.5, step=3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (3, 4)
    assert {point.value for point in client.get_metric_history(run, "m")} == {0.5, 1.5, 2.5, 3.5}
    assert len(client.get_metric_history(run, "m")) == 4
    assert client.get_run(run).data.params == {"p": "1"}


def test_errors_name_the_remedy(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    for uri in ("headrace://", "headrace://host:port", "headrace:7070"):
        with pytest.raises(mlflow.exceptions.MlflowException, match=r"expected headrace://HOST:PORT"):
            mlflow.MlflowClient(uri)
    with pytest.raises(mlflow.exceptions.MlflowException, match="start it") as away:
        mlflow.MlflowClient("headrace://127.0.0.1:9").create_run("0")
    assert "headrace://127.0.0.1:9" in str(away.value)
    assert away.value.error_code == "TEMPORARILY_UNAVAILABLE"

    elsewhere = f"headrace://localhost:{daemon.port}"

    def none(_: Any) -> str:
        raise errors.UnavailableError("the daemon serves no HTTP")

    monkeypatch.setattr(core.Core, "http_address", none)
    with pytest.raises(mlflow.exceptions.MlflowException, match=r"serves no HTTP.*start it"):
        mlflow.MlflowClient(elsewhere).search_registered_models()
    monkeypatch.setattr(core.Core, "http_address", lambda _: "127.0.0.1:9")
    with pytest.raises(mlflow.exceptions.MlflowException, match="port 9, which cannot be reached"):
        mlflow.MlflowClient(elsewhere).create_run("0")

    monkeypatch.setattr("mlflow.version.VERSION", "3.1.4")
    with pytest.raises(ImportError, match=r"MLflow 3\.1\.4 is too old.*pip install"):
        mlflow.MlflowClient(f"headrace://127.0.0.2:{daemon.port}")


def test_what_is_not_acknowledged_in_time_is_told(
    client: Any, daemon: Daemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = client.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    daemon.kill()
    try:
        with pytest.raises(mlflow.exceptions.MlflowException, match="stays in the journal"):
            client.log_metric(run, "m", 1.0, 5, 1)
        store_of(client).flush_async_logging()
        assert re.search(r"1 operations are not delivered .* they are safe in", caplog.text)
    finally:
        daemon.start()
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT")
    client.log_metric(run, "m", 1.0, 5, 1)  # the same point, once more
    assert len(client.get_metric_history(run, "m")) == 1
