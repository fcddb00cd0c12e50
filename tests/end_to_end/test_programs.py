"""What a newcomer runs first works: the README's program and the example of ``make run``."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the program runs; ends the daemons that it started for folders in there."""
    working = tmp_path / "somewhere"
    working.mkdir()
    yield working
    for entry in working.glob("*/daemon.json"):
        os.kill(json.loads(entry.read_text())["pid"], signal.SIGTERM)


def test_the_programs_of_the_readme(folder: Path) -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(programs)], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["1000", "first try"]


def test_the_distributed_example(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "distributed_digits.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    (points,) = re.findall(r"^points +([\d,]+) of 30 metrics by 4 processes", done.stdout, re.MULTILINE)
    (run_id,) = re.findall(r"^run +([0-9a-f]{32}) .* FINISHED$", done.stdout, re.MULTILINE)
    (accuracy,) = re.findall(r"held out +accuracy ([\d.]+)", done.stdout)
    assert float(accuracy) > 0.9
    assert (folder / "out" / "digits-loss.png").stat().st_size > 10_000

    line = done.stdout.strip().splitlines()[-1]
    pasted = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, check=True)  # noqa: S602
    assert f"[{points.replace(',', '')} rows x" in pasted.stdout
    with duckdb.connect() as connection:
        connection.execute((folder / "data" / "headrace.sql").read_text())
        counted = connection.execute("SELECT count(*) FROM metrics WHERE run_id = ?", [run_id]).fetchone()
    assert counted == (int(points.replace(",", "")),)
