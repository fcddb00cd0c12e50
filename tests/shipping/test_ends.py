"""How a process may end, with a daemon that answers, is absent, or takes connections and never answers."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headrace.config import Settings
from headrace.shipping.carrier import Carrier
from running import agents, eventually

RUN = "0123456789abcdef" * 2

PRELUDE = """
import asyncio, atexit, multiprocessing, os, signal, sys, threading, time
signal.alarm(100)
import headrace
handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
headrace.start_run()
for step in range(100): headrace.log_metric("x", 1.0, step)
assert handlers == {number: signal.getsignal(number) for number in signal.valid_signals()}
"""


@dataclass(frozen=True)
class End:
    """A program's last lines, and what is to be seen of its end."""

    program: str
    status: int = 0
    says: bool = True
    """Whether it says what is left, if something is: not when it is killed."""
    trace: bool = False
    """Whether there is a traceback: the user's own."""
    late: bool = False
    """Whether it logs when the end is over."""
    points: int = 100
    first: str = ""
    """What comes before the import of Headrace, and so ends after it."""


ENDS = {
    "normal": End(""),
    "exception": End("raise ValueError", 1, trace=True),
    "sys.exit": End("sys.exit(3)", 3),
    "ctrl-c": End("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", -2, trace=True),
    "os._exit": End("os._exit(4)", 4, says=False),
    "sigterm": End("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", -15, says=False),
    "sigterm, handled": End(
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); os.kill(os.getpid(), signal.SIGTERM)", 5
    ),
    "asyncio.run": End(
        """
async def main():
    client = headrace.AsyncClient()
    for step in range(100, 200): client.log_metric("f" * 32, "x", 1.0, step=step)
asyncio.run(main())
""",
        points=200,
    ),
    "daemonic process": End(
        """
def work():
    for step in range(100, 200): headrace.log_metric("x", 1.0, step)
    told.set()
    time.sleep(60)
context = multiprocessing.get_context("fork")
told = context.Event()
context.Process(target=work, daemon=True).start()
told.wait()
""",
        points=200,
    ),
    "threads that go on": End(
        """
def work(name):
    while True: headrace.log_metric(name, 1.0)
for number in range(3): threading.Thread(target=work, args=(f"t{number}",), daemon=True).start()
""",
        late=True,
    ),
    "late calls": End(
        """
class Late:
    def __del__(self): headrace.log_metric("x", 1.0, 101)
late = Late()
late.me = late
""",
        late=True,
        points=101,
    ),
    "atexit": End(
        "",
        late=True,
        points=101,
        first='import atexit; atexit.register(lambda: headrace.log_metric("x", 1.0, 100))',
    ),
}


@pytest.fixture(autouse=True)
def no_agent_stays(settings: Settings) -> Iterator[None]:
    """Ends agents that would wait for an absent daemon for ever."""
    yield
    for agent in agents(settings.journal_dir):
        os.kill(agent, signal.SIGTERM)


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A daemon's address where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"headrace://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def uris(served: Any, black_hole: str) -> dict[str, str]:
    return {"up": served.uri, "absent": "headrace://127.0.0.1:1", "silent": black_hole}


def run(program: str, uri: str, settings: Settings, **more: str) -> "subprocess.CompletedProcess[str]":
    variables = {
        "HEADRACE_TRACKING_URI": uri,
        "HEADRACE_JOURNAL_DIR": str(settings.journal_dir),
        "HEADRACE_RUN_ID": RUN,
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | variables | more,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def left(settings: Settings) -> dict[Path, int]:
    """The cells that are not delivered, by journal."""
    standings = Carrier(settings.journal_dir, 600.0, lambda _: None).standings()
    return {standing.folder: standing.pending for standing in standings if standing.pending}


def delivered(daemon: Any) -> list[int]:
    points = [point for writer in list(daemon.writers) for point in daemon.points(writer)]
    return sorted(step for key, step, _ in points if key == "x")


CASES = [(name, "absent", "thread") for name in ENDS]
CASES += [(name, "up", "thread") for name in ("normal", "exception", "asyncio.run", "late calls")]
CASES += [("normal", "silent", "thread"), ("ctrl-c", "silent", "thread")]
CASES += [("normal", "absent", "agent"), ("threads that go on", "up", "agent")]


@pytest.mark.parametrize(("name", "there", "shipper"), CASES)
def test_every_end_is_bounded_and_says_what_is_left(
    uris: dict[str, str], daemon: Any, settings: Settings, *, name: str, there: str, shipper: str
) -> None:
    end, uri = ENDS[name], uris[there]
    patience = "30" if there == "up" else "0.3"
    program = end.first + PRELUDE + end.program

    done = run(program, uri, settings, HEADRACE_EXIT_TIMEOUT=patience, HEADRACE_SHIPPER=shipper)

    assert done.returncode == end.status, done.stderr
    assert ("Traceback" in done.stderr) == end.trace, done.stderr
    assert "Exception ignored" not in done.stderr
    assert end.late or "logged after the end of the process stays in" not in done.stderr
    if there == "up" and end.says:
        eventually(lambda: delivered(daemon)[:100] == list(range(100)), "all is delivered")
        assert done.stderr == "" or end.trace or end.late
    elif end.says:
        said = re.search(r"(\d+) operations are not delivered to .*; they are safe in (.*?) and", done.stderr)
        assert said, done.stderr
        assert int(said[1]) <= sum(left(settings).values())
        assert {Path(path) for path in said[2].split(", ")} <= set(left(settings))
        assert f"headrace sync {settings.journal_dir}" in done.stderr
    if shipper == "thread" and there != "up":
        assert sum(left(settings).values()) >= end.points


def test_ctrl_c_ends_the_wait_for_a_silent_daemon(settings: Settings, black_hole: str) -> None:
    program = """
from headrace.core import core_for
core = core_for()
def interrupted(timeout, flush=core.flush):
    core.flush = flush
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return flush(timeout)
core.flush = interrupted
"""
    done = run(PRELUDE + program, black_hole, settings, HEADRACE_EXIT_TIMEOUT="3600")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "operations are not delivered to" in done.stderr


def test_children_of_a_fork_do_not_wait_long_for_an_absent_daemon(settings: Settings) -> None:
    program = """
import multiprocessing
def work():
    for step in range(100): headrace.log_metric("x", 1.0, step)
process = multiprocessing.get_context("fork").Process(target=work)
process.start()
process.join()
sys.exit(process.exitcode)
"""
    # The agent finds nobody, and says so in the journal: the hour is not waited for.
    absent = "headrace://127.0.0.1:1"
    done = run(PRELUDE + program, absent, settings, HEADRACE_EXIT_TIMEOUT="3600")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("operations are not delivered to") == 2
    assert len(left(settings)) == 2
