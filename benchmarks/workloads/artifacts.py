"""Files up and down: one of 2 GiB, beside ``cp`` and a sync of the same file; and 10,000 small ones.

The client is a process of its own, whose memory is looked at, as the daemon's is (resident, in MB).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, sleep

from benchmarks.workloads.fresh import fresh_daemon

LARGE = 2 << 30
SMALL_FILES = 10_000
SMALL_BYTES = 4_000
LOOK_EVERY = 0.02

CLIENT = """
import hashlib, json, resource, shutil, sys, time
from pathlib import Path
import headrace
source, into = Path(sys.argv[1]), Path(sys.argv[2])
client = headrace.Client()
run_id = client.create_run("0").info.run_id
client.log_text(run_id, "warm", "warm").wait(60)
began = time.perf_counter()
log = client.log_artifact if source.is_file() else client.log_artifacts
operation = log(run_id, source, None if source.is_file() else "many")
called = time.perf_counter()
operation.wait(600)
stored = time.perf_counter()
down = Path(client.download_artifacts(run_id, source.name if source.is_file() else "many", into))
loaded = time.perf_counter()
files = [source] if source.is_file() else list(source.iterdir())
for file in files:
    with file.open("rb") as a, (down if source.is_file() else down / file.name).open("rb") as b:
        while True:
            one, other = a.read(1 << 20), b.read(1 << 20)
            assert one == other
            if not one:
                break
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"call": called - began, "up": stored - began, "down": loaded - stored, "client_mb": most}))
"""


def large(points: int) -> dict[str, float]:
    """MB/s of a file up, down, and by ``cp`` and a sync; ``points`` in proportion to 2 GiB."""
    size = LARGE * points // 1_000_000
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        source = Path(name, "large")
        with source.open("wb") as file:
            part = os.urandom(1 << 20)
            for _ in range(max(1, size >> 20)):
                file.write(part)
        size = source.stat().st_size
        seconds = copied(source, Path(name, "copy"))
        told, daemon_mb = measured(source, Path(name, "down"))
    return {
        "call_ms": told["call"] * 1e3,
        "up_mb_per_s": size / 1e6 / told["up"],
        "down_mb_per_s": size / 1e6 / told["down"],
        "cp_mb_per_s": size / 1e6 / seconds,
        "up_of_cp": seconds / told["up"],
        "client_mb": told["client_mb"],
        "daemon_mb": daemon_mb,
    }


def small(points: int) -> dict[str, float]:
    """Files per second of 10,000 small ones up and down, and by ``cp`` and a sync of each."""
    count = max(10, SMALL_FILES * points // 1_000_000)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        source = Path(name, "many")
        source.mkdir()
        for number in range(count):
            (source / f"{number:05}").write_bytes(os.urandom(SMALL_BYTES))
        target = Path(name, "copies")
        target.mkdir()
        began = perf_counter()
        for file in source.iterdir():
            copied(file, target / file.name)
        seconds = perf_counter() - began
        told, daemon_mb = measured(source, Path(name, "down"))
    return {
        "call_ms": told["call"] * 1e3,
        "up_per_s": count / told["up"],
        "down_per_s": count / told["down"],
        "cp_per_s": count / seconds,
        "client_mb": told["client_mb"],
        "daemon_mb": daemon_mb,
    }


def copied(source: Path, target: Path) -> float:
    """Seconds of a copy that survives a power loss."""
    began = perf_counter()
    shutil.copyfile(source, target)
    descriptor = os.open(target, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    seconds = perf_counter() - began
    target.unlink()
    return seconds


def measured(source: Path, into: Path) -> tuple[dict[str, float], float]:
    """What a client tells of a file or a folder up and down, and the MB of its daemon, at most."""
    with fresh_daemon() as own:
        ended, most = Event(), [0.0]

        def look() -> None:
            while not ended.is_set():
                most[0] = max(most[0], _resident_mb(own.pid))
                sleep(LOOK_EVERY)

        looking = Thread(target=look)
        looking.start()
        try:
            command = [sys.executable, "-c", CLIENT, str(source), str(into)]
            uri = f"headrace://{own.address}"
            client = subprocess.run(
                command,
                env={**os.environ, "HEADRACE_TRACKING_URI": uri, "HEADRACE_PROGRESS": "0"},
                stdout=subprocess.PIPE,
                check=True,
            )
        finally:
            ended.set()
            looking.join()
    return json.loads(client.stdout), most[0]


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(pid)
