"""What is logged by MLflow's calls goes to the journal, if it is plain; all else is left to REST.

Plain is what the daemon will take: names, numbers and texts within MLflow's rules, of a run that is known to
be there. REST answers the rest as it would without the plugin, so that nothing of its rules or errors is
repeated here.
"""

import itertools
import os
import re
import struct
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, Final
from weakref import WeakSet

from headrace.core import Core
from headrace.operation import RunOperation
from headrace_proto.limits import (
    MAX_KEY_LENGTH,
    MAX_PARAM_LENGTH,
    MAX_TAG_LENGTH,
    MAX_TIMESTAMP,
    text_problem,
)
from headrace_proto.v1.models_pb2 import LinkMetric
from headrace_proto.v1.tracking_pb2 import RunChange, SetParam, SetTag

MAX_METRICS: Final = 1000
MAX_PARAMS: Final = 100
MAX_TAGS: Final = 100
MAX_ITEMS: Final = 1000
"""What a batch may have of each, and of all together: MLflow's bounds."""

_LEAST, _LARGEST = -(1 << 63), (1 << 63) - 1
"""Steps."""

_RUN_NAME: Final = "mlflow.runName"

_KEY = re.compile(r"\w[\w.\- :]*(/\w[\w.\- :]*)*")
"""Some of the names that MLflow takes; it takes others as well."""

_GENERATION: Final = 1 << 17
"""Points, and series; twice as many points are known at most: about 50 MiB."""

_pack = struct.Struct("<qqqd").pack

Point = tuple[str, float, int, int]
"""Key, value, timestamp in milliseconds, step."""


