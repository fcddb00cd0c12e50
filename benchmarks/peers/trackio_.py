"""Trackio, local."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs into trackio's database in ``folder``."""
    os.environ["TRACKIO_DIR"] = str(folder)
    import trackio  # noqa: PLC0415 - reads the environment when imported

    trackio.init(project="benchmark")
    return lambda metrics, step: trackio.log(dict(metrics), step=step), trackio.finish
