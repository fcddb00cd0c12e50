"""Whole processes: how they end, how they fork, who ships for whom."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

RUN = "0123456789abcdef" * 2

PRELUDE = f"""
import os, sys, time
from headrace.core import core_for
core = core_for()
log = core.run_log({RUN!r})
"""


@pytest.fixture
def run(served: Any, tmp_path: Path) -> Any:
    def run(program: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        variables = {"HEADRACE_TRACKING_URI": served.uri, "HEADRACE_JOURNAL_DIR": str(tmp_path / "journals")}
        return subprocess.run(
            [sys.executable, "-c", PRELUDE + program],
            env=os.environ | variables | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def steps(daemon: Any, key: str) -> list[int]:
    return sorted(step for writer in list(daemon.writers) for k, step, _ in daemon.points(writer) if k == key)


def eventually(condition: Any) -> None:
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()


@pytest.mark.parametrize(
    ("end", "status"), [("", 0), ("sys.exit(3)", 3), ("raise RuntimeError", 1), ("core.close(5)", 0)]
)
def test_an_end_flushes_quietly(run: Any, daemon: Any, end: str, status: int) -> None:
    result = run(f"for step in range(20000): log.log_metric('x', 1.0, step)\n{end}")
    assert result.returncode == status
    assert steps(daemon, "x") == list(range(20000))
    stderr = result.stderr if status != 1 else ""
    assert not stderr


def test_an_end_without_daemon_is_quick_and_says_what_is_left(run: Any) -> None:
    began = time.monotonic()
    result = run("log.log_metric('x', 1.0)", HEADRACE_TRACKING_URI="headrace://127.0.0.1:1")
    assert result.returncode == 0
    assert "1 operations are not delivered to headrace://127.0.0.1:1 yet" in result.stderr
    assert time.monotonic() - began < 20


def test_a_forked_child_delivers_through_the_agent(run: Any, daemon: Any) -> None:
    program = """
log.log_metric('parent', 1.0, 0).wait(20)
pids = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        last = None
        for step in range(child * 1000, child * 1000 + 1000):
            last = log.log_metric('child', 1.0, step)
        last.wait(30)
        os._exit(0)
    pids.append(pid)
codes = [os.waitpid(pid, 0)[1] for pid in pids]
log.log_metric('parent', 1.0, 1).wait(20)
sys.exit(max(codes))
"""
    result = run(program)
    assert (result.returncode, result.stderr) == (0, "")
    assert steps(daemon, "parent") == [0, 1]
    assert steps(daemon, "child") == list(range(3000))


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_children_log(run: Any, daemon: Any, tmp_path: Path, method: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"""
import multiprocessing, sys
from headrace.core import core_for

def work(number):
    log = core_for().run_log({RUN!r})
    for step in range(number * 500, number * 500 + 500):
        log.log_metric("work", 1.0, step)

if __name__ == "__main__":
    core_for().run_log({RUN!r}).log_metric("main", 1.0, 0).wait(20)
    context = multiprocessing.get_context({method!r})
    processes = [context.Process(target=work, args=(n,)) for n in range(3)]
    for process in processes: process.start()
    for process in processes: process.join()
    sys.exit(max(process.exitcode for process in processes))
""")
    result = run(f"os.execv(sys.executable, [sys.executable, {str(script)!r}])")
    assert (result.returncode, result.stderr) == (0, "")
    eventually(lambda: steps(daemon, "work") == list(range(1500)))


def test_on_request_the_agent_ships_for_everybody(run: Any, daemon: Any) -> None:
    program = """
import threading
log.log_series('x', range(50000)).wait(30)
assert {thread.name for thread in threading.enumerate()} == {'MainThread', 'headrace-watcher'}
"""
    result = run(program, HEADRACE_SHIPPER="agent")
    assert (result.returncode, result.stderr) == (0, "")
    assert steps(daemon, "x") == list(range(50000))


def test_kill_9_loses_nothing(run: Any, daemon: Any) -> None:
    result = run("for step in range(30000): log.log_metric('x', 1.0, step)\nos.kill(os.getpid(), 9)")
    assert result.returncode == -9
    run("log.log_metric('next', 1.0).wait(20)\ntime.sleep(0.5)")
    eventually(lambda: steps(daemon, "x") == list(range(30000)))
