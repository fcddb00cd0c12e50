"""``log_system_metrics``: what the machine does, as metrics of the run, for as long as it goes on."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import headrace
from fake_core import FakeCore
from headrace import machine
from headrace_proto.v1 import tracking_pb2 as pb

NAMES = {
    "cpu_utilization_percentage",
    "system_memory_usage_megabytes",
    "system_memory_usage_percentage",
    "disk_usage_percentage",
    "disk_usage_megabytes",
    "disk_available_megabytes",
    "network_receive_megabytes",
    "network_transmit_megabytes",
}
RUN = "0123456789abcdef0123456789abcdef"


def tell(proc: Path, busy: int, idle: int, received: int) -> None:
    """Writes what Linux would say."""
    (proc / "net").mkdir(parents=True, exist_ok=True)
    (proc / "stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3 4 5 6 7 8\n")
    (proc / "meminfo").write_text("MemTotal:  4000 kB\nMemFree:  1 kB\nMemAvailable:  1000 kB\n")
    line = f"{received} 1 0 0 0 0 0 0 {received * 2} 1 0 0 0 0 0 0"
    (proc / "net" / "dev").write_text(f"head\nhead\n  lo: {line}\neth0:{line}\n")


def test_a_sample(tmp_path: Path) -> None:
    tell(tmp_path, 100, 100, 1_000_000)
    measured = machine.Machine(tmp_path)
    tell(tmp_path, 130, 110, 3_000_000)
    sample = measured.sample()
    assert sample.keys() == NAMES
    assert sample["cpu_utilization_percentage"] == 75.0
    assert sample["system_memory_usage_percentage"] == 75.0
    assert sample["system_memory_usage_megabytes"] == 3.1
    assert (sample["network_receive_megabytes"], sample["network_transmit_megabytes"]) == (4.0, 8.0)
    assert 0 < sample["disk_usage_percentage"] <= 100
    assert measured.sample()["cpu_utilization_percentage"] == 0.0, "no time has passed"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine that is asked all the time."""
    tell(tmp_path / "proc", 1, 1, 1)
    monkeypatch.setattr(machine.Machine.__init__, "__defaults__", (tmp_path / "proc",))
    monkeypatch.setenv("HEADRACE_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.01")
    return tmp_path / "proc"


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(2000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it does not happen")


@pytest.mark.usefixtures("quick")
def test_a_run_measures_its_machine_until_it_ends(fake: FakeCore) -> None:
    with headrace.start_run(log_system_metrics=True):
        wait_for(lambda: len(fake.points()) >= 2 * len(NAMES))
    points = fake.points()
    assert {point.key for point in points} == {f"system/{name}" for name in NAMES}
    steps = [point.step for point in points if point.key == "system/disk_usage_percentage"]
    assert steps == list(range(len(steps)))
    assert "headrace-machine" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.usefixtures("quick")
def test_the_environment_says_so(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    monkeypatch.setenv("HEADRACE_SYSTEM_METRICS_NODE_ID", "node7")
    with headrace.start_run():
        wait_for(lambda: bool(fake.points()))
    assert all(point.key.startswith("system/node7/") for point in fake.points())
    with headrace.start_run(log_system_metrics=False):
        assert "headrace-machine" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.usefixtures("quick")
def test_a_run_that_is_continued_goes_on_after_its_last_step(fake: FakeCore) -> None:
    fake.responses["GetRun"] = lambda request: pb.Run(
        info=pb.RunInfo(run_id=request.run_id, status=pb.FAILED)
    )
    last = pb.Metric(value=1.0, step=41, timestamp=1)
    fake.responses["GetSummaries"] = pb.GetSummariesResponse(
        summaries=[pb.MetricSummary(key="system/disk_usage_percentage", last=last, first=last)]
    )
    with headrace.start_run(RUN, log_system_metrics=True):
        wait_for(lambda: bool(fake.points()))
    assert min(point.step for point in fake.points()) == 42


def test_a_machine_that_does_not_tell(quick: Path, fake: FakeCore, caplog: pytest.LogCaptureFixture) -> None:
    (quick / "stat").unlink()
    with headrace.start_run(log_system_metrics=True):
        assert "this machine cannot be measured" in caplog.text
    assert fake.points() == []


def test_a_machine_that_stops_telling(quick: Path, fake: FakeCore, caplog: pytest.LogCaptureFixture) -> None:
    with headrace.start_run(log_system_metrics=True):
        wait_for(lambda: bool(fake.points()))
        (quick / "stat").write_text("")
        wait_for(lambda: "not measured any more" in caplog.text)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells")
def test_this_machine() -> None:
    sample = machine.Machine().sample()
    assert sample.keys() == NAMES
    assert 0 < sample["system_memory_usage_percentage"] < 100
