"""Failpoints: what is asked for happens, as likely as asked, and nothing without being asked."""

import inspect
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace_storage import failpoints
from headrace_storage.failpoints import NAMES, VARIABLE, Failpoints, InjectedError

PACKAGES = Path(__file__).parents[2]


async def test_without_the_variable_nothing_is_there() -> None:
    assert VARIABLE not in os.environ
    assert failpoints.active is None
    await failpoints.failpoint("commit.after")
    assert not inspect.getclosurevars(failpoints.failpoint).globals  # it looks at nothing


async def test_an_error_is_a_passing_failure_of_database_and_disk() -> None:
    with pytest.raises(InjectedError, match="fold"):
        await Failpoints("fold=error").hit("fold")
    assert issubclass(InjectedError, OSError)


async def test_only_what_is_named_happens() -> None:
    await Failpoints("fold=error").hit("publish")


async def test_stalls() -> None:
    begun = time.monotonic()
    await Failpoints("fold=sleep(0.05)").hit("fold")
    assert time.monotonic() - begun >= 0.04


async def hits(text: str, count: int) -> list[bool]:
    points, found = Failpoints(text), []
    for _ in range(count):
        try:
            await points.hit("fold")
            found.append(False)
        except InjectedError:
            found.append(True)
    return found


async def test_chances_follow_the_seed() -> None:
    one = await hits("seed=1,fold=error:0.2", 500)
    assert 60 < sum(one) < 140
    assert one == await hits("seed=1,publish=kill:0.5,fold=error:0.2", 500)
    assert one != await hits("seed=2,fold=error:0.2", 500)


async def test_others_can_be_loaded() -> None:
    points = Failpoints("fold=error")
    points.load("")
    await points.hit("fold")


@pytest.mark.parametrize("text", ["fold", "fold=explode", "nowhere=kill", "fold=sleep", "fold=error:often"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE):
        Failpoints(text)


def test_kill_is_sigkill() -> None:
    program = (
        "import asyncio; from headrace_storage.failpoints import failpoint; asyncio.run(failpoint('fold'))"
    )
    environment = {**os.environ, VARIABLE: "fold=kill"}
    assert (
        subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode
        == -signal.SIGKILL
    )


def test_every_name_has_a_place_and_every_place_a_name() -> None:
    call = re.compile(r'failpoint\("([\w.]+)"\)')
    sources = [path for part in ("storage", "ingest") for path in (PACKAGES / part).rglob("*.py")]
    placed = [
        name for path in sources if path.name != "failpoints.py" for name in call.findall(path.read_text())
    ]
    assert sorted(placed) == sorted(NAMES)
