"""A daemon in a hurry: ``daemon.py NAME FAILPOINTS ARGUMENT...``, one of several on the same folder.

What takes minutes otherwise (background tasks, leases, being declared dead) takes seconds. SIGUSR1 loads the
failpoints in the file FAILPOINTS, SIGUSR2 prints the stacks of all tasks and threads.
"""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

from headrace_ingest import assembly, folder, housekeeping, incarnation, main
from headrace_storage import failpoints
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.fold import Fold
from headrace_storage.publish import Publisher
from stacks import print_stacks

NAME, SPEC, ARGUMENTS = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]


def load_failpoints(*_: object) -> None:
    assert failpoints.active is not None, "HEADRACE_FAILPOINTS is not set"
    failpoints.active.load(SPEC.read_text() if SPEC.exists() else "")


def on_usr2(*_: object) -> None:
    print_stacks(asyncio.get_running_loop())


def hurry() -> None:
    folder.LOCK, folder.ADDRESS = f"{NAME}.lock", f"{NAME}.json"  # type: ignore[misc]
    incarnation.HEARTBEAT = 0.5  # type: ignore[misc]
    housekeeping.LEASE_SECONDS = 3.0  # type: ignore[misc]
    assembly.PRUNE_INTERVAL = 2.0  # type: ignore[misc]
    hurried = {
        "Fold": partial(Fold, interval=0.3),
        "Compactor": partial(Compactor, interval=0.5, rest=0.5),
        "Publisher": partial(Publisher, interval=0.5),
        "Collector": partial(Collector, interval=1.0, grace=2.0, dead_after=4.0),
    }
    for name, task in hurried.items():
        setattr(assembly, name, task)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, load_failpoints)
    signal.signal(signal.SIGUSR2, on_usr2)
    hurry()
    sys.exit(main.main(ARGUMENTS))
