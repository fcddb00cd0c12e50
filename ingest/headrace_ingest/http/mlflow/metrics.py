"""Histories of metrics, in MLflow's order: (timestamp, step, value).

Points that are alike in timestamp, step and value count once, as in MLflow: clients send again what they do
not know the outcome of.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.shapes import points
from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.history import MANY, History
from headrace_storage.scan import Scans, Selection
from headrace_storage.segments.choice import FIRST
from headrace_storage.segments.logged import Columns
from headrace_storage.visibility import LAST

MAX_BULK_RUNS: Final = 100
MAX_BULK_POINTS: Final = 25_000
MAX_POINTS_A_RUN: Final = 2500
"""MLflow's bounds."""

STRETCH: Final = 1 << 20
"""Points of a long history that are thinned together."""

_THIN: Final = 1 << 14
"""What is left of them: more than any answer has of all."""

_LARGEST: Final = (1 << 31) - 1


class _Cut(NamedTuple):
    """Which steps of how many points are asked for."""

    first_step: int | None
    last_step: int | None
    most: int


class MetricRoutes:
    """``metrics/...``."""

    def __init__(self, history: History, scans: Scans) -> None:
        self._history = history
        self._scans = scans

    async def get_history(self, given: Given) -> Response:
        """All points of a key, or a page of them. No such run: none."""
        run_id, key = given.run_id(), given.text("metric_key", required=True)
        size = None
        if given.integer("max_results") is not None:
            size = given.page_size(None, _LARGEST)
        start = 0
        if token := given.text("page_token"):
            [start] = page_key(token, [int])
        found = await self._read(run_id, key)

        def body() -> str:
            ordered = by_time(found)
            end = len(ordered.step) if size is None else start + size
            page = _taken(ordered, slice(max(start, 0), end))
            more = "" if end >= len(ordered.step) else page_token([end])
            return _listed(points(key, page), more)

        return _json(await asyncio.to_thread(body))

    async def get_history_bulk(self, given: Given) -> Response:
        """Points of a key of several runs, run by run."""
        run_ids, key = given.texts("run_id"), given.text("metric_key", required=True)
        if not 1 <= len(run_ids) <= MAX_BULK_RUNS:
            raise InvalidArgumentError("run_id", f"is given {len(run_ids)} times, from 1 to {MAX_BULK_RUNS}")
        left = min(given.page_size(MAX_BULK_POINTS, _LARGEST), MAX_BULK_POINTS)
        texts: list[str] = []
        for run_id in sorted(set(run_ids)):
            found = await self._read(run_id, key)
            texts += await asyncio.to_thread(_all, key, run_id, found, left - len(texts))
            if len(texts) >= left:
                break
        return _json(f'{{"metrics":[{",".join(texts)}]}}')

    async def get_history_bulk_interval(self, given: Given) -> Response:
        """Points of a key of several runs for a chart: the first, the last, and all extremes of a sample."""
        run_ids, key = given.texts("run_ids"), given.text("metric_key", required=True)
        if not 1 <= len(run_ids) <= MAX_BULK_RUNS:
            raise InvalidArgumentError("run_ids", f"are {len(run_ids)}, from 1 to {MAX_BULK_RUNS}")
        first, last = given.integer("start_step"), given.integer("end_step")
        if (first is None) != (last is None):
            raise InvalidArgumentError("start_step and end_step", "are given together, or not at all")
        if first is not None and last is not None and first > last:
            raise InvalidArgumentError("end_step", f"is {last}, before start_step {first}")
        cut = _Cut(first, last, given.page_size(MAX_POINTS_A_RUN, MAX_POINTS_A_RUN))
        texts: list[str] = []
        for run_id in run_ids:
            id_ = _run_id(run_id)
            whole = await self._history.columns(id_, key) if id_ else []
            found = await self._thinned(id_, key, cut) if whole is None else whole
            texts += await asyncio.to_thread(_some, key, run_id, found, cut)
        return _json(_listed(texts, ""))

    async def _thinned(self, run_id: str, key: str, cut: _Cut) -> list[Columns]:
        """The ends and extremes of each stretch of a history that memory should not hold."""
        first = FIRST if cut.first_step is None else cut.first_step
        last = LAST if cut.last_step is None else cut.last_step
        thinned: list[Columns] = []
        stretch: list[Columns] = []
        async with aclosing(self._scans.scan(Selection([run_id], [key], (first, last)))) as pieces:
            async for piece in pieces:
                part = piece.part
                stretch.append(Columns(part.step, part.timestamp, part.value))
                if sum(len(columns.step) for columns in stretch) >= STRETCH:
                    thinned.append(await asyncio.to_thread(_thin, stretch))
                    stretch = []
        return [*thinned, *stretch]

    async def _read(self, run_id: str, key: str) -> Sequence[Columns]:
        id_ = _run_id(run_id)
        found = await self._history.columns(id_, key) if id_ else ()
        if found is None:
            raise InvalidArgumentError(
                "metric_key", f"has more than {MANY} points in run {id_}; read it by Headrace's client"
            )
        return found


