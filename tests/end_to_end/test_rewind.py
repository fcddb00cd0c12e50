"""A run is resumed from a step by several processes, while some of what was logged is still on its way."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace import Client
from obedient import headrace
from running import PROGRAMS, Daemon


def start(arguments: dict[str, Any], steps: range, key: str, value: float, **environment: str) -> "Program":
    return Program(arguments, steps, key, value, environment)


class Program:
    """A process of a launch."""

    def __init__(
        self, arguments: dict[str, Any], steps: range, key: str, value: float, environment: dict[str, str]
    ) -> None:
        words = [json.dumps(arguments), str(steps.start), str(steps.stop), key, str(value)]
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "resumed.py"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def end(self) -> str:
        """The run's id, once the process has ended."""
        output, errors = self.process.communicate(timeout=90)
        assert self.process.returncode == 0, errors
        return output.strip()


def values(daemon: Daemon, run_id: str, key: str = "loss") -> dict[int, float]:
    """By step; fails when a step has several points."""
    history = Client(daemon.uri).get_metric_history(run_id, key)
    found = {point.step: point.value for point in history}
    assert len(found) == len(history), "a point that is hidden was shown"
    return found


def expected(*parts: tuple[range, float]) -> dict[int, float]:
    return {step: value for steps, value in parts for step in steps}


@pytest.fixture
def interrupted(daemon: Daemon) -> str:
    """A run of which 100 steps are logged and 40 delivered; the rest lies in the journals."""
    run_id = start({}, range(40), "loss", 1.0, HEADRACE_ATTEMPT="first").end()
    daemon.kill()
    again = {"HEADRACE_ATTEMPT": "first", "WAIT": "0", "HEADRACE_START_TIMEOUT": "0"}
    start({"run_id": run_id}, range(40, 100), "loss", 1.0, **again).end()
    daemon.start()
    return run_id


def test_ranks_share_a_rewind_that_also_hides_what_comes_late(
    daemon: Daemon, interrupted: str, private_journals: Path, tmp_path: Path
) -> None:
    run_id, client = interrupted, Client(daemon.uri)
    elsewhere = {"HEADRACE_ATTEMPT": "second", "HEADRACE_JOURNAL_DIR": str(tmp_path / "other host")}
    resume = {"run_id": run_id, "resume_from_step": 30}
    ranks = [
        start(resume, range(30, 60), key, 2.0, **elsewhere, HEADRACE_RANK=str(number))
        for number, key in enumerate(["loss", "rank 1"])
    ]
    assert [rank.end() for rank in ranks] == [run_id] * 2
    shown = expected((range(30), 1.0), (range(30, 60), 2.0))
    assert values(daemon, run_id) == shown

    assert headrace("sync", private_journals).returncode == 0  # what the first attempt left
    assert values(daemon, run_id) == shown
    assert values(daemon, run_id, "rank 1") == expected((range(30, 60), 2.0))
    [summary] = client.get_metric_summaries(run_id, ["loss"]).values()
    assert (summary.count, summary.last.step, summary.min, summary.max) == (60, 59, 1.0, 2.0)
    assert client.get_run(run_id).data.metrics == {"loss": 2.0, "rank 1": 2.0}
    assert [run.info.run_id for run in client.search_runs(filter_string="metrics.loss = 2")] == [run_id]

    [rewind] = client.list_rewinds(run_id)
    assert (rewind.step, rewind.attempt, rewind.undone_at) == (30, "second", None)
    refused = start(resume | {"resume_from_step": 10}, range(0), "loss", 0.0, **elsewhere)
    _, errors = refused.process.communicate(timeout=60)
    assert refused.process.returncode == 1
    assert "has begun, and not by resuming from step 10" in errors

    fork = start({"fork_from": run_id, "fork_step": 40}, range(41, 50), "loss", 3.0, **elsewhere).end()
    forked = expected((range(30), 1.0), (range(30, 41), 2.0), (range(41, 50), 3.0))
    assert values(daemon, fork) == forked

    undo = headrace("runs", "rewinds", run_id, "--undo", str(rewind.number), "--json")
    assert undo.returncode == 0, undo.stderr
    assert json.loads(undo.stdout)[0]["undone_at"]
    assert len(client.get_metric_history(run_id, "loss")) == 100 + 30
    assert client.get_metric_summaries(run_id)["loss"].count == 130
    assert client.search_runs(filter_string="metrics.loss = 1")[0].info.run_id == run_id
    assert values(daemon, fork) == forked, "a fork shows what was visible when it was made"

    daemon.kill()
    daemon.start()
    assert headrace("runs", "rewinds", run_id, "--redo", str(rewind.number)).returncode == 0
    assert values(daemon, run_id) == shown
    assert values(daemon, fork) == forked
