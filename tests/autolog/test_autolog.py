"""Stock ``mlflow.autolog()`` while models are trained: Headrace has afterwards what MLflow's server has.

The same program runs against MLflow's server, and against Headrace over REST and over the plugin. It loads
the models back, and checks what they predict. ``HEADRACE_TEST_AUTOLOG`` names frameworks that must be there;
others are tested if they are. ``make test-mlflow`` has all, ``make test-autolog`` those that CI has.
"""

import importlib.util
import os
import re
from pathlib import Path

import pytest

from trainings import Servers

pytest.importorskip("mlflow")
pytestmark = pytest.mark.timeout(900)  # of a machine that does other things, too

PROGRAMS = Path(__file__).with_name("programs")
FRAMEWORKS = ("sklearn", "xgboost", "lightgbm", "statsmodels", "lightning", "keras")

WARNING = re.compile(
    r"(?:WARNING|ERROR|CRITICAL) .*|[\w-]+\.py:\d+: .*|Traceback .*|Exception ignored .*", re.IGNORECASE
)
"""What a program prints that warns."""

KNOWN = (
    # MLflow's autologgers call MLflow, scikit-learn 1.9 and pandas 3 in ways that these deprecate.
    r"`artifact_path` is deprecated. Please use `name` instead",
    r"_classification.py:\d+: FutureWarning: `y_pred` was renamed to `y_proba`",
    r"digest_utils.py:\d+: Pandas4Warning: .* all arguments of all will be keyword-only",
    # How MLflow stores these models by default, which is what is tested.
    r"mlflow.sklearn: Saving scikit-learn models in the pickle or cloudpickle format requires",
    r"mlflow.pytorch: Saving pytorch model by Pickle or CloudPickle format requires",
    # The build of PyTorch for machines without GPUs.
    r"Found torch version .* contains a local version label",
    # Keras, with PyTorch and NumPy 2.
    r"DeprecationWarning: __array__ implementation doesn't accept a copy keyword",
    # Lightning, with PyTorch 2.13.
    r"_pytree.py:\d+: `isinstance\(treespec, LeafSpec\)` is deprecated",
)
"""Warnings that come at MLflow's server, too: neither MLflow's client nor Headrace is the reason."""


def warnings(output: str) -> set[str]:
    return {found.group() for found in map(WARNING.search, output.splitlines()) if found}


@pytest.fixture(params=FRAMEWORKS)
def program(request: pytest.FixtureRequest) -> Path:
    name: str = request.param
    required = os.environ.get("HEADRACE_TEST_AUTOLOG", "").split()
    if importlib.util.find_spec(name) is None and name not in required:
        pytest.skip(f"there is no {name}")
    return PROGRAMS / f"{name}_models.py"


def test_the_same_is_logged(servers: Servers, program: Path, way: str) -> None:
    ours, theirs = servers.logged(program, way), servers.logged(program, "stock")
    for kind in ("runs", "models"):
        assert ours[kind]
        for mine, other in zip(ours[kind], theirs[kind], strict=True):
            for field, value in mine.items():
                assert value == other[field], field


def test_nobody_warns(servers: Servers, program: Path, way: str) -> None:
    ours = warnings(servers.trained(program, way).output)
    theirs = warnings(servers.trained(program, "stock").output)
    assert not ours - theirs
    assert not [each for each in ours if not any(re.search(known, each) for known in KNOWN)]


def test_children_of_a_search_are_runs_of_their_own(servers: Servers, way: str) -> None:
    """Were there none at either side, these would be equal, too."""
    logged = servers.logged(PROGRAMS / "sklearn_models.py", way)
    grid = logged["runs"][1]
    children = [run for run in logged["runs"] if run["tags"].get("mlflow.parentRunId") == "<run 1>"]
    found = {(run["params"]["max_depth"], run["params"]["criterion"]) for run in children}
    assert found == {("1", "gini"), ("2", "gini"), ("1", "entropy"), ("2", "entropy")}
    assert grid["tags"]["estimator_name"] == "GridSearchCV"
    assert all("mean_test_score" in run["metrics"] for run in children)


def test_traces_fail_no_program(servers: Servers, way: str) -> None:
    """They are not stored: MLflow's client says so, once for each, and goes on."""
    training = servers.trained(PROGRAMS / "traced.py", way)
    (run,) = servers.logged(PROGRAMS / "traced.py", way)["runs"]
    assert run["status"] == "FINISHED"
    assert run["latest"] == {"before": 1.0, "after": 42.0}
    (said,) = warnings(training.output)
    assert said.endswith("Failed to send trace to MLflow backend: ENDPOINT_NOT_FOUND: Not Found")


def test_the_daemon_has_nothing_to_say(servers: Servers) -> None:
    """After everything above."""
    assert not re.findall(r"\[(?:warning|error|critical).*|Traceback.*", servers.daemon.output)
