"""Neptune Scale, offline."""

from collections.abc import Callable, Mapping
from pathlib import Path

from neptune_scale import Run

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs into SQLite in ``folder``."""
    run = Run(project="benchmark/benchmark", run_id="run", mode="offline", log_directory=str(folder))
    return lambda metrics, step: run.log_metrics(dict(metrics), step=step), run.close