class Channel:
    """What one store logs through. Thread-safe."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._runs: set[str] = set()
        self._series: dict[tuple[str, str], int] = {}
        self._numbers = itertools.count()
        self._recent = Recent()
        _channels.add(self)

    def met(self, run_id: str) -> None:
        """The run was there just now, and not deleted."""
        self._runs.add(run_id)

    def forget_runs(self) -> None:
        """Some may have been deleted."""
        self._runs.clear()
        self._series.clear()

    def after_fork(self) -> None:
        """In the child: who waits for a point of the parent's would wait for the wrong journal."""
        self._recent = Recent()

    def point(self, run_id: str, metric: Any) -> RunOperation | None:
        """Writes one point; ``None``: it is not plain. The hot path."""
        key, value, timestamp, step = metric.key, metric.value, metric.timestamp, metric.step
        series = self._series.get((run_id, key)) if type(key) is str else None
        if (
            series is None
            or type(value) is not float
            or type(step) is not int
            or type(timestamp) is not int
            or not 0 <= timestamp <= MAX_TIMESTAMP
            or not _LEAST <= step <= _LARGEST
            or metric.model_id
            or self.core.ended
        ):
            return self.batch(run_id, (metric,), (), ())
        cell = _pack(series, step, timestamp, value)
        known = self._recent.find(cell)
        if known is not None:
            return known
        operation = self.core.run_log(run_id).log_metric(key, value, step, timestamp)
        self._recent.add((cell,), operation)
        return operation

    def batch(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> RunOperation | None:
        """Writes points, params and tags; ``None``: something is not plain, and nothing was written."""
        is_open = run_id in self._runs and not self.core.ended
        if not is_open or not _has_room(len(metrics), len(params), len(tags)):
            return None
        rows = [(metric.key, metric.value, metric.timestamp, metric.step) for metric in metrics]
        changes = _changes(metrics, params, tags)
        if changes is None or not all(_is_plain(*row) for row in rows):
            return None
        cells = {
            _pack(self._number(run_id, key), step, timestamp, value): (key, value, timestamp, step)
            for key, value, timestamp, step in rows
        }
        known = {cell: found for cell in cells if (found := self._recent.find(cell))}
        fresh = {cell: row for cell, row in cells.items() if cell not in known}
        if not fresh and not changes:
            earlier = set(known.values())
            return earlier.pop() if len(earlier) == 1 else self._until_now()
        log = self.core.run_log(run_id)
        operation = log.log_batch(fresh.values(), [change.SerializeToString() for change in changes])
        self._recent.add(fresh, operation)
        return operation

    def _number(self, run_id: str, key: str) -> int:
        """The number of a series."""
        name = run_id, key
        number = self._series.get(name)
        if number is None:
            if len(self._series) >= _GENERATION:
                self._series.clear()  # they get new ones
            number = self._series[name] = next(self._numbers)
        return number

    def _until_now(self) -> RunOperation:
        """Done when all is that was written until now: a point that is known is among it."""
        writer = self.core.current_writer()
        end = writer.written()
        return RunOperation(writer, end, end)


class Recent:
    """The last points, so that one that is logged again counts once. None is taken for another."""

    __slots__ = ("newer", "older")

    def __init__(self) -> None:
        self.newer: dict[bytes, RunOperation] = {}
        self.older: dict[bytes, RunOperation] = {}

    def find(self, cell: bytes) -> RunOperation | None:
        """What wrote a point; ``None`` if nothing did, or it came to nothing: it was refused, or dropped."""
        operation = self.newer.get(cell) or self.older.get(cell)
        if operation is None or (operation.done() and operation.exception()):
            return None
        return operation

    def add(self, cells: Collection[bytes], operation: RunOperation) -> None:
        """They were written by ``operation``."""
        if len(self.newer) >= _GENERATION:
            self.newer, self.older = {}, self.newer
        self.newer.update(dict.fromkeys(cells, operation))


def _is_plain(key: Any, value: Any, timestamp: Any, step: Any) -> bool:
    """Whether a point is as MLflow's client makes it, and one that the daemon takes."""
    return (
        type(value) is float
        and type(timestamp) is int
        and type(step) is int
        and 0 <= timestamp <= MAX_TIMESTAMP
        and _LEAST <= step <= _LARGEST
        and type(key) is str
        and _is_key(key)
    )


@lru_cache(1 << 16)
def _is_key(key: str) -> bool:
    return len(key) <= MAX_KEY_LENGTH and _KEY.fullmatch(key) is not None and text_problem(key) is None


def _is_text(text: Any) -> bool:
    return type(text) is str and text_problem(text) is None


def _has_room(metrics: int, params: int, tags: int) -> bool:
    return (
        metrics <= MAX_METRICS
        and params <= MAX_PARAMS
        and tags <= MAX_TAGS
        and metrics + params + tags <= MAX_ITEMS
    )


def _changes(metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]) -> list[RunChange] | None:
    """Params, links of points to models, and tags; values are cut as REST cuts them. ``None``: not plain."""
    changes = []
    if len({param.key for param in params}) < len(params):
        return None
    for param in params:
        if not (type(param.key) is str and _is_key(param.key) and _is_text(param.value)):
            return None
        changes.append(RunChange(param=SetParam(key=param.key, value=param.value[:MAX_PARAM_LENGTH])))
    for metric in metrics:
        if metric.model_id:
            names = metric.model_id, metric.dataset_name or "", metric.dataset_digest or ""
            if not all(map(_is_text, names)):
                return None
            changes.append(_link(metric, *names))
    for tag in tags:
        if not (type(tag.key) is str and _is_key(tag.key) and _is_text(tag.value)):
            return None
        if tag.key == _RUN_NAME and not tag.value:
            return None
        changes.append(RunChange(tag=SetTag(key=tag.key, value=tag.value[:MAX_TAG_LENGTH])))
    return changes


def _link(metric: Any, model_id: str, dataset_name: str, dataset_digest: str) -> RunChange:
    return RunChange(
        link_metric=LinkMetric(
            key=metric.key,
            value=metric.value,
            timestamp=metric.timestamp,
            step=metric.step,
            model_id=model_id,
            dataset_name=dataset_name,
            dataset_digest=dataset_digest,
            only=True,
        )
    )


_channels: WeakSet[Channel] = WeakSet()


def _after_fork() -> None:
    for channel in list(_channels):
        channel.after_fork()


os.register_at_fork(after_in_child=_after_fork)
