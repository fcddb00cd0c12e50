"""Calls that interrupt calls: signal handlers, exceptions out of them, ``__del__``, threads, forks, kills."""

import gc
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from headrace.journal import layout
from headrace.journal.run_log import RunLog
from headrace_proto.wire import CELL_SIZE

RUN = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 256 * CELL_SIZE)
    monkeypatch.setattr(layout, "LARGEST_FILE", 1024 * CELL_SIZE)


def steps(journals: Any, key: str) -> list[int]:
    return [point[2] for point in journals.points() if point[1] == key]


def test_a_signal_handler_that_logs_loses_nothing(journals: Any) -> None:
    log = RunLog(journals.writer(), RUN, "")
    numbers = itertools.count()
    handled: list[int] = []
    depth = 0

    def handler(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth < 20:  # handlers interrupt each other, too, but on a slow machine not for ever
            signal.setitimer(signal.ITIMER_REAL, 0.003)
        number = next(numbers)
        log.log_metric("handler", 1.0, number)
        log.log_metric(f"new{number % 50}", 1.0, number)
        handled.append(number)
        depth -= 1
        signal.setitimer(signal.ITIMER_REAL, 0.003)

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.003)
    try:
        count = 0
        while len(handled) < 500:
            log.log_metric("main", 1.0, count)
            log.log_metrics({"a": 1.0, f"b{count % 100}": 2.0}, count)
            count += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert sorted(steps(journals, "main")) == list(range(count))
    assert sorted(steps(journals, "a")) == list(range(count))
    assert sorted(steps(journals, "handler")) == sorted(handled)
    assert len(journals.made) > 1, "no call was interrupted: the test did not test"


def test_an_exception_at_any_bytecode_leaves_the_old_state_or_the_new(journals: Any) -> None:
    log = RunLog(journals.writer(), RUN, "")
    returned: list[int] = []
    interrupts = 0

    def handler(*_: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGALRM, handler)
    number = 0
    try:
        while interrupts < 800:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00002, 0.0004))
                while True:
                    number += 1
                    log.log_metric(f"k{number % 300}", 1.0, number)
                    returned.append(number)
            except KeyboardInterrupt:
                interrupts += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    found = Counter((point[1], point[2]) for point in journals.points())
    assert max(found.values()) == 1
    missing = [number for number in returned if (f"k{number % 300}", number) not in found]
    assert not missing
    assert len(found) - len(returned) <= interrupts


def test_del_during_collection(journals: Any) -> None:
    log = RunLog(journals.writer(), RUN, "")
    deleted = 0

    class Cyclic:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            nonlocal deleted
            log.log_metric("del", 1.0, deleted)
            deleted += 1

    threshold = gc.get_threshold()
    gc.set_threshold(5)
    try:
        for step in range(3000):
            Cyclic()
            log.log_metrics({"x": 1.0, f"y{step % 40}": 1.0}, step)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert sorted(steps(journals, "x")) == list(range(3000))
    assert sorted(steps(journals, "del")) == list(range(deleted))


def test_threads(journals: Any) -> None:
    log = RunLog(journals.writer(), RUN, "")

    def work(name: str) -> None:
        for step in range(5000):
            log.log_metric(name, 1.0, step)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(8):
        assert steps(journals, f"t{n}") == list(range(5000))
    assert len(journals.made) == 1


def test_a_forked_child_has_a_journal_of_its_own(journals: Any, read: Any) -> None:
    first = journals.writer()
    log = RunLog(first, RUN, "")
    log.log_metric("parent", 1.0, 0)
    stop = threading.Event()
    thread = threading.Thread(target=lambda: [log.log_metric("thread", 1.0) for _ in iter(stop.is_set, True)])
    thread.start()
    pids = []
    for _ in range(10):
        pid = os.fork()
        if pid == 0:
            try:
                first.abandon()
                for step in range(1000):
                    log.log_metric("child", 1.0, step)
                    log.log_metrics({"a": 1.0, "b": 1.0}, step)
                os._exit(0)
            finally:
                os._exit(1)  # whatever happens: a child that goes on runs all tests that follow
        pids.append(pid)
    for pid in pids:
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    thread.join()
    contents = {path.parent: read(path.parent) for path in journals.root.glob("[0-9a-f]*/writer.json")}
    assert len(contents) == 11
    own = contents.pop(first.folder)
    assert {point[1] for point in own.points} == {"parent", "thread"}
    for content in contents.values():
        assert [point[2] for point in content.points if point[1] == "child"] == list(range(1000))
        assert [point[2] for point in content.points if point[1] == "b"] == list(range(1000))


KILLED = """
import sys, uuid
from pathlib import Path
from headrace.journal import layout
from headrace.journal.run_log import RunLog
from headrace.journal.writer import Writer
layout.FIRST_FILE, layout.LARGEST_FILE = 256 * 32, 1024 * 32
root = Path(sys.argv[1])
def make(_=None):
    return Writer(root, uuid.uuid4().hex, {"uri": "x", "boot": "b"}, 1.0, make)
log = RunLog(make(), "0" * 32, "")
out = open(1, "wb", buffering=0)
step = 0
while True:
    log.log_metric(f"k{step % 500}", float(step), step)
    out.write(step.to_bytes(8, "little"))
    step += 1
"""


def test_points_survive_kill_9(journals: Any, read: Any) -> None:
    for n in range(8):
        root = Path(journals.root) / str(n)
        root.mkdir(parents=True)
        command = [sys.executable, "-c", KILLED, str(root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.read(8 * random.randint(100, 5000))
            process.kill()
            rest = process.stdout.read()
        [folder] = [path.parent for path in root.glob("*/writer.json")]
        points = read(folder).points
        assert [point[2] for point in points] == list(range(len(points)))
        returned = int.from_bytes(rest[-8:], "little") if len(rest) >= 8 else 0
        assert len(points) >= returned + 1
