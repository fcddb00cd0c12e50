"""``python -m benchmarks.traffic RATE``: another training process, which logs so many points per second.

It logs 100 metrics per call until its standard input ends, then waits until the last point is durable, and
prints what it kept up: one line of JSON when the first point is durable, one at the end.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import headrace

METRICS = 100
PAUSE = 0.001
"""Seconds to sleep when it is ahead."""


@contextmanager
def traffic(rate: float) -> Iterator[dict[str, float]]:
    """Other traffic meanwhile. Afterwards the dictionary tells ``logged_per_s`` and ``durable_per_s``.

    The second is lower by what was on its way at the end.
    """
    told: dict[str, float] = {}
    command = [sys.executable, "-m", "benchmarks.traffic", str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            if not process.stdout.readline():
                raise RuntimeError("the other traffic did not begin")
            yield told
        finally:
            process.stdin.close()
        told |= json.loads(process.stdout.read())


def main() -> None:
    """Logs at the rate until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.traffic", description=__doc__)
    parser.add_argument("rate", type=float, help="points per second")
    rate = parser.parse_args().rate
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    batch = {f"metric{place}": 0.001 * place for place in range(METRICS)}
    with headrace.start_run(run_name="traffic") as run:
        headrace.log_metrics(batch, 0).wait()
        print(json.dumps({"run_id": run.info.run_id}), flush=True)
        calls = 0
        began = time.perf_counter()
        while not ended.is_set():
            if calls * METRICS >= (time.perf_counter() - began) * rate:
                time.sleep(PAUSE)
                continue
            calls += 1
            operation = headrace.log_metrics(batch, calls)
        logged = time.perf_counter() - began
        operation.wait()
        durable = time.perf_counter() - began
    count = sum(one.count for one in headrace.Client().get_metric_summaries(run.info.run_id).values())
    assert count == (calls + 1) * METRICS, f"{count} of {(calls + 1) * METRICS} points arrived"
    points = calls * METRICS
    print(json.dumps({"logged_per_s": points / logged, "durable_per_s": points / durable}))


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
