"""What the kernel knows of processes, and how to ask them for their stacks."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


class StalledError(Exception):
    """Something that must happen did not, within a bound that is far above what it takes."""


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until ``condition`` holds; :class:`StalledError` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StalledError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.02)


def state(pid: int) -> str:
    """The kernel's letter for it; empty when there is none, or only its parent still wants to know."""
    try:
        letter = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
    return "" if letter == "Z" else letter


def send(pid: int, number: signal.Signals) -> bool:
    """Sends a signal; whether there was somebody to get it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
        return True
    return False


def running(*words: str) -> list[int]:
    """The processes whose command line has all of ``words`` as arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if all(word in arguments for word in words):
                found.append(int(folder.name))
    return [pid for pid in found if state(pid)]


def stack(pid: int) -> str:
    """Where the threads of a Python process are, if py-spy is there to tell."""
    beside = Path(sys.executable).with_name("py-spy")
    program = str(beside) if beside.exists() else shutil.which("py-spy")
    if program is None:
        return "(install py-spy to see where it is)"
    with contextlib.suppress(subprocess.SubprocessError):
        told = subprocess.run(
            [program, "dump", "--pid", str(pid)], capture_output=True, timeout=20, check=False
        )
        return (told.stdout + told.stderr).decode(errors="replace")
    return "(py-spy does not answer)"
