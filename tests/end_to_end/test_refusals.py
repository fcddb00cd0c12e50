"""Refused operations are told whoever shipped them, and however late."""

import json
import os
import subprocess
import sys
from pathlib import Path

from headrace import Client
from running import Daemon

KILLED = """
import os, signal
import headrace
headrace.start_run()
headrace.log_param("layers", 3)
for step in range(100): headrace.log_metric("loss", 1.0, step)
headrace.log_param("layers", 4)
headrace.log_metric("loss", 1.0, 100)
os.kill(os.getpid(), signal.SIGKILL)
"""

WAITING = """
import multiprocessing
import headrace

def child():
    try:
        headrace.log_param("layers", 5).wait(60)
    except headrace.RejectedError as error:
        assert "layers" in str(error), error
        print("refused", flush=True)

headrace.start_run()
headrace.log_param("layers", 3).wait(60)
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join()
"""


BACKWARDS = """
import os
import headrace
run = headrace.start_run()
headrace.log_metric("loss", 1.0, 5)
late = headrace.log_metric("loss", 2.0, 4)
batch = headrace.log_metrics({"acc": 3.0, "loss": 3.0}, 3)
headrace.log_metric("loss", 4.0, 6).wait(60)
print(run.info.run_id)
try:
    late.wait(60)
except headrace.RejectedError as error:
    print(f"{error.code}: {error.message}")
assert batch.exception(60)
headrace.end_run()
os.environ["HEADRACE_STEP_POLICY"] = "keep"
headrace.start_run(run_id=run.info.run_id)
headrace.log_metric("loss", 6.0, 0)
"""


def test_what_another_process_delivers_is_refused_and_listed(daemon: Daemon, private_journals: Path) -> None:
    away = os.environ | {"HEADRACE_TRACKING_URI": "headrace://127.0.0.1:1"}
    subprocess.run([sys.executable, "-c", KILLED], env=away, check=False, capture_output=True)
    sync = [*COMMAND, "sync", str(private_journals), "--tracking-uri", daemon.uri]

    done = subprocess.run(sync, capture_output=True, text=True, check=True)

    assert "1 operations were refused; see: headrace rejects" in done.stderr
    [entry] = rejects()
    assert "layers" in entry["message"]
    assert subprocess.run(sync, capture_output=True, check=True).returncode == 0
    daemon.kill()
    daemon.start()
    assert rejects() == [entry]


def test_a_refusal_by_way_of_the_agent_is_raised_where_it_was_logged(daemon: Daemon) -> None:
    done = subprocess.run([sys.executable, "-c", WAITING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "refused\n", "")
    assert "layers" in rejects()[0]["message"]
    assert daemon.process is not None


def test_steps_that_go_back_are_refused_if_the_run_says_so(daemon: Daemon) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BACKWARDS],
        env=os.environ | {"HEADRACE_STEP_POLICY": "reject"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    run_id, message = done.stdout.splitlines()
    assert message == (
        "INVALID_PARAMETER_VALUE: step 4: metric 'loss' was at a higher step already "
        "(HEADRACE_STEP_POLICY=reject)"
    )
    history = Client(daemon.uri).get_metric_history(run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(5, 1.0), (6, 4.0), (0, 6.0)]
    assert [(entry["run_id"], entry["code"]) for entry in rejects()] == [
        (run_id, "INVALID_PARAMETER_VALUE")
    ] * 2


COMMAND = [sys.executable, "-m", "headrace"]


def rejects() -> list[dict[str, str]]:
    """What ``headrace rejects`` lists."""
    done = subprocess.run([*COMMAND, "rejects", "--json"], capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found