def _run_id(given: str) -> str:
    """The id as it is stored; "": it is none."""
    try:
        return UUID(hex=given).hex
    except ValueError:
        return ""


def by_time(parts: Sequence[Columns]) -> Columns:
    """The points by (timestamp, step, value), each once; NaN comes last."""
    return _ordered(_joined(parts), lambda all_: (all_.value, all_.step, all_.timestamp))


def sample(columns: Columns, most: int) -> NDArray[np.intp]:
    """Which of ``columns``, ordered by step, stand for all: the ends, and the least and largest of each part.

    At most ``most``, ascending; so minima and maxima are those of all points.
    """
    count = len(columns.step)
    if count <= most:
        return np.arange(count)
    if most < 4:
        return np.unique([0, count - 1])[-most:]
    edges = np.linspace(0, count, (most - 2) // 2 + 1).astype(np.intp)[:-1]
    part = np.repeat(np.arange(len(edges)), np.diff(edges, append=count))
    # By part and then value: the first and, before NaN, the last of each part are its extremes.
    order = np.lexsort((columns.value, part))
    numbers = np.cumsum(~np.isnan(columns.value[order]))
    before = np.concatenate(([0], numbers))[edges]
    present = numbers[np.append(edges[1:], count) - 1] - before
    largest = edges + np.maximum(present, 1) - 1
    return np.unique(np.concatenate((order[edges], order[largest], [0, count - 1])))


def _thin(parts: Sequence[Columns]) -> Columns:
    joined = _joined(parts)
    return _taken(joined, sample(joined, _THIN))


def _some(key: str, run_id: str, parts: Sequence[Columns], cut: _Cut) -> list[str]:
    joined = _joined(parts)
    if cut.first_step is not None and cut.last_step is not None:
        joined = _taken(joined, (joined.step >= cut.first_step) & (joined.step <= cut.last_step))
    ordered = _ordered(joined, lambda all_: (all_.value, all_.timestamp, all_.step))
    return list(points(key, _taken(ordered, sample(ordered, cut.most)), UUID(hex=run_id).hex))


def _all(key: str, run_id: str, parts: Sequence[Columns], most: int) -> list[str]:
    return list(points(key, _taken(by_time(parts), slice(most)), UUID(hex=run_id).hex)) if parts else []


def _joined(parts: Sequence[Columns]) -> Columns:
    if not parts:
        return Columns(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
    steps, timestamps, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Columns(steps, timestamps, values)


def _ordered(columns: Columns, keys: Any) -> Columns:
    """Sorted by ``keys``, the last first, and each once."""
    ordered = _taken(columns, np.lexsort(keys(columns)))
    step, timestamp, value = ordered
    same = (step[1:] == step[:-1]) & (timestamp[1:] == timestamp[:-1])
    same &= (value[1:] == value[:-1]) | (np.isnan(value[1:]) & np.isnan(value[:-1]))
    if not same.any():
        return ordered
    return _taken(ordered, np.concatenate(([True], ~same)))


def _taken(columns: Columns, which: NDArray[Any] | slice) -> Columns:
    return Columns(columns.step[which], columns.timestamp[which], columns.value[which])


def _listed(texts: Any, token: str) -> str:
    joined = ",".join(texts)
    fields = [f'"metrics":[{joined}]'] if joined else []
    if token:
        fields.append(f'"next_page_token":{json.dumps(token)}')
    return f"{{{','.join(fields)}}}"


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")
