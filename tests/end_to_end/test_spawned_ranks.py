"""Children of ``multiprocessing`` log into their parent's run, and it is the parent that ends it."""

import subprocess
import sys

import pytest

from headrace import Client
from running import PROGRAMS, Daemon


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_take_part_and_the_parent_ends_the_run(daemon: Daemon, method: str) -> None:
    command = [sys.executable, str(PROGRAMS / "spawned.py"), method]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert done.stderr == ""
    meanwhile, run_id = done.stdout.split()
    assert meanwhile == "RUNNING"
    run = Client(daemon.uri).get_run(run_id)
    assert run.info.status == "FAILED"
    for number in range(3):
        history = Client(daemon.uri).get_metric_history(run_id, f"child{number}")
        assert [(point.step, point.value) for point in history] == [(step, number) for step in range(100)]
