"""A history read back equals what was logged: per process in order, every bit of every value."""

import math
import struct
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np

import headrace
from running import Daemon, Ranks, read_ranks

PROGRAMS = Path(__file__).parent / "programs"


def test_eight_processes_log_into_one_run(daemon: Daemon, ranks: Ranks) -> None:
    with headrace.start_run() as run:
        started = ranks.start(run.info.run_id, count=8, each=100_000)
        assert [rank.process.wait() for rank in started] == [0] * 8

    read = read_ranks(daemon.uri, run.info.run_id)

    assert sorted(read) == list(range(8))
    for number, rank in enumerate(started):
        np.testing.assert_array_equal(read[number][0], rank.points[0])
        np.testing.assert_array_equal(read[number][1], rank.points[1])


def test_a_thousand_runs(daemon: Daemon) -> None:
    programs = [
        subprocess.Popen([sys.executable, PROGRAMS / "many_runs.py", str(first), "250", "1000"])
        for first in range(0, 1000, 250)
    ]
    assert [program.wait() for program in programs] == [0] * 4

    client = headrace.Client(daemon.uri)
    experiment = client.get_experiment_by_name("many")
    assert experiment is not None
    page = client.search_runs([experiment.experiment_id], max_results=700)
    runs = [*page, *client.search_runs([experiment.experiment_id], page_token=page.token)]

    assert sorted(run.info.run_name for run in runs) == sorted(f"run {number}" for number in range(1000))
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        logged = np.random.default_rng(int(run.info.run_name.split()[1])).normal(size=1000)
        history = client.get_metric_history(run.info.run_id, "loss")
        np.testing.assert_array_equal([metric.value for metric in history], logged)
        assert [metric.step for metric in history] == list(range(1000))
        assert run.data.metrics == {"loss": logged[-1]}


def test_every_value_and_step_comes_back_bit_by_bit(daemon: Daemon) -> None:
    values = [math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, -5e-324, 1.7976931348623157e308, 0.1]
    steps = [0, -1, 2**63 - 1, -(2**63), 7, 3, 3, 2**53 + 1]
    points = list(product(steps, values))
    with headrace.start_run() as run:
        for step, value in points:
            headrace.log_metric("single", value, step)
        headrace.log_series("array", np.array([value for _, value in points]), [step for step, _ in points])

    for key in ("single", "array"):
        history = headrace.Client(daemon.uri).get_metric_history(run.info.run_id, key)
        assert [(metric.step, bits(metric.value)) for metric in history] == [
            (step, bits(value)) for step, value in points
        ]


def bits(value: float) -> bytes:
    return struct.pack("<d", value)
