"""The runs of a page, as they were in the snapshot in which they were found."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.lineage import lineage_of
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.search_look import Look
from headrace_storage.model import Run, RunStatus
from headrace_storage.search.columns import Positions

_QUERIES: Final = Queries("search")

_AT_ONCE: Final = 250
"""Runs that are read at once."""

_MOST_BYTES: Final = 4_000_000
"""About what a page takes: it ends before a run with which it would be more, and has one at least."""

_ENTRY_BYTES: Final = 50
"""Of a metric, param or tag, beside its texts."""


class Latest(NamedTuple):
    """The latest point of each of a run's metrics, as columns."""

    keys: Sequence[str] = ()
    values: Sequence[float] = ()
    timestamps: Sequence[int] = ()
    steps: Sequence[int] = ()


class FoundRun(NamedTuple):
    """A run with the latest point of each metric."""

    run: Run
    latest: Latest


async def read_page(connection: Connection, look: Look, positions: Positions) -> list[FoundRun]:
    """The runs, in this order, as many as fit on a page."""
    found: list[FoundRun] = []
    size = 0
    for start in range(0, len(positions), _AT_ONCE):
        for run in await _read(connection, look, positions[start : start + _AT_ONCE]):
            size += _size(run)
            if found and size > _MOST_BYTES:
                return found
            found.append(run)
    return found


async def _read(connection: Connection, look: Look, positions: Positions) -> list[FoundRun]:
    ids = look.hex_digits(positions)
    found = {run.run.run_id: run for run in map(_found, await connection.fetch(_QUERIES["page"], ids))}
    for run_id, datasets, models in await connection.fetch(_QUERIES["lineages_of_page"], ids):
        run = found[run_id.hex]
        found[run_id.hex] = run._replace(run=replace(run.run, lineage=lineage_of(datasets, models)))
    if len(fresh := look.unfolded_among(positions)):
        for run_id, latest in (await _latest(look, fresh)).items():
            found[run_id] = found[run_id]._replace(latest=latest)
    return [found[run_id] for run_id in ids]


def _found(row: Any) -> FoundRun:
    (
        run_id, run_name, experiment_id, user_id, status, start_time, end_time, stage, artifact_uri,
        params, param_values, tags, tag_values, *latest,
    ) = row  # fmt: skip
    run = Run(
        run_id=run_id.hex,
        run_name=run_name,
        experiment_id=str(experiment_id),
        user_id=user_id,
        status=RunStatus(status),
        start_time=start_time,
        end_time=end_time,
        lifecycle_stage=stage,
        artifact_uri=artifact_uri,
        params=dict(zip(params, param_values or (), strict=True)),
        tags=dict(zip(tags, tag_values or (), strict=True)),
    )
    return FoundRun(run, Latest(*latest) if latest[0] else Latest())


async def _latest(look: Look, positions: Positions) -> dict[str, Latest]:
    """Of runs with points in no summary."""
    summaries, _ = await look.unfolded_summaries(positions, None)
    columns: dict[str, tuple[list[Any], ...]] = defaultdict(lambda: ([], [], [], []))
    numbers = (summaries.numbers[f"last_{name}"].tolist() for name in ("value", "timestamp", "step"))
    for (run_id, key), *point in zip(summaries.keys, *numbers, strict=True):
        for column, one in zip(columns[run_id], (key, *point), strict=True):
            column.append(one)
    return {run_id: Latest(*found) for run_id, found in columns.items()}


def _size(found: FoundRun) -> int:
    run, latest = found
    texts: list[Iterable[str]] = [run.params, run.params.values(), run.tags, run.tags.values(), latest.keys]
    texts += [used.dataset for used in run.lineage.datasets]
    entries = len(run.params) + len(run.tags) + len(latest.keys)
    return _ENTRY_BYTES * entries + sum(sum(map(len, some)) for some in texts)
