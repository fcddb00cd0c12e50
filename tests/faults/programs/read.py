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
from pathlib import Path

import numpy as np

from checker import Points, Verdict, check, check_meanwhile
from diaries import Diaries
from headrace import Client
from headrace.errors import HeadraceError, UnavailableError
from published import check_published


def read(client: Client, run_id: str, key: int) -> Points:
    columns = client.get_metric_columns(run_id, f"k{key}")
    return np.array(columns.steps, np.int64), np.array(columns.values, np.float64)


def read_all(client: Client, run_id: str, diaries: Diaries, data: Path) -> Verdict:
    streams = diaries.streams()
    keys = sorted({key for stream in streams for key in np.unique(stream.keys).tolist()})
    points = {key: patiently(client, run_id, key) for key in keys}
    verdict = check(streams, points)
    return verdict + check_published(data, run_id, sum(len(steps) for steps, _ in points.values()))


def patiently(client: Client, run_id: str, key: int) -> Points:
    """Reads, again when the daemon has just lost its database."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return read(client, run_id, key)
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def read_meanwhile(client: Client, run_id: str, diaries: Diaries) -> None:
    passes = 0
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        verdict = Verdict(0)
        key = passes % 4
        try:
            points = {key: read(client, run_id, key)}
        except HeadraceError:
            continue  # the daemon is down, or the run is not there yet
        verdict = check_meanwhile(diaries.streams(), points)  # what was read was noted before
        passes += 1
        print(json.dumps(verdict._asdict() | {"read": len(points[key][0])}), flush=True)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    uri, run_id, folder, data = sys.argv[1:5]
    if data == "--meanwhile":
        read_meanwhile(Client(uri), run_id, Diaries(Path(folder)))
    else:
        print(json.dumps(read_all(Client(uri), run_id, Diaries(Path(folder)), Path(data))._asdict()))
