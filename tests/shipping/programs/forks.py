"""``forks.py HOW``: a parent whose threads log while children of every sort do.

Each prints lines ``NAME COUNT``: it logged so many points of the key NAME.
"""

import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headrace.core import core_for

RUN = "0123456789abcdef" * 2
POINTS = 200

signal.alarm(100)  # a deadlock ends as a failure, not as a hanging test


def say(*words: object) -> None:
    """One line, whole even if many processes write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def log_and_tell(name: str) -> str:
    """What a child does: it logs, and looks whether gRPC runs in its process."""
    log = core_for().run_log(RUN)
    for step in range(POINTS):
        log.log_metric(name, 1.0, step)
        log.log_metric(f"{name}.{step % 20}", 1.0, step)
    threads = {thread.name for thread in threading.enumerate()} - {"MainThread", "QueueFeederThread"}
    assert threads <= {"headrace-watcher"}, threads
    held = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    assert not [name for name in held if name.endswith("shipper.lock")], held
    say(name, POINTS)
    return name


def os_fork(children: int) -> None:
    """Children that end by ``os._exit``, a grandchild in each."""
    pids = []
    for number in range(children):
        pid = os.fork()
        if pid == 0:
            log_and_tell(f"child{number}")
            grandchild = os.fork()
            if grandchild == 0:
                log_and_tell(f"grandchild{number}")
                os._exit(0)
            assert os.waitpid(grandchild, 0)[1] == 0
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0


def processes(method: str, children: int) -> None:
    """Children of ``multiprocessing``."""
    context: Any = multiprocessing.get_context(method)
    started = [context.Process(target=log_and_tell, args=(f"{method}{n}",)) for n in range(children)]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0


def pool(children: int) -> None:
    """Workers of ``concurrent.futures``, one task each, and a worker that is reused."""
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as executor:
        names = [f"task{number}" for number in range(children)]
        assert sorted(executor.map(log_and_tell, names)) == sorted(names)


def loader(children: int) -> None:
    """Daemonic workers that log and hand out batches, and are terminated: DataLoader's way."""
    context = multiprocessing.get_context("fork")
    batches = context.SimpleQueue()

    def work(number: int) -> None:
        log_and_tell(f"loader{number}")
        for batch in range(1_000_000):
            batches.put((number, batch))

    started = [context.Process(target=work, args=(n,), daemon=True) for n in range(children)]
    for process in started:
        process.start()
    seen: set[int] = set()
    while len(seen) < children:
        seen.add(batches.get()[0])
    for process in started:
        process.terminate()
        process.join()


def logging_threads(stop: threading.Event) -> Iterable[threading.Thread]:
    """Threads of the parent that never cease to log, with new keys."""

    def work(name: str) -> None:
        log, step = core_for().run_log(RUN), 0
        while not stop.is_set():
            log.log_metric(name, 1.0, step)
            log.log_metric(f"{name}.{step}", 1.0, step)
            step += 1
            time.sleep(0.0005)
        say(name, step)

    for number in range(3):
        yield threading.Thread(target=work, args=(f"thread{number}",))


def main() -> None:
    """The parent."""
    how, _, count = sys.argv[1].partition(":")
    log = core_for().run_log(RUN)
    log.log_metric("parent", 1.0, 0).wait(30)
    stop = threading.Event()
    threads = list(logging_threads(stop))
    for thread in threads:
        thread.start()
    children = int(count or 4)
    if how == "os":
        os_fork(children)
    elif how == "pool":
        pool(children)
    elif how == "loader":
        loader(children)
    else:
        processes(how, children)
    stop.set()
    for thread in threads:
        thread.join()
    log.log_metric("parent", 1.0, 1).wait(30)
    say("parent", 2)


if __name__ == "__main__":
    main()
