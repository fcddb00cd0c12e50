"""Headrace against a daemon: durable and visible when flushed."""

from collections.abc import Callable, Mapping
from pathlib import Path

import headrace

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs to the daemon of the environment."""
    del folder
    headrace.start_run()

    def log(metrics: Mapping[str, float], step: int) -> None:
        if len(metrics) == 1:
            for key, value in metrics.items():
                headrace.log_metric(key, value, step)
        else:
            headrace.log_metrics(metrics, step)

    return log, headrace.flush


def open_client() -> tuple[headrace.Client, type[headrace.Metric]]:
    """A client of the daemon of the environment."""
    return headrace.Client(), headrace.Metric
