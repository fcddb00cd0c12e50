"""Times a tracker in its own interpreter: ``python timed.py MODULE``. Standard library only.

Writes ``result.json``, for trackers print as they like: microseconds per call (p50, p99), points per second
until flushed.
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Logs for a while and says how long it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("module")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--metrics", type=int, default=1, help="in a call")
    parser.add_argument("--calls", type=int, default=100_000, help="at most")
    parser.add_argument("--seconds", type=float, default=5.0, help="of calling, at most")
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2]))
    result = measure(options)
    (options.folder / "result.json").write_text(json.dumps(result))


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Calls until the calls or the seconds are used up, then waits for the flush."""
    log, finish = importlib.import_module(f"benchmarks.peers.{options.module}").open_run(options.folder)
    names = [f"metric{number}" for number in range(options.metrics)]
    log(dict.fromkeys(names, 0.5), 0)  # whatever the first call sets up
    samples = []
    clock = time.perf_counter_ns
    deadline = time.monotonic() + options.seconds
    began = clock()
    for step in range(1, options.calls + 1):
        values = {name: step + 0.001 * place for place, name in enumerate(names)}
        before = clock()
        log(values, step)
        samples.append(clock() - before)
        if step % 64 == 0 and time.monotonic() > deadline:
            break
    called = clock()
    finish()
    flushed = clock()
    samples.sort()
    points = len(samples) * options.metrics
    return {
        "p50_us": samples[len(samples) // 2] / 1e3,
        "p99_us": samples[len(samples) * 99 // 100] / 1e3,
        "flushed_per_s": points / (flushed - began) * 1e9,
        "called_per_s": points / (called - began) * 1e9,
        "points": points,
    }


if __name__ == "__main__":
    main()
