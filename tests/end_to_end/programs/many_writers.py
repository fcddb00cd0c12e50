"""``many_writers.py COUNT POINTS``: so many forked children log into the run, 40 at a time.

Each is a writer of its own, logs 10 keys in an order of its own, and ends without a word. A value tells the
child, and steps count its points of a key.
"""

import os
import random
import sys

import headrace

KEYS = 10


def child(number: int, points: int) -> None:
    """What one of them does."""
    os.environ["HEADRACE_RANK"] = str(number)
    keys = [f"key{key}" for key in range(KEYS)]
    random.seed(number)
    for step in range(points):
        random.shuffle(keys)
        for key in keys:
            headrace.log_metric(key, number, step)


def main() -> None:
    """Forks them."""
    count, points = map(int, sys.argv[1:])
    headrace.start_run()
    headrace.log_metric("parent", 1.0).wait(60)
    for first in range(0, count, 40):
        pids = []
        for number in range(first, min(first + 40, count)):
            pid = os.fork()
            if pid == 0:
                child(number, points)
                os._exit(0)
            pids.append(pid)
        for pid in pids:
            assert os.waitpid(pid, 0)[1] == 0


main()
