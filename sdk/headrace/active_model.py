"""The model that metrics belong to whose call names none: of the process, set by ``set_active_model``.

Calls without one pay nothing: while a model is set, sessions log through a :class:`LinkedLog` instead.
"""

import os
from collections.abc import Mapping
from typing import Any, cast

from headrace import record
from headrace.journal.run_log import RunLog
from headrace.links import Link
from headrace.operation import RunOperation

VARIABLE = "HEADRACE_ACTIVE_MODEL_ID"

_chosen: str | None = None


class LinkedLog:
    """A run's log whose points belong to a model."""

    def __init__(self, log: RunLog, model_id: str) -> None:
        self.log = log
        self._link = Link(model_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)

    def log_metric(self, key: str, value: float, step: int = 0, timestamp: int | None = None) -> RunOperation:
        """Writes one point, and whose it is."""
        return record.linked(self.log, self._link, {key: value}, step, timestamp)

    def log_metrics(
        self, metrics: Mapping[str, float], step: int = 0, timestamp: int | None = None
    ) -> RunOperation:
        """Writes one point of each key, and whose they are."""
        return record.linked(self.log, self._link, metrics, step, timestamp)


def chosen() -> str | None:
    """The id of the model, if there is one."""
    return _chosen or os.environ.get(VARIABLE) or None


def choose(model_id: str | None) -> None:
    """Sets the model of what begins from now on."""
    global _chosen  # noqa: PLW0603
    _chosen = model_id
    if model_id is None:
        os.environ.pop(VARIABLE, None)


def linked(log: RunLog) -> RunLog:
    """The log that calls of a session go to."""
    model_id = chosen()
    return unlinked(log) if model_id is None else cast("RunLog", LinkedLog(unlinked(log), model_id))


def unlinked(log: RunLog) -> RunLog:
    """The log itself."""
    return log.log if isinstance(log, LinkedLog) else log
