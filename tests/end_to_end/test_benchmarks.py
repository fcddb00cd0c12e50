"""The benchmarks run, check what arrived, and say what they measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "names",
    [["call-cost", "scalar", "batch"], ["series", "charts"], ["wait-latency", "wait-loaded", "retry"]],
    ids=" ".join,
)
def test_each_workload_prints_a_json_line_and_a_table(tmp_path: Path, names: list[str]) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", *names, "--quick", "--runs", "1", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    written = json.loads(file.read_text())
    assert [line["benchmark"] for line in lines] == names
    assert written["results"] == lines
    figures = [(line["benchmark"], name, span) for line in lines for name, span in line["figures"].items()]
    assert all(0 < span["min"] <= span["median"] <= span["max"] for _, _, span in figures)
    rows = [row.split()[:2] for row in done.stderr.splitlines()]
    assert [row for row in rows if row[0] in names] == [[workload, name] for workload, name, _ in figures]
    assert {"cpu", "cores", "fsync_ms", "python", "libraries", "commit"} <= set(written["machine"])
