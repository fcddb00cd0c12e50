"""Reads a run and judges it: ``read.py URI RUN DIARIES DATA`` prints the verdict as JSON.

Everything, as it must be after all was delivered, through a daemon and from the files in DATA. With
``--meanwhile`` in place of DATA: for ever, key after key, while processes log; a line for every pass, until
its standard input ends.
"""

import faulthandler
import json
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from checker import (
    Forked,
    Points,
    Resumed,
    Stream,
    Verdict,
    check,
    check_counts,
    check_fork,
    check_meanwhile,
)
from diaries import Diaries
from headrace import Client
from headrace.errors import HeadraceError, UnavailableError
from published import check_published

Answer = TypeVar("Answer")


def read(client: Client, run_id: str, key: int) -> Points:
    columns = client.get_metric_columns(run_id, f"k{key}")
    return np.array(columns.steps, np.int64), np.array(columns.values, np.float64)


def resumed(client: Client, run_id: str) -> list[Resumed]:
    """The launches so far, in their order."""
    return [Resumed(rewind.attempt.partition(":")[0], rewind.step) for rewind in client.list_rewinds(run_id)]


def read_all(client: Client, run_id: str, diaries: Diaries, data: Path) -> Verdict:
    streams, launches = diaries.streams(), patiently(lambda: resumed(client, run_id))
    points = read_keys(client, run_id, streams)
    verdict = check(streams, points, launches) + check_elsewhere(client, run_id, points, data)
    for path in diaries.folder.glob("*.fork"):
        fork, number = json.loads(path.read_text()), int(path.stem)
        if number in (forks := diaries.of_forks()):
            own = forks[number]
            both = [*streams, own]
            most = len(launches) if fork["most"] is None else fork["most"]
            forked = Forked(number, fork["step"], launches, fork["least"], most)
            inherited = read_keys(client, fork["run_id"], both)
            verdict += check_fork(both, inherited, forked)._replace(logged=own.returned)
            verdict += check_elsewhere(client, fork["run_id"], inherited, data)
    return verdict


def check_elsewhere(client: Client, run_id: str, points: dict[int, Points], data: Path) -> Verdict:
    """Whether the summaries and the files tell of as many points."""
    summaries = patiently(lambda: client.get_metric_summaries(run_id))
    counts = {int(key.removeprefix("k")): summary.count for key, summary in summaries.items()}
    count = sum(len(steps) for steps, _ in points.values())
    return check_counts(points, counts) + check_published(data, run_id, count)


def read_keys(client: Client, run_id: str, streams: Sequence[Stream]) -> dict[int, Points]:
    keys = sorted({key for stream in streams for key in np.unique(stream.keys).tolist()})
    return {key: patiently(partial(read, client, run_id, key)) for key in keys}


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Asks, again when the daemon has just lost its database."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def read_meanwhile(client: Client, run_id: str, diaries: Diaries) -> None:
    passes = 0
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        key = passes % 4
        try:
            before = resumed(client, run_id)
            points = {key: read(client, run_id, key)}
            after = resumed(client, run_id)
        except HeadraceError:
            continue  # the daemon is down, or the run is not there yet
        # What was read was noted before.
        verdict = check_meanwhile(diaries.streams(), points, before, after)
        passes += 1
        print(json.dumps(verdict._asdict() | {"read": len(points[key][0])}), flush=True)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    uri, run_id, folder, data = sys.argv[1:5]
    if data == "--meanwhile":
        read_meanwhile(Client(uri), run_id, Diaries(Path(folder)))
    else:
        print(json.dumps(read_all(Client(uri), run_id, Diaries(Path(folder)), Path(data))._asdict()))
