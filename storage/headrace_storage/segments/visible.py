"""The points that runs show, out of all that were logged."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headrace_storage.model import Rows, Series
from headrace_storage.segments.columns import concat, take
from headrace_storage.visibility import View


def visible(rows: Rows, views: Sequence[View]) -> Rows:
    """The points that the views show, as points of the runs that show them."""
    return concat([part for view in views if len(part := _visible(rows, view))])


def _visible(rows: Rows, view: View) -> Rows:
    table = list(rows.series_table)
    lasts = np.zeros(len(table), np.int64)
    hidden = np.ones(len(table), np.bool_)
    for code, series in enumerate(table):
        if series.run_id == view.source and (last := view.last_step(series.attempt)) is not None:
            lasts[code], hidden[code] = last, False
            table[code] = Series(view.run_id, series.key, series.attempt)
    seen = take(rows, ~hidden.take(rows.series) & (rows.step <= lasts.take(rows.series)))
    return seen if view.is_own else replace(seen, series_table=table)
