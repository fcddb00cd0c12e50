"""Programs that train with MLflow, against a stock server of it and against Headrace."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autologged import autologged
from ingest_daemon import DaemonProcess

PLUGIN = "headrace.integrations.mlflow_plugin"

ENVIRONMENT = {
    "KERAS_BACKEND": "torch",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PYTHONHASHSEED": "0",  # some lists in models are in the order of a set
    "PYTHONWARNINGS": "always",
}


def plugin_is_there() -> bool:
    """Whether this Headrace has a plugin for MLflow."""
    try:
        return importlib.util.find_spec(PLUGIN) is not None
    except ModuleNotFoundError:
        return False


@dataclass
class Training:
    """One program against one server, as a process that a user could have started."""

    name: str
    """Of the experiment."""
    server: str
    """Where what it logged is read, over REST."""
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()


@dataclass
class Servers:
    """A daemon and a stock MLflow server; what was trained against them, by program and way."""

    daemon: DaemonProcess
    rest: str
    stock: str
    folder: Path
    _trainings: dict[str, dict[str, Training]] = field(default_factory=dict)
    _logged: dict[tuple[str, str], Any] = field(default_factory=dict)

    def trained(self, program: Path, way: str) -> Training:
        """The training, when it has ended; the other ways of the program begin with the first."""
        if program.stem not in self._trainings:
            ways = {"stock": (self.stock, self.stock), "rest": (self.rest, self.rest)}
            if plugin_is_there():
                ways["plugin"] = f"headrace://{self.daemon.ready()}", self.rest
            self._trainings[program.stem] = {way: self._train(program, way, *at) for way, at in ways.items()}
        training = self._trainings[program.stem][way]
        assert training.process.wait() == 0, training.output
        return training

    def logged(self, program: Path, way: str) -> dict[str, Any]:
        """What it left."""
        import mlflow  # noqa: PLC0415 - it is not always there

        if (program.stem, way) not in self._logged:
            training = self.trained(program, way)
            downloads = training.folder / "downloads"
            downloads.mkdir()
            client = mlflow.MlflowClient(training.server)
            self._logged[program.stem, way] = autologged(client, training.name, downloads)
        found: dict[str, Any] = self._logged[program.stem, way]
        return found

    def close(self) -> None:
        """Ends what still runs."""
        for training in (each for ways in self._trainings.values() for each in ways.values()):
            if training.process.poll() is None:
                training.process.kill()
                training.process.wait()

    def _train(self, program: Path, way: str, uri: str, server: str) -> Training:
        name = f"{program.stem} {way}"
        folder = self.folder / f"{len(self._trainings)}{way:_<6}"  # equally long: some files have it in them
        folder.mkdir()
        environment = ENVIRONMENT | {
            "MLFLOW_TRACKING_URI": uri,
            "MLFLOW_EXPERIMENT_NAME": name,
            "HEADRACE_JOURNAL_DIR": str(folder / "journals"),
        }
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, str(program)],
                cwd=folder,
                env=os.environ | environment,
                stdout=output,
                stderr=output,
            )
        return Training(name, server, folder, process)
