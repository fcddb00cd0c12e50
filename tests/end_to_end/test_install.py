"""A bare ``pip install .`` is thin, and enough to log with."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SESSION = """
import json
import headrace
with headrace.start_run() as run:
    headrace.log_param("bare", True)
    headrace.log_series("loss", [1.0, 0.5])
    headrace.log_metric("loss", 0.25, 2).wait()
    headrace.log_text("text", "notes/a.txt")
assert headrace.artifacts.load_text(f"runs:/{run.info.run_id}/notes/a.txt") == "text"
history = headrace.Client().get_metric_history(run.info.run_id, "loss")
print(json.dumps([metric.value for metric in history]))
"""

IMPORT = """
import sys
import grpc.aio
before = set(sys.modules)
import headrace
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing but ``pip install .``."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, str(ROOT)], check=True)
    return python


def test_it_brings_grpcio_and_protobuf_and_nothing_else(bare_python: Path) -> None:
    listed = subprocess.run(
        [bare_python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    names = {entry["name"].lower().replace("_", "-") for entry in json.loads(listed.stdout)}
    of_grpcio = {"typing-extensions"}
    assert names - {"pip", "setuptools"} - of_grpcio == {"headrace", "grpcio", "protobuf"}


@pytest.mark.usefixtures("daemon")
def test_it_logs_and_reads(bare_python: Path) -> None:
    done = subprocess.run([bare_python, "-c", SESSION], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1.0, 0.5, 0.25]


def test_importing_it_loads_nothing_beyond_grpc_protobuf_and_the_standard_library() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    ours = {"headrace", "headrace_proto", "google", "grpc"}
    standard = {*sys.stdlib_module_names, "__mp_main__"}
    foreign = set(done.stdout.split()) - ours - standard
    assert not foreign
