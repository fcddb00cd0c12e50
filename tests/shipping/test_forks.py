"""Children that log, however they were made, while their parent's threads do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from running import eventually

PROGRAM = Path(__file__).parent / "programs" / "forks.py"
RUN = "0123456789abcdef" * 2


def environment(served: Any, tmp_path: Path, **more: str) -> dict[str, str]:
    variables = {"HEADRACE_TRACKING_URI": served.uri, "HEADRACE_JOURNAL_DIR": str(tmp_path / "journals")}
    return os.environ | variables | more


def steps(daemon: Any, key: str) -> list[int]:
    return sorted(step for writer in list(daemon.writers) for k, step, _ in daemon.points(writer) if k == key)


# A spawned process has a thread of its own ship, unless the agent does: test_processes.py.
FORKED = ["os:20", "fork", "pool:6", "loader"]


@pytest.mark.parametrize(
    ("how", "shipper"),
    [(how, "thread") for how in FORKED] + [(how, "agent") for how in [*FORKED, "spawn", "forkserver"]],
)
def test_children_log_and_disturb_nobody(
    served: Any, daemon: Any, tmp_path: Path, how: str, shipper: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), how],
        env=environment(served, tmp_path, HEADRACE_SHIPPER=shipper),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    said = {name: int(count) for name, count in map(str.split, done.stdout.splitlines())}
    assert len(said) > 4
    for name, count in said.items():
        eventually(
            lambda name=name, count=count: steps(daemon, name) == list(range(count)),  # type: ignore[misc]
            f"{count} points of {name} arrive",
        )
    writers = [writer for writer in daemon.writers if daemon.points(writer)]
    owners = [{key.partition(".")[0] for key, _, _ in daemon.points(writer)} for writer in writers]
    children = [name for name in said if not name.startswith(("thread", "parent"))]
    assert all(len(owner) == 1 for owner in owners if owner & set(children) and "pool" not in how)


CHILD = """
import os, sys, signal
from headrace.core import core_for
signal.alarm(60)
core = core_for()
log = core.run_log("0123456789abcdef" * 2)
"""


def run(served: Any, tmp_path: Path, program: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", CHILD + program],
        env=environment(served, tmp_path, **more),
        capture_output=True,
        text=True,
        timeout=70,
        check=False,
    )


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("shipper", ["thread", "agent"])
def test_a_child_may_wait_for_its_parents_operation(served: Any, tmp_path: Path, shipper: str) -> None:
    program = """
log.log_metric("before", 1.0).wait(30)
operation = log.log_metric("parent", 1.0)
pid = os.fork()
if pid == 0:
    operation.wait(30)
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
"""
    done = run(served, tmp_path, program, HEADRACE_SHIPPER=shipper)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_child_uses_no_grpc_for_another_tracking_uri_either(
    served: Any, daemon: Any, tmp_path: Path
) -> None:
    program = """
log.log_metric("parent", 1.0).wait(30)
pid = os.fork()
if pid == 0:
    from headrace.shipping import runtime
    other = core_for(core.uri.replace("127.0.0.1", "localhost"))
    other.run_log("f" * 32).log_metric("child", 1.0).wait(30)
    assert runtime._runtime is None
    os._exit(0)
sys.exit(os.waitpid(pid, 0)[1])
"""
    done = run(served, tmp_path, program)
    assert (done.returncode, done.stderr) == (0, "")
    assert steps(daemon, "child") == [0]


def test_a_child_that_outlives_its_killed_parent_holds_none_of_its_journals(
    served: Any, daemon: Any, tmp_path: Path
) -> None:
    program = """
log.log_metric("parent", 1.0, 0).wait(30)
ready, told = os.pipe()
if os.fork() == 0:
    os.write(told, b"!")
    for descriptor in (0, 1, 2):
        os.close(descriptor)
    os.read(os.open(sys.argv[1], os.O_RDONLY), 1)  # until the test is over
    os._exit(0)
os.read(ready, 1)
core._shipper = None
core.end_shipping = lambda: None
from headrace.shipping.runtime import runtime
runtime().loop.call_soon_threadsafe(runtime().loop.stop)
runtime()._thread.join()
log.log_metric("parent", 1.0, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    pipe = tmp_path / "until"
    os.mkfifo(pipe)
    hold = os.open(pipe, os.O_RDWR)
    try:
        command = [sys.executable, "-c", CHILD + program, str(pipe)]
        subprocess.run(command, env=environment(served, tmp_path), timeout=70, check=False)
        sync = [sys.executable, "-m", "headrace", "sync", str(tmp_path / "journals")]
        done = subprocess.run(sync, capture_output=True, text=True, timeout=70, check=False)
    finally:
        os.close(hold)
    assert "delivered 1 operations" in done.stdout, done.stderr
    assert steps(daemon, "parent") == [0, 1]


def test_a_loader_of_torch(served: Any, daemon: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    program = """
from torch.utils.data import DataLoader, Dataset
class Logged(Dataset):
    def __len__(self): return 200
    def __getitem__(self, index):
        log.log_metric("loaded", 1.0, index)
        return index
log.log_metric("parent", 1.0).wait(30)
for batch in DataLoader(Logged(), batch_size=10, num_workers=3): log.log_metric("batch", 1.0)
"""
    done = run(served, tmp_path, program)
    assert (done.returncode, done.stderr) == (0, "")
    eventually(lambda: steps(daemon, "loaded") == list(range(200)), "what the workers logged arrives")
