"""Logs, point by point, as many points of ``loss`` as the first line of its input says; its end ends the run.

Prints the run's id when it has begun, and "logged" when all calls have returned.
"""

import sys

import headrace

with headrace.start_run() as run:
    print(run.info.run_id, flush=True)  # noqa: T201
    for step in range(int(sys.stdin.readline())):
        headrace.log_metric("loss", 1.0, step)
    print("logged", flush=True)  # noqa: T201
    sys.stdin.read()
