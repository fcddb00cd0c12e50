"""Plays many schedules of the simulated world: ``python tests/support/sim_campaign.py SEED COUNT``.

Prints a progress bar, the rate, what went wrong how often, and each schedule that broke a promise; ends with
1 if there is one. ``play(SCHEDULE)`` of ``sim_world`` repeats it.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

from sim_world import play, small_and_silent

CHUNK = 100
WIDTH = 40


def play_chunk(seeds: Iterable[int]) -> tuple[int, Counter[str], list[str]]:
    """Plays these schedules: how many, what went wrong in them, and which broke a promise."""
    played, seen, broken = 0, Counter[str](), []
    with small_and_silent():
        for seed in seeds:
            played += 1
            try:
                seen += play(seed)
            except AssertionError as error:
                broken.append(str(error))
    return played, seen, broken


def main() -> int:
    first, count = int(sys.argv[1]), int(sys.argv[2])
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    seen: Counter[str] = Counter()
    failures: list[str] = []
    done, began = 0, time.monotonic()
    print(f"{count} schedules from seed {first} on, {os.cpu_count()} processes")
    with ProcessPoolExecutor() as pool:
        for played, what, broken in pool.map(play_chunk, chunks):
            done += played
            seen += what
            failures += broken
            for line in broken:
                print(f"\r{line}\n")
            rate = done / (time.monotonic() - began)
            bar = "#" * (WIDTH * done // count)
            left = (count - done) / rate / 60
            print(f"\r[{bar:{WIDTH}}] {done}/{count}  {rate:.0f}/s  {left:.0f} min left ", end="", flush=True)
    print()
    for kind, times in sorted(seen.items()):
        print(f"  {kind:32} {times:>9}")
    used = os.times()
    per_core = done / (used.children_user + used.children_system)
    print(f"{done} schedules, {rate:.0f} a second, {per_core:.0f} a second of processor time")
    print(f"{len(failures)} broke a promise")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
