"""A database of MLflow's: the histories of a run in one query, through MLflow's own tables and sessions.

Its ``get_metric_history`` asks for one metric at a time, for which SQLite looks through those of all runs,
and makes three objects of each point.
"""

import importlib
from array import array
from collections.abc import Iterator
from itertools import groupby
from math import nan
from operator import itemgetter
from typing import Any, Final

PAGE: Final = 20_000
"""Points that are in memory at a time."""

Columns = tuple["array[int]", "array[int]", "array[float]"]


class Database:
    """See the module."""

    def __init__(self, store: Any) -> None:
        """``store``: MLflow's, of SQLAlchemy."""
        self._sessions = store.ManagedSessionMaker
        self._points: Any = importlib.import_module("mlflow.store.tracking.dbmodels.models").SqlMetric
        self._sql: Any = importlib.import_module("sqlalchemy")

    def histories(self, run_id: str) -> Iterator[tuple[str, Columns]]:
        """Parts of the run's metrics, one metric after the other, each by (timestamp, step, value)."""
        points, sql = self._points, self._sql
        # An expression, because there is an index by key and timestamp, of all runs.
        by_key = sql.func.coalesce(points.key, "")
        query = (
            sql.select(points.key, points.step, points.timestamp, points.value, points.is_nan)
            .where(points.run_uuid == run_id)
            .order_by(by_key, points.timestamp, points.step, points.value, points.is_nan)
            .execution_options(yield_per=PAGE)
        )
        with self._sessions() as session:
            for rows in session.execute(query).partitions():
                for key, group in groupby(rows, itemgetter(0)):
                    part = list(group)
                    yield (
                        key,
                        (
                            array("q", [row[1] for row in part]),
                            array("q", [row[2] for row in part]),
                            array("d", [nan if row[4] else row[3] for row in part]),
                        ),
                    )
