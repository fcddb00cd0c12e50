"""The servers to train against."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from ingest_daemon import DaemonProcess
from mlflow_server import free_port, mlflow_server
from trainings import PLUGIN, Servers, plugin_is_there


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("autolog")
    port = free_port()
    daemon = DaemonProcess(folder / "data", "--http-port", str(port))
    with closing(daemon), mlflow_server(folder) as stock:
        daemon.ready()
        with closing(Servers(daemon, f"http://127.0.0.1:{port}", stock, folder)) as all_of_them:
            yield all_of_them


@pytest.fixture(params=["rest", "plugin"])
def way(request: pytest.FixtureRequest) -> str:
    """How MLflow's client comes to Headrace."""
    if request.param == "plugin" and not plugin_is_there():
        pytest.skip(f"there is no {PLUGIN}")
    name: str = request.param
    return name


@pytest.fixture(scope="session", autouse=True)
def no_progress_bars() -> Iterator[None]:
    """Of what is downloaded here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        yield
