"""SwanLab, offline."""

from collections.abc import Callable, Mapping
from pathlib import Path

import swanlab

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs into files in ``folder``."""
    swanlab.init(project="benchmark", mode="offline", logdir=str(folder))
    return lambda metrics, step: swanlab.log(dict(metrics), step=step), swanlab.finish
