"""The two sides, and scenarios played on both. MLflow is loaded only where it is used."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import headrace
from beside import Side
from headrace import active
from ingest_daemon import DaemonProcess
from mlflow_server import headrace_over_http, mlflow_server


@pytest.fixture(scope="session", autouse=True)
def quick_sqlite() -> None:
    """MLflow's database need not survive the machine: waiting for the disk took most of the time here."""
    if importlib.util.find_spec("sqlalchemy") is None:
        return
    sqlalchemy: Any = importlib.import_module("sqlalchemy")  # comes with MLflow

    def no_waiting(connection: Any, _: Any) -> None:
        if "sqlite" in type(connection).__module__:
            connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", no_waiting)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Both, empty, for the tests of one file: searches of one find nothing that another left."""
    mlflow = pytest.importorskip("mlflow")
    folder: Path = tmp_path_factory.mktemp("tracking")
    daemon = DaemonProcess(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_JOURNAL_DIR", str(folder / "journals"))
        patch.setenv("HEADRACE_READ_TIMEOUT", "120")
        patch.chdir(folder)  # where MLflow keeps files
        for variable in ("HEADRACE_ENABLE_ASYNC_LOGGING", "HEADRACE_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
            patch.setenv(variable, "")
            patch.delenv(variable)
        # What a test of another file chose is at another store.
        patch.setattr("headrace.experiment._chosen", None)
        patch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        uris = f"headrace://{daemon.ready()}", f"sqlite:///{folder / 'mlflow.db'}"
        for module, uri in zip((headrace, mlflow), uris, strict=True):
            module.set_tracking_uri(uri)
        headrace.config.enable_async_logging(False)  # MLflow's default
        yield Side(headrace, headrace.MlflowClient()), Side(mlflow, mlflow.MlflowClient())
        headrace.config.enable_async_logging()
        headrace.set_tracking_uri("")
        headrace.Client(uris[0]).close()
    daemon.close()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The HTTP addresses of Headrace and of a stock MLflow server."""
    mlflow = pytest.importorskip("mlflow")
    folder: Path = tmp_path_factory.mktemp("servers")
    with headrace_over_http(folder / "data") as ours, mlflow_server(folder) as theirs:
        before = mlflow.get_tracking_uri()
        yield ours, theirs
        mlflow.set_tracking_uri(before)


@pytest.fixture
def play(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Side], None]], None]:
    def both(scenario: Callable[[Side], None]) -> None:
        monkeypatch.setattr("headrace.experiment._chosen", None)
        monkeypatch.delenv("HEADRACE_EXPERIMENT_NAME", raising=False)
        monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
        monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)
        for side in sides:
            side.noted = []
            scenario(side)
            while side.module.active_run() is not None:
                side.module.end_run()
        assert not active.open_sessions()
        ours, theirs = (side.noted for side in sides)
        differing = [
            (number, *pair)
            for number, pair in enumerate(zip(ours, theirs, strict=True))
            if pair[0] != pair[1]
        ]
        assert not differing

    return both
