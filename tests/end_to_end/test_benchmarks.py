"""The benchmarks run, check what arrived, and say what they measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "names", [["call-cost", "scalar"], ["series", "charts"], ["wait-latency", "retry"]], ids=" ".join
)
def test_each_workload_prints_a_json_line_and_a_row(tmp_path: Path, names: list[str]) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", *names, "--quick", "--runs", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    written = json.loads(file.read_text())
    assert [line["benchmark"] for line in lines] == names
    assert written["results"] == lines
    assert all(figure > 0 for line in lines for figure in line["median"].values())
    assert [row.split()[0] for row in done.stderr.splitlines()[-len(names) :]] == names
    assert {"cpu", "cores", "fsync_ms", "python", "libraries", "commit"} <= set(written["machine"])
