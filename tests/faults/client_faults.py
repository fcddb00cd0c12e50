"""What happens to logging processes and to what ships their journals."""

import contextlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from fault import Fault, Field, faults
from intents import PID
from processes import send, state, wait_for
from setting import Slot

COPIED = ("control", "writer.json", "definitions", "*.cells", "rejects")
"""In this order a copy of a living journal is whole: what the tail covers is there when the tail is."""


def kill(field: Field) -> int:
    return _end(field, field.choose_slot("plain", "waits", "forks"), signal.SIGKILL)


def kill_while_defining(field: Field) -> int:
    return _end(field, field.choose_slot("definitions"), signal.SIGKILL)


def terminate_then_kill(field: Field) -> int:
    slot = field.choose_slot()
    assert slot.process is not None
    slot.process.terminate()
    field.sleep(0, 0.5)
    return _end(field, slot, signal.SIGKILL)


def stop_and_continue(field: Field) -> int:
    slot = field.choose_slot()
    assert slot.process is not None
    with slot.fault():
        slot.process.send_signal(signal.SIGSTOP)
        field.sleep(0.3, 2.5)
        slot.process.send_signal(signal.SIGCONT)
    return 1


def kill_the_parent_of_a_fork(field: Field) -> int:
    slot = field.choose_slot("forks")
    process = slot.process
    assert process is not None

    def forked() -> bool:
        return any(
            diary.number >= 1 << 18 and state(diary.words[PID]) and _parent(diary.words[PID]) == process.pid
            for diary in field.round.diaries.all()
        )

    wait_for(forked, 30, "a process forks")
    return _end(field, slot, signal.SIGKILL)


def kill_the_agent(field: Field) -> int:
    field.slot = next(slot for slot in field.round.slots if slot.style == "waits")
    return sum(send(pid, signal.SIGKILL) for pid in field.round.agents())


def two_shippers(field: Field) -> int:
    """A copy of a living journal is delivered by ``headrace sync``, which fences the one that lives."""
    slot = field.choose_slot("plain", "definitions")
    assert slot.process is not None
    copies = field.round.folder / f"copy-{slot.process.pid}"
    for path in field.round.journals.root.glob("*/[0-9a-f]*/writer.json"):
        if f'"pid": "{slot.process.pid}"' in path.read_text():
            target = copies / path.parent.parent.name / path.parent.name
            target.mkdir(parents=True)
            for pattern in COPIED:
                for file in path.parent.glob(pattern):
                    shutil.copy(file, target)
    claimed = 0
    if copies.exists():
        command: list[str | Path] = [sys.executable, "-m", "headrace", "sync", copies]
        with field.round.log.open("ab") as log, contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, stdout=log, stderr=log, timeout=30, check=False)
        claimed = 1
        shutil.rmtree(copies, ignore_errors=True)
    field.sleep(0, 0.5)
    _end(field, slot, signal.SIGKILL)
    return claimed


def kill_a_fork(field: Field) -> int:
    """A process forks the run, logs for a while, and is killed."""
    slot = field.choose_slot()
    process = field.round.fork(slot)
    field.round.wait_until_logging(slot, process)
    field.sleep(0, 1)
    process.kill()
    process.wait(30)
    return 1


def _end(field: Field, slot: Slot, how: signal.Signals) -> int:
    assert slot.process is not None
    slot.process.send_signal(how)
    slot.process.wait(30)
    field.round.start(slot)
    field.round.wait_until_logging(slot)
    return 1


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


EVEN: list[Fault] = faults(
    "clients 0, 2",
    {
        "client: SIGKILL": kill,
        "client: SIGTERM, then SIGKILL": terminate_then_kill,
        "client: SIGSTOP, SIGCONT": stop_and_continue,
        "client: SIGKILL of a fork of the run": kill_a_fork,
        "agent: SIGKILL": kill_the_agent,
        "two shippers of one journal": two_shippers,
    },
)
ODD: list[Fault] = faults(
    "clients 1, 3",
    {
        "client: SIGKILL while defining": kill_while_defining,
        "client: SIGKILL after a fork": kill_the_parent_of_a_fork,
        "client: SIGSTOP, SIGCONT": stop_and_continue,
    },
)
