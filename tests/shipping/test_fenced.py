"""Two processes that claim one writer: the one that had it first is told, and goes on later."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.config import Settings
from headrace.journal import layout

PROGRAM = """
import signal, sys
signal.alarm(100)
from headrace.core import core_for
from headrace.shipping import lane
lane.FENCED_SECONDS = 0.3
log = core_for().run_log("0123456789abcdef" * 2)
for line in sys.stdin:
    log.log_metric("x", 1.0, int(line)).wait(60)
    print("durable", flush=True)
"""


@pytest.mark.parametrize("shipper", ["thread", "agent"])
def test_a_writer_goes_on_after_another_shipped_a_copy_of_its_journal(
    served: Any, daemon: Any, settings: Settings, tmp_path: Path, shipper: str
) -> None:
    variables = {
        "HEADRACE_TRACKING_URI": served.uri,
        "HEADRACE_JOURNAL_DIR": str(settings.journal_dir),
        "HEADRACE_SHIPPER": shipper,
    }
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def log(step: int) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{step}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "durable\n"

        try:
            log(0)
            [writer] = daemon.writers
            before = daemon.writers[writer].epoch
            ship_a_copy(settings.journal_dir, tmp_path / "copy")
            assert daemon.writers[writer].epoch > before, "the copy was claimed"
            log(1)
            log(2)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()

    assert [step for _, step, _ in daemon.points(writer)] == [0, 1, 2]
    said += "".join(path.read_text() for path in settings.journal_dir.glob("agent.log"))
    assert said.count("is shipped by another process now, from a copy of its folder") == 1


def ship_a_copy(journals: Path, copy: Path) -> None:
    """Delivers a copy of the folder that knows of no commit yet, as from another machine."""
    shutil.copytree(journals, copy)
    for control in copy.glob(f"*/*/{layout.CONTROL}"):
        page = bytearray(control.read_bytes())
        page[layout.COMMITTED * 8 : layout.COMMITTED * 8 + 8] = bytes(8)
        control.write_bytes(page)
    subprocess.run([sys.executable, "-m", "headrace", "sync", str(copy)], check=True, capture_output=True)
