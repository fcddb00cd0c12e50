"""kill -9 of the logging process: wherever it strikes, what is delivered is what the process had written."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.config import Settings
from headrace.core import Core
from headrace.journal import layout
from headrace.shipping.sync import sync
from headrace_proto import wire
from headrace_proto.wire import CELL_SIZE
from running import eventually

PROGRAM = Path(__file__).parent / "programs" / "killed_at.py"
STRIDE = int(os.environ.get("HEADRACE_TEST_KILL_STRIDE", "67"))
"""Of how many bytecodes one is a place to be killed at; 1 for all of them takes minutes."""

RUN = "0123456789abcdef" * 2


def test_a_kill_at_any_bytecode_loses_nothing_that_returned(served: Any, daemon: Any, tmp_path: Path) -> None:
    first = random.randrange(STRIDE)
    command = [sys.executable, str(PROGRAM), str(tmp_path), served.uri, str(first), str(STRIDE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *killed, (whole, all_of_it) = [
        (bytes.fromhex(name), int(tail)) for name, tail in map(str.split, done.stdout.splitlines())
    ]
    assert len({tail for _, tail in killed}) > 10, "it was killed in all parts of its work"

    report = sync(tmp_path)

    assert report.pending == 0
    reference = cells(daemon.writers[whole].cells)
    assert len(reference) == all_of_it
    for name, returned in killed:
        context = f"killed from bytecode {first} on, journal {name.hex()}"
        arrived = cells(daemon.writers[name].cells) if name in daemon.writers else []
        assert len(arrived) >= returned, context
        assert arrived == reference[: len(arrived)], context
        assert name not in daemon.writers or daemon.points(name) == daemon.points(whole)[: metrics(arrived)]


def cells(stored: bytes) -> list[bytes]:
    """The cells; of a record's head only the kind, as its time is that of the call."""
    parts = [bytes(stored[at : at + CELL_SIZE]) for at in range(0, len(stored), CELL_SIZE)]
    return [part[:1] if part[0] == wire.BLOB else part for part in parts]


def metrics(arrived: list[bytes]) -> int:
    return sum(part[0] == wire.METRIC for part in arrived)


def test_a_torn_tail_and_a_torn_definition_are_not_shipped(
    served: Any, daemon: Any, settings: Settings
) -> None:
    [journal] = left_behind(served, settings, count=100)
    whole = (journal / layout.DEFINITIONS).read_bytes()
    frame = wire.series_frame(wire.SeriesDefinition(1, 0, "never said"))
    (journal / layout.DEFINITIONS).write_bytes(whole + frame[: len(frame) // 2])
    with (journal / layout.cells_name(0)).open("r+b") as file:
        file.seek(100 * CELL_SIZE)
        file.write(wire.METRIC_CELL.pack(wire.METRIC, 0, 0, 1, 5, 5, 5.0))  # complete, but the tail is below

    report = sync(settings.journal_dir)

    assert (report.delivered, report.pending) == (100, 0)
    [writer] = daemon.writers
    assert daemon.points(writer) == [("x", step, 1.0) for step in range(100)]
    assert [definition.key for definition in daemon.writers[writer].definitions.values()] == ["x"]


def test_a_running_agent_delivers_what_a_killed_process_left(
    served: Any, daemon: Any, settings: Settings
) -> None:
    with agent(settings.journal_dir):
        journals = left_behind(served, settings, count=5000)
        writer = bytes.fromhex(journals[0].name)
        eventually(lambda: writer in daemon.writers and daemon.writers[writer].committed == 5000, "delivered")
    assert [step for _, step, _ in daemon.points(writer)] == list(range(5000))


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_the_next_process_delivers_what_a_restarted_kernel_left(
    served: Any, daemon: Any, settings: Settings, signal: str
) -> None:
    [journal] = left_behind(served, settings, count=1000, signal=signal)
    following = Core(served.uri, settings)
    following.run_log(RUN).log_metric("next", 1.0)
    writer = bytes.fromhex(journal.name)
    eventually(lambda: writer in daemon.writers and daemon.writers[writer].committed == 1000, "delivered")
    following.close(20)
    following.end_shipping()


def test_more_journals_are_left_than_files_may_be_open(served: Any, daemon: Any, settings: Settings) -> None:
    program = """
import os
from headrace.core import core_for
for number in range(80):
    pid = os.fork()
    if pid == 0:
        core = core_for()
        core.ended = True  # nobody ships
        for step in range(10):
            core.run_log("0" * 32).log_metric(f"k{step}", number, step)
        os._exit(0)
    os.waitpid(pid, 0)
"""
    subprocess.run([sys.executable, "-c", program], env=environment(served, settings), check=True)
    sync = f"ulimit -n 128; exec {sys.executable} -m headrace sync {settings.journal_dir}"
    done = subprocess.run(["/bin/bash", "-c", sync], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "delivered 800 operations from 80 journals" in done.stdout
    assert [len(daemon.points(writer)) for writer in daemon.writers] == [10] * 80


def environment(served: Any, settings: Settings) -> dict[str, str]:
    return os.environ | {
        "HEADRACE_TRACKING_URI": served.uri,
        "HEADRACE_JOURNAL_DIR": str(settings.journal_dir),
    }


def left_behind(served: Any, settings: Settings, count: int, signal: str = "SIGKILL") -> list[Path]:
    """The journals of a process that was killed when ``count`` points were written and none delivered."""
    program = f"""
import os, signal
from headrace.core import core_for
core = core_for()
core.ended = True  # nobody ships
log = core.run_log({RUN!r})
for step in range({count}):
    log.log_metric("x", 1.0, step)
os.kill(os.getpid(), signal.{signal})
"""
    subprocess.run([sys.executable, "-c", program], env=environment(served, settings), check=False)
    return [path.parent for path in settings.journal_dir.glob(f"*/[0-9a-f]*/{layout.WRITER}")]


@contextmanager
def agent(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """An agent that was started by hand."""
    process = subprocess.Popen([sys.executable, "-m", "headrace", "agent", str(folder)])
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(30) == 0
