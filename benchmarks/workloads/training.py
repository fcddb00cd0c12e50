"""What logging costs a training loop, and what a checkpoint that is written beside it costs the calls."""

import gc
import os
import subprocess
import sys
import tempfile
from statistics import mean, median
from time import perf_counter, perf_counter_ns, sleep

import numpy as np

import headrace
from benchmarks.readback import assert_arrived
from benchmarks.workloads.timing import percentile

METRICS = 1000
STEP_SECONDS = 0.1
BLOCK = 10
"""Steps that log, then as many that do not, and so on."""

CHECKPOINT = """
import os, sys
block = os.urandom(1 << 20) * 64
while True:
    with open(sys.argv[1], "wb") as file:
        for _ in range(8):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    print("written", flush=True)
"""
"""Half a gigabyte, synced, over and over."""


def loss(points: int) -> dict[str, float]:
    """Percent of its time that a CPU-bound loop of 10 steps/s loses when it logs 1,000 metrics a step.

    Blocks of ten steps log and do not log in turn, so that what else goes on meets both.
    """
    blocks = max(4, points // 40_000)
    work = max(_rounds_in(STEP_SECONDS) for _ in range(3))
    values = np.random.default_rng(5).normal(size=(blocks * BLOCK, METRICS))
    rows = [{f"layer/{key}": value for key, value in enumerate(row)} for row in values.tolist()]
    logged, bare = [], []
    with headrace.start_run(run_name="training") as started:
        for block in range(blocks):
            for step in range(block * BLOCK, (block + 1) * BLOCK):
                began = perf_counter()
                _step(work)
                headrace.log_metrics(rows[step], step)
                logged.append(perf_counter() - began)
            for _ in range(BLOCK):
                began = perf_counter()
                _step(work)
                bare.append(perf_counter() - began)
    for key in (0, METRICS - 1):
        assert_arrived(
            started.info.run_id, f"layer/{key}", np.arange(len(values)), np.ascontiguousarray(values[:, key])
        )
    return {
        "loss_percent": 100 * (mean(logged) / mean(bare) - 1),
        "loss_p50_percent": 100 * (median(logged) / median(bare) - 1),
        "step_ms": 1e3 * mean(bare),
    }


def _rounds_in(seconds: float) -> int:
    """How many rounds of work take so long, on a quiet machine."""
    began = perf_counter()
    _step(200_000)
    return int(200_000 * seconds / (perf_counter() - began))


def _step(rounds: int) -> float:
    """Pure Python: it holds the interpreter's lock all the time, as the worst of training loops do."""
    total = 0.0
    for number in range(rounds):
        total += number * 0.5
    return total


def checkpoint(points: int) -> dict[str, float]:
    """Microseconds of log_metric, p99.99 and most, alone and beside a checkpoint on the same disk."""
    values = np.random.default_rng(6).normal(size=points)
    as_floats = values.tolist()
    folder = os.environ["HEADRACE_JOURNAL_DIR"]
    with headrace.start_run(run_name="checkpoint") as started:
        alone = _calls("alone", as_floats)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as name:  # noqa: PTH120
            command = [sys.executable, "-c", CHECKPOINT, f"{name}/checkpoint"]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as writing:
                assert writing.stdout is not None
                writing.stdout.readline()
                beside = _calls("beside", as_floats)
                assert writing.poll() is None, "the checkpoint could not be written"
                writing.kill()
    for key in ("alone", "beside"):
        assert_arrived(started.info.run_id, key, np.arange(points), values)
    return {
        "alone_p9999_us": percentile(alone, 99.99) / 1e3,
        "alone_max_us": max(alone) / 1e3,
        "beside_p9999_us": percentile(beside, 99.99) / 1e3,
        "beside_max_us": max(beside) / 1e3,
    }


def _calls(key: str, values: list[float]) -> list[int]:
    """Nanoseconds of each call; a pause now and then, so that they last for several checkpoints."""
    samples = [0] * len(values)
    gc.collect()
    for step, value in enumerate(values):
        if step % 1000 == 0:
            sleep(0.005)
        before = perf_counter_ns()
        headrace.log_metric(key, value, step)
        samples[step] = perf_counter_ns() - before
    return samples
