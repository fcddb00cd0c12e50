"""How long durability takes: when nothing else goes on, and beside other traffic."""

import sys
from time import perf_counter, perf_counter_ns, sleep

import numpy as np

import headrace
from benchmarks import machine
from benchmarks.readback import assert_arrived
from benchmarks.traffic import traffic
from benchmarks.workloads.timing import percentile

PAUSE = 0.002
"""Seconds between two operations: each finds the daemon idle."""

OTHER_PER_S = 1_000_000
KEPT = 0.95
"""The part of the pace below which the other traffic was not what it should be."""

BUILD_UP = 1.0
LOADED_SECONDS = 6.0


def run(points: int) -> dict[str, float]:
    """Milliseconds from log_metric until its wait() returns, one operation at a time on an idle daemon."""
    machine.settle()
    samples = _waits(points // 1000, seconds=60.0)
    return {"p50_ms": percentile(samples, 50) / 1e6, "p99_ms": percentile(samples, 99) / 1e6}


def loaded(points: int) -> dict[str, float]:
    """The same while another process logs 1 million points per second, 100 a call."""
    machine.settle()
    with traffic(OTHER_PER_S) as other:
        sleep(BUILD_UP)
        samples = _waits(points // 1000, seconds=LOADED_SECONDS * points / 1e6)
    if other["durable_per_s"] < KEPT * OTHER_PER_S:
        print(f"  the other traffic kept only {other['durable_per_s']:,.0f} points/s", file=sys.stderr)
    return {
        "p50_ms": percentile(samples, 50) / 1e6,
        "p99_ms": percentile(samples, 99) / 1e6,
        "most_ms": max(samples) / 1e6,
        "waits": len(samples),
        "other_logged_per_s": other["logged_per_s"],
        "other_durable_per_s": other["durable_per_s"],
    }


def _waits(count: int, seconds: float) -> list[int]:
    """Nanoseconds of each wait; at most ``count``, for at most so long."""
    values = np.random.default_rng(4).normal(size=count)
    samples: list[int] = []
    with headrace.start_run(run_name="wait-latency") as started:
        deadline = perf_counter() + seconds
        for step, value in enumerate(values.tolist()):
            if perf_counter() > deadline and samples:
                break
            sleep(PAUSE)
            before = perf_counter_ns()
            headrace.log_metric("loss", value, step).wait()
            samples.append(perf_counter_ns() - before)
    done = len(samples)
    assert_arrived(started.info.run_id, "loss", np.arange(done), values[:done])
    return samples
