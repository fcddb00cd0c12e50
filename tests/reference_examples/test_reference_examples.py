"""The examples that MLflow's guides print run with their imports changed, and log what they say."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest_daemon import DaemonProcess

HERE = Path(__file__).parent


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


runs, models = module("guide_examples"), module("model_examples")
ALL = runs.EXAMPLES | models.FILES | models.MODELS

Outcomes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    process = DaemonProcess(tmp_path_factory.mktemp("examples") / "data")
    yield process
    process.close()


def run_all(daemon: DaemonProcess, kind: str) -> Outcomes:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    own["HEADRACE_TRACKING_URI"] = f"headrace://{daemon.ready()}"
    own["HEADRACE_JOURNAL_DIR"] = str(daemon.data.with_name("journals"))
    command = [sys.executable, str(HERE / "run_examples.py"), kind]
    done = subprocess.run(command, env=own, check=True, capture_output=True, text=True)
    outcomes: Outcomes = json.loads(done.stdout)
    return outcomes


@pytest.fixture(scope="module")
def outcomes(daemon: DaemonProcess) -> Outcomes:
    return run_all(daemon, "all")


METRICS = {
    "MLflow: tracking runs": {"val_loss": 0.25},
    "Azure: configure experiments": {"mymetric": 1},
    "Azure: the context manager": {"mymetric": 1, "anothermetric": 1},
    "Azure: a run's name": {"mymetric": 1, "anothermetric": 1},
    "Azure: log parameters": {},
    "Azure: log metrics": {"my_metric": 1},
    "Azure: asynchronous by default": {"metric1": 9.42},
    "Azure: one metric asynchronously": {"metric1": 9.42},
    "Azure: wait for a metric": {"metric1": 9.42},
    "Azure: a batch asynchronously": {"metric-0": 3.14, "metric-1": 6.28},
    "Azure: view information about runs": {"iteration": 4},
}


@pytest.mark.parametrize("name", ALL)
def test_an_example(outcomes: Outcomes, name: str) -> None:
    outcome = outcomes[name]
    assert outcome["error"] is None, outcome["error"]
    assert {run["info"]["status"] for run in outcome["runs"]} == {"FINISHED"}
    if name in METRICS:
        [run] = outcome["runs"]
        assert run["data"]["metrics"] == METRICS[name]


def test_what_they_logged_besides(outcomes: Outcomes) -> None:
    [run] = outcomes["Azure: log parameters"]["runs"]
    expected = {"num_epochs": "20", "dropout_rate": "0.6", "objective": "binary_crossentropy"}
    assert run["data"]["params"] == expected
    [run] = outcomes["Azure: a run's name"]["runs"]
    assert run["info"]["run_name"] == "iris-classifier-random-forest"
    assert "RunInfo(run_id=" in outcomes["MLflow: querying runs"]["printed"]
    printed = outcomes["MLflow: searching and ranking checkpoints"]["printed"]
    assert printed == "Best model: checkpoint-epoch-1\nAccuracy: 0.75\n"


def test_every_example_of_the_documents_is_here() -> None:
    told = [name for document in module("contents").CONTENTS.values() for name in document.values()]
    known = ALL | runs.TRAINING | models.CHECKPOINTS
    assert {name for name in told if name is not None} == set(known)


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="a network is trained: needs PyTorch")
def test_checkpoints_of_a_network(daemon: DaemonProcess) -> None:
    [outcome] = run_all(daemon, "checkpoints").values()
    assert outcome["error"] is None, outcome["error"]


@pytest.mark.skipif(not importlib.util.find_spec("sklearn"), reason="forests are trained: needs scikit-learn")
def test_examples_that_train(daemon: DaemonProcess) -> None:
    found = run_all(daemon, "training")
    for outcome in found.values():
        assert outcome["error"] is None, outcome["error"]
    [run] = found["Reference: basic experiment tracking"]["runs"]
    assert run["data"]["params"] == {"n_estimators": "100", "max_depth": "10"}
    assert run["data"]["metrics"]["rmse"] == pytest.approx(run["data"]["metrics"]["mse"] ** 0.5)
    assert 0.02 < run["data"]["metrics"]["mse"] < 0.3
    runs = found["Reference: nested runs for hyperparameter tuning"]["runs"]
    [parent] = [run for run in runs if run["info"]["run_name"] == "hyperparameter-tuning-parent"]
    children = [run for run in runs if run is not parent]
    assert len(children) == 9
    of = {run["data"]["tags"]["mlflow.parentRunId"] for run in children}
    assert of == {parent["info"]["run_id"]}
    best = min(children, key=lambda run: run["data"]["metrics"]["mse"])
    assert parent["data"]["metrics"] == {"best_mse": best["data"]["metrics"]["mse"]}
    assert parent["data"]["params"] == best["data"]["params"]
