"""A short piece of the campaign, with a seed; ``make faults`` runs as long as one likes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SECONDS = 8.0
"""Of faults; starting, delivering and judging come on top, and all bounds inside are generous."""


@pytest.mark.timeout(700)
def test_some_faults_of_each_lane_break_nothing(tmp_path: Path) -> None:
    result = tmp_path / "matrix.json"
    command: list[str | Path] = [sys.executable, FOLDER, "--seed", "test", "--json", result]
    command += ["--minutes", str(SECONDS / 60), "--folder", tmp_path / "campaign"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    told = json.loads(result.read_text())
    injected = [row["fault"] for row in told["rows"] if row["times"]]
    assert told["faults"] >= 5, injected
    assert told["total"]["logged"] > 0
