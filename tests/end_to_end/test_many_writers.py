"""Many writers into one run: every point arrives once, in its writer's order, and tells who wrote it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import headrace
from running import Daemon, eventually

PROGRAM = Path(__file__).parent / "programs" / "many_writers.py"
WRITERS = int(os.environ.get("HEADRACE_TEST_WRITERS", "150"))
POINTS = 5
"""Of each of the ten keys."""


def test_many_writers_log_into_one_run(daemon: Daemon) -> None:
    client = headrace.Client(daemon.uri)
    with headrace.start_run() as run:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(PROGRAM), str(WRITERS), str(POINTS)],
            env=os.environ | {"HEADRACE_RUN_ID": run.info.run_id},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        logged = time.monotonic()
        eventually(
            lambda: (
                sum(writer.points for writer in client.list_writers(run.info.run_id))
                >= WRITERS * POINTS * 10 + 1
            ),
            "all is delivered",
        )
        print(f"{WRITERS} writers: {logged - began:.1f} s to log, {time.monotonic() - logged:.1f} s more")  # noqa: T201

    writers = client.list_writers(run.info.run_id)
    by_rank = {writer.labels["rank"]: writer for writer in writers if "rank" in writer.labels}
    assert len(writers) == WRITERS + 1
    assert set(by_rank) == {str(number) for number in range(WRITERS)}
    assert {writer.points for writer in by_rank.values()} == {POINTS * 10}
    assert len({writer.labels["pid"] for writer in writers}) == WRITERS + 1
    for key in range(10):
        columns = client.get_metric_columns(run.info.run_id, f"key{key}")
        steps, values = np.array(columns.steps), np.array(columns.values)
        assert len(steps) == WRITERS * POINTS
        for number in range(WRITERS):
            assert steps[values == number].tolist() == list(range(POINTS))
