"""Applies the changes of a group inside its transaction: lock the runs, read, decide, write.

Runs are locked before anything of them is read, and params, tags and attempts are written only by who
holds that lock: no two transactions can wait for each other's keys.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from headrace_storage.catalog.changes import (
    RUN_NAME_TAG,
    Attempt,
    Ledger,
    Placement,
    RunState,
    refused,
    shown,
)
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.lineage import known_models, write_lineage
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.rewinds import read_histories, show_anew
from headrace_storage.catalog.sqlstates import is_refused_value, refusal_reason
from headrace_storage.lineage import LinkMetric, LogDataset, LogModels
from headrace_storage.model import (
    Change,
    CreateRun,
    DeleteTag,
    EndRun,
    Reject,
    RunChange,
    RunStatus,
    SetParam,
    SetTag,
    StartAttempt,
)

_QUERIES: Final = Queries("apply")

_NOUNS: Final = {
    CreateRun: "run",
    StartAttempt: "attempt",
    EndRun: "end of the run",
    SetParam: "param",
    SetTag: "tag",
    DeleteTag: "tag",
    LogDataset: "dataset",
    LogModels: "models of run",
    LinkMetric: "metric of a model",
}


async def lock_runs(
    connection: Connection, run_ids: Collection[str], parents: Collection[str] = ()
) -> set[str]:
    """Lock the runs until the transaction ends; those that do not exist become placeholders.

    Returns those that were erased, which stay away. ``parents`` are locked, too, if they exist.
    """
    ordered = sorted(run_ids)
    await connection.execute(_QUERIES["create_placeholders"], ordered)
    rows = await connection.fetch(_QUERIES["lock_runs"], sorted({*ordered, *parents}))
    locked = {run_id.hex for (run_id,) in rows}
    if len(locked) == len(ordered) and not parents:
        return set()
    return {UUID(run_id).hex for run_id in ordered} - locked


def parents_in(changes: Iterable[RunChange]) -> set[str]:
    """The runs that forks are made of."""
    return {change.fork_from for change in changes if isinstance(change, CreateRun) and change.fork_from}


async def apply_changes(
    connection: Connection,
    changes: Sequence[Change],
    placements: Mapping[tuple[str, str], Placement],
    erased: Collection[str] = (),
) -> list[Reject]:
    """Apply ``changes`` to runs that are locked; returns the refused ones, which are all of ``erased`` runs.

    What only PostgreSQL refuses (a NUL, an over-long index entry) is found by halving: the culprit becomes
    a reject, the rest is applied.
    """
    if erased:
        refusals = [_refused_as_erased(change) for change in changes if change.run_id in erased]
        others = [change for change in changes if change.run_id not in erased]
        return refusals + (await apply_changes(connection, others, placements) if others else [])
    try:
        async with connection.transaction():
            return await _apply(connection, changes, placements)
    except asyncpg.PostgresError as error:
        if not is_refused_value(error):
            raise
        if len(changes) == 1:
            return [_refused_by_database(changes[0], error)]
    middle = len(changes) // 2
    earlier = await apply_changes(connection, changes[:middle], placements)
    return earlier + await apply_changes(connection, changes[middle:], placements)


async def _apply(
    connection: Connection, changes: Sequence[Change], placements: Mapping[tuple[str, str], Placement]
) -> list[Reject]:
    ledger = Ledger(
        await _runs(connection, changes),
        await _params(connection, changes),
        placements,
        models=await known_models(connection, changes),
    )
    rejects = [reject for change in changes if (reject := ledger.apply(change))]
    await _write(connection, ledger)
    await write_lineage(connection, ledger)
    return rejects


async def _runs(connection: Connection, changes: Sequence[Change]) -> dict[str, RunState]:
    run_ids = {
        change.run_id
        for change in changes
        if isinstance(change.change, CreateRun | StartAttempt | EndRun)
        or (isinstance(change.change, SetTag) and change.change.key == RUN_NAME_TAG)
    }
    if not run_ids:
        return {}
    # Most changes are about neither, and cost nothing.
    parents = parents_in(change.change for change in changes)
    rewound = {
        change.run_id
        for change in changes
        if isinstance(change.change, StartAttempt) and change.change.resume_from_step is not None
    }
    run_ids |= parents
    runs = {}
    for row in await connection.fetch(_QUERIES["read_runs"], run_ids):
        run_id, experiment_id, run_name, user_id, status, *rest = row
        runs[run_id.hex] = RunState(run_id.hex, experiment_id, run_name, user_id, RunStatus(status), *rest)
    for run_id, *attempt in await connection.fetch(_QUERIES["read_attempts"], run_ids):
        runs[run_id.hex].attempts[attempt[0]] = Attempt(*attempt)
    if parents or rewound:
        for run_id, history in (await read_histories(connection, parents | rewound)).items():
            if run_id in runs:
                runs[run_id].rewinds, runs[run_id].inherited = history
    return runs


async def _params(connection: Connection, changes: Iterable[Change]) -> dict[tuple[str, str], str]:
    keys = {(change.run_id, change.change.key) for change in changes if isinstance(change.change, SetParam)}
    if not keys:
        return {}
    rows = await connection.fetch(_QUERIES["read_params"], *_columns(keys))
    return {(run_id.hex, key): value for run_id, key, value in rows}


async def _write(connection: Connection, ledger: Ledger) -> None:
    set_tags = [(*key, value) for key, value in ledger.tags.items() if value is not None]
    deleted_tags = [key for key, value in ledger.tags.items() if value is None]
    statements: dict[str, list[tuple[Any, ...]]] = {
        "write_runs": [
            (
                run.run_id,
                run.experiment_id,
                run.run_name,
                run.user_id,
                run.status,
                run.start_time,
                run.end_time,
                run.placeholder,
                run.lapsed,
            )
            for run in (ledger.runs[run_id] for run_id in ledger.changed_runs)
        ],
        "write_attempts": [(run_id, *attempt) for run_id, attempt in ledger.new_attempts],
        "write_params": [(*key, value) for key, value in ledger.new_params.items()],
        "write_tags": set_tags,
        "delete_tags": deleted_tags,
        "write_initial_tags": [(*key, value) for key, value in ledger.initial_tags.items()],
    }
    for name, rows in statements.items():
        if rows:
            await connection.execute(_QUERIES[name], *_columns(rows))
    for run_id in sorted(ledger.shown_anew):
        run = ledger.runs[run_id]
        await show_anew(connection, run_id, run.rewinds, run.inherited)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _refused_as_erased(change: Change) -> Reject:
    return refused(change, "RESOURCE_DOES_NOT_EXIST", f"run {change.run_id} was erased (headrace gc)")


def _refused_by_database(change: Change, error: asyncpg.PostgresError) -> Reject:
    noun = _NOUNS[type(change.change)]
    name = getattr(change.change, "key", change.run_id)
    message = f"{noun} {shown(name)} cannot be stored: {refusal_reason(error)}"
    return refused(change, "INVALID_PARAMETER_VALUE", message)
