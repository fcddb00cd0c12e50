"""A process that logs once and then has nothing to say: ``idle.py [RUN]`` goes on with RUN, or starts one.

It prints the run's id when its point is durable, and ends the run at the end of its standard input.
"""

import sys

import headrace

with headrace.start_run(run_id=sys.argv[1] if len(sys.argv) > 1 else None) as run:
    headrace.log_metric("loss", 1.0).wait()
    print(run.info.run_id, flush=True)  # noqa: T201
    sys.stdin.read()
