"""What the machine of a run is doing, as metrics with MLflow's names (``log_system_metrics``). Linux only."""

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from headrace import record
from headrace.config import Settings
from headrace.entities import MetricSummary
from headrace.errors import HeadraceError
from headrace.journal.run_log import RunLog

logger = logging.getLogger("headrace")

PREFIX: Final = "system/"

PROC: Final = Path("/proc")

_MEGABYTE: Final = 1e6
_END_SECONDS: Final = 1.0
"""How long the end of a run waits for a sample that is being taken."""


class Machine:
    """The counters of this machine. Network is counted from when this was made, as in MLflow."""

    def __init__(self, proc: Path = PROC) -> None:
        """``OSError`` when the machine does not tell."""
        self._proc = proc
        self._busy, self._all = self._processors()
        self._received, self._sent = self._network()

    def sample(self) -> dict[str, float]:
        """The metrics now; that of the processors since the sample before."""
        busy, total = self._processors()
        passed = total - self._all
        load = (busy - self._busy) / passed * 100 if passed else 0.0
        self._busy, self._all = busy, total
        memory, used = self._memory()
        disk = shutil.disk_usage("/")
        received, sent = self._network()
        return {
            "cpu_utilization_percentage": round(load, 1),
            "system_memory_usage_megabytes": round(used / _MEGABYTE, 1),
            "system_memory_usage_percentage": round(used / memory * 100, 1),
            "disk_usage_percentage": round(disk.used / (disk.used + disk.free) * 100, 1),
            "disk_usage_megabytes": round(disk.used / _MEGABYTE, 1),
            "disk_available_megabytes": round(disk.free / _MEGABYTE, 1),
            "network_receive_megabytes": (received - self._received) / _MEGABYTE,
            "network_transmit_megabytes": (sent - self._sent) / _MEGABYTE,
        }

    def _processors(self) -> tuple[int, int]:
        """Ticks of all processors: at work, and all."""
        words = (self._proc / "stat").read_text().splitlines()[0].split()
        user, nice, system, idle, waiting, *more = map(int, words[1:9])
        busy = user + nice + system + sum(more)
        return busy, busy + idle + waiting

    def _memory(self) -> tuple[int, int]:
        """Bytes: all, and those that no program could get."""
        lines = (line.partition(":") for line in (self._proc / "meminfo").read_text().splitlines())
        found = {name: value for name, _, value in lines}
        total, available = (int(found[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable"))
        return total, total - available

    def _network(self) -> tuple[int, int]:
        """Bytes that came and went, over all interfaces."""
        lines = (self._proc / "net" / "dev").read_text().splitlines()[2:]
        counters = [line.partition(":")[2].split() for line in lines]
        return sum(int(words[0]) for words in counters), sum(int(words[8]) for words in counters)


class Sampler:
    """Logs samples of the machine to a run, in a thread of its own, until it is ended."""

    def __init__(
        self, log: RunLog, machine: Machine, interval: float, node: str = "", first_step: int = 0
    ) -> None:
        """``interval``: seconds between samples. ``node`` tells machines of one run apart."""
        self._log = log
        self._machine = machine
        self._interval = interval
        self._prefix = f"{PREFIX}{node}/" if node else PREFIX
        self._step = first_step
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="headrace-machine", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Logs no more. In a forked child, there is nothing to end."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                sample = {self._prefix + name: value for name, value in self._machine.sample().items()}
                if not self._ended.is_set():
                    record.metrics(self._log, sample, self._step)
            except (HeadraceError, OSError, ValueError, KeyError, IndexError) as error:
                logger.warning("the machine is not measured any more: %s", error)
                return
            self._step += 1


def measure(
    log: RunLog, settings: Settings, known: Callable[[], Mapping[str, MetricSummary]]
) -> Sampler | None:
    """Begins to measure, after the steps that the run has of it; ``None`` where it cannot be done."""
    try:
        machine = Machine()
    except (OSError, ValueError, IndexError) as error:
        logger.warning("log_system_metrics: this machine cannot be measured (%s)", error)
        return None
    steps = [each.last.step for key, each in known().items() if key.startswith(PREFIX)]
    interval, node = settings.system_metrics_interval, settings.system_metrics_node
    return Sampler(log, machine, interval, node, max(steps, default=-1) + 1)
