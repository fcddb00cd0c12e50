"""Bytes of a point at rest, every column included: what the compactor makes of small commits."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads.fleet import Fleet, Writer, assert_stored
from benchmarks.workloads.fresh import fresh_daemon

WRITERS = 8
STEPS = 10_000
STEP_MS = 250
JITTER_MS = 3.0
"""Standard deviation of when a step ends."""

COMMITS = 50
WITHIN = 90.0
"""Seconds in which the compactor has to come to rest."""


def run(points: int) -> dict[str, float]:
    """Bytes a point after compaction: 8 writers, 10,000 steps N(0, 1), jitter of ms.

    Each writer logs all keys of a step at once, as a training loop does, with the clock's milliseconds.
    """
    keys = max(1, points // (WRITERS * STEPS))
    total = WRITERS * STEPS * keys
    with fresh_daemon() as own, Fleet(own.address, WRITERS) as fleet:
        for writer in fleet.writers:
            run = writer.add_run()
            for key in range(keys):
                writer.add_series(run, f"loss/{key}")
        for steps in np.array_split(np.arange(STEPS), COMMITS):
            for writer in fleet.writers:
                fleet.send(writer, _cells(writer, steps, keys))
            fleet.settle()
        files = _compacted(own.data / "manifest.json", total)
        for writer in fleet.writers:
            for key in {0, keys - 1}:
                assert_stored(own.address, writer, key, np.arange(STEPS))
        on_disk = sum((own.data / str(file["path"])).stat().st_size for file in files)
    assert on_disk == sum(int(file["size"]) for file in files)
    return {"per_point_bytes": on_disk / total, "before_bytes": 32.0, "files": float(len(files))}


def _cells(writer: Writer, steps: np.ndarray, keys: int) -> bytes:
    step, key = np.divmod(np.arange(steps[0] * keys, (steps[-1] + 1) * keys), keys)
    random = np.random.default_rng([writer.handle, int(steps[0])])
    ends = (steps * STEP_MS + random.normal(scale=JITTER_MS, size=len(steps))).astype(np.int64)
    return writer.cells(key, step, clock=np.repeat(ends, keys))


def _compacted(manifest: Path, total: int) -> list[dict[str, Any]]:
    """The live files, once all points lie in files that the compactor wrote and that stay."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        time.sleep(1)
        if not manifest.exists():
            continue
        files: list[dict[str, Any]] = json.loads(manifest.read_text())["files"]
        if sum(file["rows"] for file in files) == total and all(file["level"] for file in files):
            return files
    raise TimeoutError(f"not compacted within {WITHIN:.0f} s")
