"""``headrace agent``: one process ships for all ranks, whoever started it, and as often as it dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headrace.config import Settings
from headrace.journal.folder import try_lock
from headrace.shipping import agent
from running import agents, eventually

RUN = "0123456789abcdef" * 2
PRELUDE = f"""
import os, signal, sys, threading, time
signal.alarm(100)
from headrace.core import core_for
core = core_for()
log = core.run_log({RUN!r})
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def processes() -> Iterator[list["subprocess.Popen[str]"]]:
    """Those that a test started, ended after it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def rank(processes: list["subprocess.Popen[str]"], served: Any, settings: Settings) -> Start:
    """Starts ``rank(program)``: a training process that an agent ships for."""

    def start(program: str, **more: str) -> "subprocess.Popen[str]":
        variables = {
            "HEADRACE_TRACKING_URI": served.uri,
            "HEADRACE_JOURNAL_DIR": str(settings.journal_dir),
            "HEADRACE_SHIPPER": "agent",
        }
        process = subprocess.Popen(
            [sys.executable, "-c", PRELUDE + program],
            env=os.environ | variables | more,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    return start


@pytest.fixture
def by_hand(processes: list["subprocess.Popen[str]"], settings: Settings) -> Start:
    """Starts an agent from a command line."""

    def start(*options: str, folder: Path = settings.journal_dir) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "headrace", "agent", str(folder), *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    return start


def steps(daemon: Any, key: str) -> list[int]:
    return sorted(step for writer in list(daemon.writers) for k, step, _ in daemon.points(writer) if k == key)


def held(folder: Path) -> bool:
    """Whether an agent has a folder."""
    lock = try_lock(folder / agent.LOCK)
    if lock is not None:
        os.close(lock)
    return lock is None


def test_ranks_hold_no_connection_and_load_no_grpc(rank: Start, daemon: Any) -> None:
    program = """
import headrace
os.environ["HEADRACE_RUN_ID"] = "f" * 32
with headrace.start_run():
    headrace.log_metric("x", 1.0).wait(60)
log.log_metric("x", 1.0, 1).wait(60)
assert {thread.name for thread in threading.enumerate()} == {"MainThread", "headrace-watcher"}
assert not [name for name in sys.modules if name.partition(".")[0] == "grpc"]
assert not [fd for fd in os.scandir("/proc/self/fd") if "socket" in os.readlink(fd.path)]
"""
    process = rank(program)
    assert process.communicate(timeout=90) == ("", "")
    assert process.returncode == 0
    assert steps(daemon, "x") == [0, 1]


def test_many_ranks_start_one_agent(rank: Start, daemon: Any, settings: Settings) -> None:
    program = (
        "log.log_metric('x', 1.0, int(os.environ['RANK'])).wait(60); print(flush=True); sys.stdin.read()"
    )
    ranks = [rank(program, RANK=str(number)) for number in range(6)]
    for process in ranks:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
    assert len(agents(settings.journal_dir)) == 1
    for process in ranks:
        assert process.communicate(timeout=60) == ("", "")
    assert steps(daemon, "x") == list(range(6))


def test_an_agent_that_is_killed_is_revived_though_nobody_waits(
    rank: Start, daemon: Any, settings: Settings
) -> None:
    program = """
for step in range(3):
    sys.stdin.readline()
    log.log_metric("x", 1.0, step)
