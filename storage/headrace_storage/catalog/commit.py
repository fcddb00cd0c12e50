"""The one transaction that makes a group durable and visible, exactly once.

In it, in this order (``migrations/0002_commit.sql``):

1. a share lock on the daemon's incarnation, which must be alive;
2. a share lock on each writer, whose epoch must be the group's: an Open waits for it, and fences after;
3. a row of ``progress`` per writer, which must follow the writer's newest one. Its key (writer, first)
   makes a second transaction of the same group wait for the first, wherever that one still runs;
4. the segment, changes of runs, gaps and rejects.

So a commit whose outcome is unknown is simply done again: it either happens now, or finds the writers
advanced by the group itself.
"""

import json
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import asyncpg

from headrace_storage.catalog.apply import apply_changes, lock_runs, parents_in
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.placement import place_runs
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.text import storable
from headrace_storage.errors import IncarnationDeadError, WritersMovedError
from headrace_storage.failpoints import failpoint
from headrace_storage.model import CreateRun, Gap, Group, Reject

_QUERIES: Final = Queries("commit")

_DEAD: Final = "HR001"
_MOVED: Final = "HR002"

LOST_TAG: Final = "headrace.lost"
"""The number of cells (points and parts of changes) that the run's writers could not deliver any more."""

_MAX_CODE_LENGTH: Final = 100
_MAX_MESSAGE_LENGTH: Final = 1000


class Commits:
    """Commits groups into a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def commit(self, group: Group) -> Sequence[Reject]:
        """Commit ``group`` and return all rejects in its ranges: its own, and changes refused just now.

        When it returns, the group is durable and visible to every reader. Call it again with the same
        group after :class:`CatalogUnavailableError`, whose outcome is unknown: it commits once.

        Raises:
            WritersMovedError: nothing of the group was committed, nor will be; its object can go. What is
                left without these writers is another group, with another id.
            IncarnationDeadError: this daemon may not commit any more. An earlier attempt may have.
            CatalogUnavailableError: try again.
        """
        try:
            await failpoint("commit.before")
            rejects = await self._database.retrying(partial(_commit, group), atomic=_is_long(group))
            await failpoint("commit.after")
        except WritersMovedError:
            # An earlier attempt may have moved them: the group is committed, whatever moved them since.
            if not await self._was_committed(group):
                raise
            return await self._stored_rejects(group)
        return rejects

    async def _was_committed(self, group: Group) -> bool:
        async with self._database.acquire() as connection:
            writers, firsts, _ = _ranges(group)
            path = group.segment and group.segment.path
            return bool(await connection.fetchval(_QUERIES["was_committed"], group.id, writers, firsts, path))

    async def _stored_rejects(self, group: Group) -> list[Reject]:
        async with self._database.acquire() as connection:
            return [
                reject_of(row) for row in await connection.fetch(_QUERIES["stored_rejects"], *_ranges(group))
            ]


def reject_of(row: Any) -> Reject:
    """A row of ``rejects`` (writer, first, end, code, message, run)."""
    writer, first, end, code, message, run_id = row
    return Reject(writer, first, end, code, message, run_id and run_id.hex)


async def _commit(group: Group, connection: Connection) -> list[Reject]:
    try:
        await connection.execute(_QUERIES["commit_group"], *_arguments(group))
    except asyncpg.PostgresError as error:
        if error.sqlstate == _DEAD:
            raise IncarnationDeadError(group.incarnation) from error
        if error.sqlstate == _MOVED:
            raise _moved(json.loads(error.detail)) from error
        raise
    refused = await _apply_changes(connection, group) if _is_long(group) else []
    return sorted([*group.rejects, *refused], key=_place)


def _is_long(group: Group) -> bool:
    """Whether one statement is not enough."""
    return bool(group.changes or group.gaps)


async def _apply_changes(connection: Connection, group: Group) -> list[Reject]:
    creates = [change.change for change in group.changes if isinstance(change.change, CreateRun)]
    placements = await place_runs(connection, creates)
    changed = {change.run_id for change in group.changes}
    known = changed.union(group.new_runs, *(gap.runs for gap in group.gaps))
    erased = await lock_runs(connection, known, parents_in(creates))
    refused = await apply_changes(connection, group.changes, placements, erased) if group.changes else []
    if group.gaps:
        await _store_gaps(connection, group.gaps, erased)
    if refused:
        await connection.execute(_QUERIES["store_rejects"], *_reject_columns(refused))
    return refused


async def _store_gaps(connection: Connection, gaps: Sequence[Gap], erased: Collection[str]) -> None:
    """Stores gaps, and tags the runs, which are locked, with the sum of what they may have lost."""
    columns = [
        [gap.writer for gap in gaps],
        [gap.first for gap in gaps],
        [gap.end for gap in gaps],
        [gap.reason for gap in gaps],
    ]
    await connection.execute(_QUERIES["store_gaps"], *columns)
    of_runs = [(run, gap.writer, gap.first) for gap in gaps for run in gap.runs if run not in erased]
    for_runs = [list(column) for column in zip(*of_runs, strict=True)] or [[], [], []]
    await connection.execute(_QUERIES["store_gap_runs"], *for_runs)
    await connection.execute(_QUERIES["tag_gaps"], for_runs[0], LOST_TAG)


def _arguments(group: Group) -> list[Any]:
    advances = sorted(group.advances)
    if not advances or len({advance.writer for advance in advances}) != len(advances):
        raise ValueError("a group advances at least one writer, and each of them once")
    segment = group.segment
    return [
        group.id,
        group.incarnation,
        [advance.writer for advance in advances],
        [advance.epoch for advance in advances],
        [advance.first for advance in advances],
        [advance.end for advance in advances],
        [advance.order_time for advance in advances],
        segment and segment.rows,
        segment and segment.size,
        segment and segment.checksum,
        segment and segment.path,
        segment and segment.inline,
        segment and segment.summary,
        segment.runs if segment else [],
        # With changes, the runs are created after the experiments: the order of locks.
        [] if _is_long(group) else group.new_runs,
        *_reject_columns(group.rejects),
    ]


def _reject_columns(rejects: Sequence[Reject]) -> list[list[Any]]:
    return [
        [reject.writer for reject in rejects],
        [reject.first for reject in rejects],
        [reject.end for reject in rejects],
        [storable(reject.code, _MAX_CODE_LENGTH) for reject in rejects],
        [storable(reject.message, _MAX_MESSAGE_LENGTH) for reject in rejects],
        [reject.run_id for reject in rejects],
    ]


def _ranges(group: Group) -> tuple[list[UUID], list[int], list[int]]:
    return (
        [advance.writer for advance in group.advances],
        [advance.first for advance in group.advances],
        [advance.end for advance in group.advances],
    )


def _moved(detail: dict[str, Any]) -> WritersMovedError:
    holders = {
        UUID(writer).hex: UUID(shipper).hex for writer, shipper in detail["holders"].items() if shipper
    }
    fenced = [UUID(writer).hex for writer in detail["holders"]]
    elsewhere = [UUID(writer).hex for writer in detail["elsewhere"]]
    return WritersMovedError(fenced, elsewhere, holders)


def _place(reject: Reject) -> tuple[UUID, int]:
    return reject.writer, reject.first
