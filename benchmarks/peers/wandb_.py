"""W&B, offline."""

from collections.abc import Callable, Mapping
from pathlib import Path

import wandb

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs into files in ``folder``."""
    settings = wandb.Settings(x_disable_stats=True, console="off", silent=True)
    run = wandb.init(project="benchmark", mode="offline", dir=str(folder), settings=settings)
    return lambda metrics, step: run.log(dict(metrics), step=step), run.finish
