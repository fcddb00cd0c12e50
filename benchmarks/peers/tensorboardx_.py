"""tensorboardX: event files."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tensorboardX import SummaryWriter

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs into event files in ``folder``; it has no call for several metrics."""
    writer = SummaryWriter(str(folder))

    def log(metrics: Mapping[str, float], step: int) -> None:
        for key, value in metrics.items():
            writer.add_scalar(key, value, step)

    return log, writer.close
