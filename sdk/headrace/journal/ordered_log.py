"""OrderedLog: the log of a run whose steps must not go back (``HEADRACE_STEP_POLICY=reject``).

A point whose step is below the last one of its key, of those that this journal took for the run and attempt,
is written as a cell of its own kind: it is stored nowhere, and its operation is rejected like any other,
whoever ships it. So it costs one number a series, and nothing is asked of anybody.
"""

from collections.abc import Mapping, Sequence

from headrace.errors import InvalidArgumentError
from headrace.journal.columns import column
from headrace.journal.run_log import RunLog, append_cells
from headrace.journal.writer import Writer
from headrace.operation import RunOperation
from headrace_proto.wire import CELL_SIZE, LATE, METRIC

_WORDS = CELL_SIZE // 8


class OrderedLog(RunLog):
    """All calls of a :class:`RunLog`, each point checked in its turn, for six times the price."""

    __slots__ = ()

    def log_metric(self, key: str, value: float, step: int = 0, timestamp: int | None = None) -> RunOperation:
        """Writes one point."""
        return self.log_batch([(key, value, timestamp, step)])

    def log_metrics(
        self, metrics: Mapping[str, float], step: int = 0, timestamp: int | None = None
    ) -> RunOperation:
        """Writes one point of each key, as one operation."""
        plain = [str.__str__(key) if isinstance(key, str) else key for key in metrics]
        return self.log_batch(
            [(key, value, timestamp, step) for key, value in zip(plain, metrics.values(), strict=True)]
        )

    def log_series(
        self,
        key: str,
        values: Sequence[float],
        steps: Sequence[int] | None = None,
        timestamps: Sequence[int] | None = None,
    ) -> RunOperation:
        """Writes many points of one key as one operation. Arguments as :meth:`RunLog.log_series` takes."""
        doubles = column("values", values, "d")
        count = len(doubles)
        words = range(count) if steps is None else column("steps", steps, "q")
        times = [None] * count if timestamps is None else column("timestamps", timestamps, "q")
        for name, given in (("steps", words), ("timestamps", times)):
            if len(given) != count:
                raise InvalidArgumentError(
                    name, f"has {len(given)} items and values has {count}; give one for each"
                )
        return self.log_batch(
            (key, value, time, step) for value, time, step in zip(doubles, times, words, strict=True)
        )

    def _append(self, writer: Writer, cells: memoryview) -> None:
        words, last = cells.cast("q"), dict[int, int]()
        for at in range(0, len(words), _WORDS):
            series, step = words[at] >> 32, words[at + 1]
            known = last.get(series)
            if known is None:
                known = writer.last_steps.get(series, step)
            if step < known:
                words[at] += LATE - METRIC
            else:
                last[series] = step
        append_cells(writer, cells)
        writer.last_steps.update(last)
