"""Logs what its standard input says: each line is a number of points of ``loss``; says so when durable.

The first line that it prints is the run's id. Steps count from 0. The end of the input ends the run.
"""

import sys

import headrace

with headrace.start_run() as run:
    print(run.info.run_id, flush=True)  # noqa: T201
    logged = 0
    for line in sys.stdin:
        steps = range(logged, logged + int(line))
        operation = headrace.log_series("loss", [float(step) for step in steps], list(steps))
        logged = steps.stop
        operation.wait(60)
        print(logged, flush=True)  # noqa: T201
