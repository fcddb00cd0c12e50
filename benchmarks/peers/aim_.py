"""Aim, local repository."""

from collections.abc import Callable, Mapping
from pathlib import Path

from aim import Run

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs into a repository in ``folder``."""
    run = Run(repo=str(folder), system_tracking_interval=None, capture_terminal_logs=False)
    return lambda metrics, step: run.track(dict(metrics), step=step), run.close
