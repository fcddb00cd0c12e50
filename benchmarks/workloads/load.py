"""Another process that logs beside what is measured: several writers, arrays, at a rate of all together.

It ends when its standard input does; then it prints the points, and the seconds until all were durable.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import numpy as np

from benchmarks.workloads.fleet import MESSAGE_CELLS, Fleet, assert_counted

PROGRAM = "from benchmarks.workloads.load import main; main()"
WRITERS = 4
ENDS_WITHIN = 60.0


@contextmanager
def beside(address: str, rate: float) -> Iterator[list[float]]:
    """Has such a process run for the time of the block, and fails unless what it logged is stored.

    Then what it reached, in points per second, is in the list.
    """
    reached: list[float] = []
    with _start(address, rate) as process:
        try:
            yield reached
        finally:
            output, _ = process.communicate("", ENDS_WITHIN)
        assert process.returncode == 0, "the load failed"
        end = json.loads(output)
        reached.append(end["points"] / end["seconds"])


def capacity(address: str, seconds: float) -> float:
    """Points per second that the daemon takes from such a process that does not hold back."""
    with _start(address, float("inf")) as process:
        time.sleep(seconds)
        output, _ = process.communicate("", ENDS_WITHIN)
    end = json.loads(output)
    return float(end["points"] / end["seconds"])


def _start(address: str, rate: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", PROGRAM, address, str(rate)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def main() -> None:
    """The other process: address and rate are its arguments, ``inf``: as fast as the daemon takes them."""
    address, rate = sys.argv[1], float(sys.argv[2])
    ended = Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    Thread(target=listen, daemon=True).start()
    with Fleet(address, WRITERS) as fleet:
        for writer in fleet.writers:
            writer.add_series(writer.add_run(), "loss")
        print("ready", flush=True)
        sent = 0
        began = time.perf_counter()
        while not ended.is_set():
            if sent > rate * (time.perf_counter() - began):
                time.sleep(0.001)
                continue
            writer = fleet.writers[sent // MESSAGE_CELLS % WRITERS]
            fleet.send(writer, writer.cells(0, np.arange(writer.tail, writer.tail + MESSAGE_CELLS)))
            sent += MESSAGE_CELLS
        fleet.settle()
        seconds = time.perf_counter() - began
        for writer in fleet.writers:
            if writer.tail:
                assert_counted(address, [writer], writer.tail)
    print(json.dumps({"points": sent, "seconds": seconds}))
