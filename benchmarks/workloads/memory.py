"""Memory (PSS, PostgreSQL apart) of the daemon at full load and with many keys, and of a client."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import sleep

import numpy as np

import headrace
from benchmarks.workloads.fleet import MESSAGE_CELLS, Fleet, assert_stored
from benchmarks.workloads.fresh import fresh_daemon, pss_mb

CLIENTS = (1, 4, 8)
LOOK_EVERY = 0.02
"""Seconds between two looks at a process."""

SETTLE = 5.0
"""Seconds after which what is free has gone back to the kernel."""

CLIENT = """
import json, os, sys, time
import grpc, grpc.aio
def pss():
    for line in open("/proc/self/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
bare = pss()
import headrace
points = int(sys.argv[1])
most = 0
with headrace.start_run() as run:
    for step in range(points):
        operation = headrace.log_metric("loss", float(step), step)
        if step % 10_000 == 0:
            most = max(most, pss())
    operation.wait()
most = max(most, pss())
print(json.dumps({"run_id": run.info.run_id, "bare": bare, "most": most, "last": pss()}))
"""

LONG_JOURNAL = """
import sys
import numpy as np
import headrace
points = int(sys.argv[1])
values = np.random.default_rng(7).normal(size=points).cumsum()
steps = np.arange(points)
with headrace.start_run() as run:
    print("ready", flush=True)
    sys.stdin.readline()
    for first in range(0, points, 1_000_000):
        part = slice(first, first + 1_000_000)
        operation = headrace.log_series("loss", values[part], steps[part])
    operation.wait(120)
print(run.info.run_id)
"""


def backlog(points: int) -> dict[str, float]:
    """Most megabytes of a daemon that 1, 4 and 8 clients fill at once, each with a journal of millions."""
    figures = {}
    for count in CLIENTS:
        each = 24 * points // count
        with fresh_daemon() as own:
            environment = os.environ | {"HEADRACE_TRACKING_URI": f"headrace://{own.address}"}
            command = [sys.executable, "-c", LONG_JOURNAL, str(each)]
            clients = [
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
                )
                for _ in range(count)
            ]
            for client in clients:
                assert client.stdout is not None
                assert client.stdout.readline() == "ready\n"
            with most_of(own.pid) as most:
                for client in clients:
                    assert client.stdin is not None
                    client.stdin.write("go\n")
                    client.stdin.flush()
                ends = [client.communicate()[0] for client in clients]
            figures[f"daemon_mb_at_{count}"] = most()
            reader = headrace.Client(f"headrace://{own.address}")
            for run_id in ends:
                summary = reader.get_metric_summaries(run_id.strip())["loss"]
                assert (summary.count, summary.last.step) == (each, each - 1), str(summary)
    return figures


def keys(points: int) -> dict[str, float]:
    """Most megabytes of a daemon with 1,000 to 1,000,000 keys, and bytes a key beyond 100,000."""
    figures: dict[str, float] = {}
    counts = (1000, points // 10, points)
    for count in counts:
        with fresh_daemon() as own, Fleet(own.address, 1) as fleet:
            [writer] = fleet.writers
            run = writer.add_run()
            for number in range(count):
                writer.add_series(run, f"layer/{number}/norm")
            total = max(count, 4 * points)
            with most_of(own.pid) as most:
                for start in range(0, total, MESSAGE_CELLS):
                    step, key = np.divmod(np.arange(start, min(start + MESSAGE_CELLS, total)), count)
                    fleet.send(writer, writer.cells(key, step))
                fleet.settle()
            figures[f"daemon_mb_at_{count}"] = most()
            sleep(SETTLE)
            figures[f"after_mb_at_{count}"] = pss_mb(own.pid)
            assert_stored(own.address, writer, count - 1, np.arange(total // count))
    for when, name in (("daemon", "beyond_most_bytes"), ("after", "beyond_bytes")):
        few, many = (figures[f"{when}_mb_at_{count}"] for count in counts[1:])
        figures[name] = (many - few) * 1e6 / (counts[2] - counts[1])
    return figures


def client(points: int) -> dict[str, float]:
    """Most megabytes of a process that logs beyond one that has only grpc imported."""
    with fresh_daemon() as own:
        environment = os.environ | {"HEADRACE_TRACKING_URI": f"headrace://{own.address}"}
        command = [sys.executable, "-c", CLIENT, str(2 * points)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        said = json.loads(done.stdout)
        read = headrace.Client(f"headrace://{own.address}").get_metric_columns(said["run_id"], "loss")
        assert np.array_equal(read.values, np.arange(2.0 * points))
    return {"beyond_mb": said["most"] - said["bare"], "bare_mb": said["bare"]}


@contextmanager
def most_of(pid: int) -> Iterator[Callable[[], float]]:
    """Looks at a process while the block runs; then gives the most megabytes."""
    ended = Event()
    samples: list[float] = []

    def look() -> None:
        while not ended.wait(LOOK_EVERY):
            samples.append(pss_mb(pid))

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield lambda: max(samples)
    finally:
        ended.set()
        watcher.join()
