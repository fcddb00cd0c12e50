"""A connection on which nobody answers any more, and nobody says so, is given up for a new one."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from diaries import Diaries
from ingest_daemon import DaemonProcess
from journals import Journals
from processes import wait_for
from proxy import Loop, Proxy

# As the real ones, twenty times as fast. gRPC's own default for one of them is a minute.
PROGRAM = """
import runpy, sys
from headrace.shipping import transport
transport.OPTIONS[:] = [
    (name, max(500, value // 20) if "keepalive_t" in name or "ping_timeout" in name else value)
    for name, value in transport.OPTIONS
]
runpy.run_path(sys.argv.pop(1), run_name="__main__")
"""
RANK = Path(__file__).parent / "programs" / "rank.py"
BOUND = 30.0
"""Seconds: many times what it takes, and half of what gRPC would take by itself."""


@pytest.mark.timeout(300)
def test_a_black_holed_connection_is_given_up(
    start_daemon: Callable[..., DaemonProcess], tmp_path: Path
) -> None:
    port = int(start_daemon().ready().rpartition(":")[2])
    loop = Loop()
    proxy = Proxy(loop, port)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(RANK.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "HEADRACE_TRACKING_URI": f"headrace://127.0.0.1:{proxy.port}",
        "HEADRACE_RUN_ID": "0" * 31 + "1",
        "HEADRACE_JOURNAL_DIR": str(tmp_path / "journals"),
    }
    (tmp_path / "diaries").mkdir()
    command: list[str | Path] = [sys.executable, "-c", PROGRAM, RANK, tmp_path / "diaries", "1", "plain", "1"]
    rank = subprocess.Popen(command, env=environment)
    diaries, journals = Diaries(tmp_path / "diaries"), Journals(tmp_path / "journals")

    def committed() -> int:
        return sum(place.committed for place in journals.places().values())

    def logged(count: int) -> bool:
        return diaries.logged() >= count

    def delivered(count: int) -> None:
        wait_for(lambda: committed() >= count, BOUND, f"{count} points are delivered")

    try:
        for _ in range(3):
            wait_for(lambda: committed() > 0 and proxy.connections, 60, "it connects and delivers")
            proxy.hold()
            proxy.forget()
            behind = diaries.logged() + 20  # more than was on its way
            wait_for(partial(logged, behind), 60, "it logs on")
            delivered(behind)
        diaries.stop()
        assert rank.wait(60) == 0
    finally:
        rank.kill()
        loop.stop()
