"""``python -m benchmarks.overload``: a client offers twice what the daemon can take; does memory stay flat?

First the capacity is measured: the client logs as fast as it can, and what is durable per second counts.
Then it offers ``--factor`` times as much for ``--minutes``. The journal fills up to its bound, and holds the
client back. In the end every point must be there. ``make overload`` writes the picture.

The daemon with its PostgreSQL has one core, the client another: else they would slow each other down, and
there would be no overload.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import headrace
from benchmarks import machine
from benchmarks.daemon import daemon

KEYS = 100
BLOCK = 1000
PAUSE = 0.002
CAPACITY_SECONDS = 20.0
EDGE_SECONDS = 60.0
"""The first and the last so many seconds are compared."""

SETTLED_AFTER = 15.0
"""Seconds from the start that do not count: the interpreter, the first segments, the pools."""


def main() -> int:
    """Runs the benchmark; 1 when a point is missing."""
    options = parse()
    if options.produce is not None:
        produce(options.produce, options.minutes * 60)
        return 0
    with tempfile.TemporaryDirectory(prefix="headrace-overload-") as name:
        folder = Path(name)
        print(machine.line(machine.describe(folder)), file=sys.stderr)
        os.environ["HEADRACE_JOURNAL_DIR"] = str(folder / "journals")
        file_system = os.statvfs(folder)
        part = options.journal_mib * 2**20 / (file_system.f_frsize * file_system.f_blocks)
        os.environ["HEADRACE_JOURNAL_MAX"] = str(part)
        cores = sorted(os.sched_getaffinity(0))
        with daemon(folder / "daemon", cores={cores[0]}) as address:
            os.sched_setaffinity(0, set(cores[1:] or cores))
            os.environ["HEADRACE_TRACKING_URI"] = f"headrace://{address}"
            result = measure(folder, options.minutes, options.factor)
    print(json.dumps(result["figures"], indent=2))
    if options.json:
        options.json.write_text(json.dumps(result) + "\n")
    if options.plot:
        draw(result, options.plot)
    return 0 if result["figures"]["missing"] == 0 else 1


def measure(folder: Path, minutes: float, factor: float) -> dict[str, Any]:
    """The capacity, then the overload with a sample a second."""
    server = json.loads((folder / "daemon" / "data" / "daemon.json").read_text())["pid"]
    end = finish(start(float("inf"), CAPACITY_SECONDS / 60))
    capacity = end["points"] / end["durable_seconds"]
    print(f"the daemon takes {capacity:,.0f} points/s; {factor:g} times as much now", file=sys.stderr)
    producer = start(capacity * factor, minutes)
    samples = []
    began = time.monotonic()
    while producer.poll() is None:
        sample = {
            "second": time.monotonic() - began,
            "daemon_mb": pss(server),
            "client_mb": pss(producer.pid),
            "journal_mb": size(folder / "journals"),
        }
        samples.append(sample)
        if len(samples) % 30 == 0:
            print("  ".join(f"{name} {value:,.0f}" for name, value in sample.items()), file=sys.stderr)
        time.sleep(1)
    end = finish(producer)
    counts = headrace.Client().get_metric_summaries(end["run_id"])
    figures = {
        "capacity_per_s": capacity,
        "offered_per_s": capacity * factor,
        "durable_per_s": end["points"] / end["durable_seconds"],
        "points": end["points"],
        "missing": end["points"] - sum(summary.count for summary in counts.values()),
        "journal_most_mb": max(sample["journal_mb"] for sample in samples),
    }
    for who in ("daemon_mb", "client_mb"):
        figures |= flatness(who, samples, minutes * 60)
    return {"figures": figures, "samples": samples}


def flatness(who: str, samples: list[dict[str, float]], seconds: float) -> Mapping[str, float]:
    """The median of the first and of the last minute, and the most, of the time that was overload."""
    settled = [sample for sample in samples if SETTLED_AFTER <= sample["second"] <= seconds]
    edge = min(EDGE_SECONDS, seconds / 4)
    first = [sample[who] for sample in settled if sample["second"] <= SETTLED_AFTER + edge]
    last = [sample[who] for sample in settled if sample["second"] >= seconds - edge]
    return {
        f"{who}_first": statistics.median(first),
        f"{who}_last": statistics.median(last),
        f"{who}_most": max(sample[who] for sample in settled),
    }


def start(rate: float, minutes: float) -> "subprocess.Popen[str]":
    """A training process that offers ``rate`` points per second."""
    command = [sys.executable, "-m", "benchmarks.overload", "--produce", str(rate), "--minutes", str(minutes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(producer: "subprocess.Popen[str]") -> dict[str, Any]:
    """What the training process says in the end."""
    output, _ = producer.communicate()
    if producer.returncode != 0:
        raise RuntimeError(f"the producer exited with {producer.returncode}")
    end: dict[str, Any] = json.loads(output)
    return end


def produce(rate: float, seconds: float) -> None:
    """Logs series of 1,000 points at ``rate`` points per second; then waits for the last one."""
    values = np.random.default_rng(8).normal(size=BLOCK).cumsum()
    began = time.monotonic()
    blocks = 0
    with headrace.start_run(run_name="overload") as run:
        while (elapsed := time.monotonic() - began) < seconds:
            if blocks * BLOCK >= elapsed * rate:
                time.sleep(PAUSE)
                continue
            steps = np.arange(blocks // KEYS * BLOCK, (blocks // KEYS + 1) * BLOCK)
            operation = headrace.log_series(f"metric{blocks % KEYS}", values, steps)
            blocks += 1
        logged = time.monotonic() - began
        operation.wait()
        durable = time.monotonic() - began
    end = {"run_id": run.info.run_id, "points": blocks * BLOCK}
    print(json.dumps({**end, "logged_seconds": logged, "durable_seconds": durable}))


def pss(pid: int) -> float:
    """Megabytes of a process, shared pages counted in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError(f"no Pss of {pid}")


def size(folder: Path) -> float:
    """Megabytes of the files below ``folder``."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue  # delivered, and deleted meanwhile
    return total / 1e6


def draw(result: dict[str, Any], path: Path) -> None:
    """Memory over time, and the journal that fills."""
    import matplotlib as mpl  # noqa: PLC0415 - only for the picture

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    samples = result["samples"]
    minutes = [sample["second"] / 60 for sample in samples]
    figure, (memory, journal) = plt.subplots(2, sharex=True, figsize=(8, 6), layout="constrained")
    for who, label in (("daemon_mb", "daemon"), ("client_mb", "client")):
        memory.plot(minutes, [sample[who] for sample in samples], label=label)
    memory.set(
        ylabel="memory, MB (PSS)", ylim=(0, None), title="A client that offers more than the daemon takes"
    )
    memory.legend()
    journal.plot(minutes, [sample["journal_mb"] for sample in samples], color="tab:green")
    journal.set(xlabel="minutes", ylabel="journal, MB", ylim=(0, None))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of overload (default: 10)")
    parser.add_argument("--factor", type=float, default=2.0, help="of the capacity (default: 2)")
    parser.add_argument("--journal-mib", type=int, default=1024, help="the journal's bound (default: 1024)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and samples")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them (.png or .svg)")
    parser.add_argument("--produce", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
