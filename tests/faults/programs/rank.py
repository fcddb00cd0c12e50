"""A process that logs until it is told to stop: ``rank.py FOLDER NUMBER STYLE SEED``.

FOLDER gets its diary. STYLE: ``plain``; ``definitions`` (a new key every few calls, journal files of a few
hundred cells); ``waits`` (waits for a point now and then, as what an agent ships does); ``forks`` (children
that log too); ``a fork`` (into a fork of the run FORK_FROM). HEADRACE_ATTEMPT is the launch and the step from
which it resumes the run. SIGUSR1 prints the stacks; SIGTERM ends it as a polite program ends.
"""

import contextlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import headrace
from checker import SPAN, value_of
from headrace import core
from headrace.journal import layout
from headrace.operation import RunOperation
from headrace.shipping import runtime
from intents import RETURNED, STOP, Diary
from stacks import print_stacks

CHILD = 1 << 18
"""How far the numbers of forked children are from their parents'."""


class Rank:
    """Logs one stream of points, each noted before its call."""

    def __init__(self, folder: Path, number: int, style: str, seed: str) -> None:
        launch = int(os.environ.get("HEADRACE_ATTEMPT", "0").partition(":")[0])
        self.diary = Diary(folder / f"{number}.diary", number, launch, is_fork=style == "a fork")
        self.folder, self.number, self.style = folder, number, style
        self.random = random.Random(f"{seed} {number}")
        self.keys = 4

    def log(self) -> RunOperation:
        """One call."""
        if self.style == "definitions" and self.keys < 120 and self.random.random() < 0.02:
            self.keys += 1
        key, step = self.random.randrange(self.keys), self.random.randrange(-1000, 1000)
        index = self.diary.intend(step, key)
        operation = headrace.log_metric(f"k{key}", value_of(self.number, index), step)
        self.diary.words[RETURNED] = index + 1
        return operation

    def burst(self) -> None:
        """Some calls, some of them very many, and a rest."""
        count = 5000 if self.random.random() < 0.004 else self.random.randrange(1, 60)
        for _ in range(count):
            operation = self.log()
        if self.style == "waits" and self.random.random() < 0.2:
            with contextlib.suppress(Exception):  # the daemon may be away
                operation.wait(1.0)
        time.sleep(self.random.uniform(0.02, 0.1))

    def goes_on(self) -> bool:
        """Whether nobody told it to stop."""
        return not self.diary.words[STOP] and self.diary.words[RETURNED] < SPAN - 10_000

    def run(self) -> None:
        """Logs until told to stop."""
        children, next_fork = 0, time.monotonic() + 0.5
        while self.goes_on():
            self.burst()
            if self.style == "forks" and time.monotonic() > next_fork and children < 60:
                children += 1
                self.fork(self.number + CHILD * children)
                next_fork = time.monotonic() + self.random.uniform(1.5, 4)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)

    def fork(self, number: int) -> None:
        """Has a child log for a while; it ends without ceremony, as a child of a data loader does."""
        if os.fork():
            return
        try:
            child = Rank(self.folder, number, "plain", "child")
            until = time.monotonic() + child.random.uniform(0.5, 3)
            while child.goes_on() and time.monotonic() < until:
                child.burst()
        finally:
            os._exit(0)


def on_usr1(*_: object) -> None:
    started = runtime._runtime
    print_stacks(started.loop if started else None)


def main() -> None:
    folder, number, style, seed = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    signal.signal(signal.SIGUSR1, on_usr1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if style == "definitions":
        layout.FIRST_FILE, layout.LARGEST_FILE = 256 * 32, 1024 * 32  # type: ignore[misc]
    core.LEFTOVER_SECONDS = 2.0
    if style == "a fork":
        fork(folder / f"{number}.fork")
    else:
        step = os.environ.get("HEADRACE_ATTEMPT", "").partition(":")[2]
        headrace.start_run(resume_from_step=int(step) if step else None)
    with contextlib.ExitStack() as stack:
        stack.callback(headrace.end_run)
        Rank(folder, number, style, seed).run()


def fork(path: Path) -> None:
    """Forks the run, and notes how often it had been resumed before and after that."""
    parent, step = os.environ["FORK_FROM"], int(os.environ["FORK_STEP"])
    least = resumed(parent)
    run_id = headrace.start_run(fork_from=parent, fork_step=step).info.run_id
    most = None
    with contextlib.suppress(headrace.HeadraceError):
        if headrace.Client().get_run(run_id).data.tags["headrace.forkedFrom"] == parent:
            most = resumed(parent)
    told = {"run_id": run_id, "step": step, "least": least or 0, "most": most}
    path.with_suffix(".draft").write_text(json.dumps(told))
    path.with_suffix(".draft").rename(path)


def resumed(run_id: str) -> int | None:
    """How often, if somebody answers."""
    with contextlib.suppress(headrace.HeadraceError):
        return len(headrace.Client().list_rewinds(run_id))
    return None


if __name__ == "__main__":
    main()