sys.stdin.read()
"""
    process = rank(program)
    assert process.stdin is not None
    for step in range(3):
        process.stdin.write("\n")
        process.stdin.flush()
        eventually(lambda step=step: steps(daemon, "x") == list(range(step + 1)), "delivered")  # type: ignore[misc]
        eventually(lambda: len(agents(settings.journal_dir)) == 1, "there is one agent")
        os.kill(agents(settings.journal_dir)[0], signal.SIGKILL)
    assert process.communicate(timeout=60) == ("", "")


@pytest.mark.parametrize("first", ["agent", "rank"])
def test_an_agent_started_by_hand_is_the_only_one(
    rank: Start, by_hand: Start, daemon: Any, settings: Settings, first: str
) -> None:
    program = "log.log_metric('x', 1.0).wait(60); print(flush=True); sys.stdin.read()"
    if first == "rank":
        process = rank(program)
        eventually(lambda: steps(daemon, "x") == [0], "the agent of the rank delivers")
        second = by_hand()
        assert "another agent ships" in second.communicate(timeout=60)[1]
        assert second.returncode == 0
    else:
        second = by_hand()
        eventually(lambda: settings.journal_dir.exists() and held(settings.journal_dir), "it has the folder")
        process = rank(program)
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        assert agents(settings.journal_dir) == [second.pid]
    process.communicate(timeout=60)
    assert steps(daemon, "x") == [0]


def test_it_ends_when_it_is_idle_if_asked_to(by_hand: Start, rank: Start, daemon: Any) -> None:
    process = rank("log.log_metric('x', 1.0)", HEADRACE_EXIT_TIMEOUT="0")
    assert process.wait(60) == 0
    ended = by_hand("--exit-idle", "0.5")
    assert ended.wait(60) == 0
    eventually(lambda: steps(daemon, "x") == [0], "one of the two delivers")


def test_sigterm_ends_it_and_it_says_what_is_left(rank: Start, by_hand: Start, settings: Settings) -> None:
    absent = "headrace://127.0.0.1:1"
    serving = by_hand()
    eventually(lambda: settings.journal_dir.exists() and held(settings.journal_dir), "it has the folder")
    program = "for step in range(7): log.log_metric('x', 1.0, step)"
    process = rank(program, HEADRACE_TRACKING_URI=absent, HEADRACE_EXIT_TIMEOUT="0")
    assert "7 operations are not delivered" in process.communicate(timeout=60)[1]
    serving.terminate()
    said = serving.communicate(timeout=60)[1]
    assert serving.returncode == 0
    assert "7 operations are not delivered yet and stay in" in said
    assert f"headrace sync {settings.journal_dir}" in said
    assert "Traceback" not in said


def test_two_folders_have_two_agents(rank: Start, daemon: Any, settings: Settings, tmp_path: Path) -> None:
    folders = [settings.journal_dir, tmp_path / "others"]
    program = (
        "log.log_metric('x', 1.0, int(sys.stdin.readline())).wait(60); print(flush=True); sys.stdin.read()"
    )
    ranks = [rank(program, HEADRACE_JOURNAL_DIR=str(folder)) for folder in folders]
    for number, process in enumerate(ranks):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{number}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "\n"
    assert [len(agents(folder)) for folder in folders] == [1, 1]
    assert steps(daemon, "x") == [0, 1]
    for process in ranks:
        assert process.communicate(timeout=60) == ("", "")


def test_a_refusal_reaches_the_process_that_logged(rank: Start, daemon: Any) -> None:
    daemon.reject_every = 2
    program = """
import json
from headrace.errors import RejectedError
said = []
for step in range(4):
    try:
        log.log_metric("x", 1.0, step).wait(60)
    except RejectedError as error:
        said.append([step, error.code])
print(json.dumps(said))
"""
    out, err = rank(program).communicate(timeout=90)
    assert err == ""
    assert json.loads(out) == [[0, "NO"], [2, "NO"]]


def test_it_ends_when_its_folder_is_deleted(rank: Start, by_hand: Start, settings: Settings) -> None:
    serving = by_hand()
    eventually(lambda: settings.journal_dir.exists() and held(settings.journal_dir), "it has the folder")
    process = rank("log.log_metric('x', 1.0)", HEADRACE_TRACKING_URI="headrace://127.0.0.1:1")
    process.communicate(timeout=60)
    shutil.rmtree(settings.journal_dir)
    assert serving.wait(60) == 0
