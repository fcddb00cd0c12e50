"""Rewinds and forks in the catalog: what a run shows is changed in one transaction, and can be changed back.

In that transaction the run's stored summaries go, and all of its segments are marked to be folded anew
for this run alone (``refold``); readers add what is so marked, as they add what is not folded yet.

No summary may be of points that the run did not show: a fold and a swap of segments look at the end of their
transaction whether something changed under them, and between that look and their commit no change begins.
One lock sees to it. Nobody else takes it: neither readers nor commits without a rewind or a fork.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.queries import Queries
from headrace_storage.errors import NotFoundError
from headrace_storage.visibility import Bound, Bounds, Rewind, shown

_QUERIES: Final = Queries("rewinds")

_FOLDING: Final = 0x6865616466_6F6C64
"""The key of the advisory lock: "headfold" in ASCII."""


class StoredRewind(NamedTuple):
    """A rewind and the token of the attempt that made it."""

    rewind: Rewind
    token: str


class Rewinds:
    """The rewinds of a database's runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, run_id: str) -> list[StoredRewind]:
        """The rewinds of a run, undone ones too, oldest first.

        Raises:
            NotFoundError: there is no such run.
        """
        async with self._database.acquire() as connection:
            if not await connection.fetchval(_QUERIES["run_exists"], _uuid(run_id)):
                raise NotFoundError("run", run_id)
            return await _list(connection, run_id)

    async def change(self, run_id: str, number: int, *, undone: bool) -> StoredRewind:
        """Undo the rewind that the attempt ``number`` made, or do it again; twice is once.

        Raises:
            NotFoundError: there is no such run or rewind.
        """
        id_ = _uuid(run_id)

        async def work(connection: Connection) -> StoredRewind:
            if await connection.fetchval(_QUERIES["lock_run"], id_) is None:
                raise NotFoundError("run", run_id)
            rewinds, inherited = (await read_histories(connection, [run_id]))[UUID(run_id).hex]
            places = [place for place, rewind in enumerate(rewinds) if rewind.number == number]
            if not places:
                raise NotFoundError("rewind", str(number))
            rewind = rewinds[places[0]]
            if undone != (rewind.undone_at is not None):
                rewinds[places[0]] = rewind._replace(
                    undone_at=time.time_ns() // 1_000_000 if undone else None
                )
                await show_anew(connection, UUID(run_id).hex, rewinds, inherited)
            return next(found for found in await _list(connection, run_id) if found.rewind.number == number)

        return await self._database.retrying(work)


async def wait_for_changes(connection: Connection) -> None:
    """Wait until nobody changes what runs show; in a transaction, also keep everybody from it till its end.

    Who waits so may hold nothing that a change then needs: no summaries, no marks for folding anew.
    """
    await connection.execute(_QUERIES["wait_for_changes"], _FOLDING)


async def keep_changes_out(connection: Connection) -> bool:
    """Keep everybody from changing what runs show till the transaction's end, unless somebody does now."""
    return bool(await connection.fetchval(_QUERIES["keep_changes_out"], _FOLDING))


async def read_histories(
    connection: Connection, run_ids: Collection[str]
) -> dict[str, tuple[list[Rewind], dict[str, Bounds]]]:
    """The rewinds of runs, and what they inherit, by source."""
    found: defaultdict[str, tuple[list[Rewind], dict[str, Bounds]]] = defaultdict(lambda: ([], {}))
    ids = [UUID(run_id) for run_id in run_ids]
    for run_id, *rewind in await connection.fetch(_QUERIES["read_rewinds"], ids):
        found[run_id.hex][0].append(Rewind(*rewind))
    for run_id, source, throughs, lasts in await connection.fetch(_QUERIES["read_inherited"], ids):
        found[run_id.hex][1][source.hex] = list(map(Bound, throughs, lasts))
    return found


async def show_anew(
    connection: Connection, run_id: str, rewinds: Sequence[Rewind], inherited: Mapping[str, Bounds]
) -> None:
    """Store what a run, which is locked, shows from now on."""
    await connection.execute(_QUERIES["begin_change"], _FOLDING)
    columns = [list(column) for column in zip(*rewinds, strict=True)] or [[], [], [], []]
    await connection.execute(_QUERIES["write_rewinds"], run_id, *columns)
    for source, bounds in inherited.items():
        await connection.execute(_QUERIES["write_inherited"], run_id, source, *_arrays(bounds))
    for query in ("forget_views", "forget_summaries", "forget_refolds"):
        await connection.execute(_QUERIES[query], run_id)
    for source, bounds in shown(run_id, rewinds, inherited).items():
        await connection.execute(_QUERIES["write_view"], run_id, source, *_arrays(bounds))
    await connection.execute(_QUERIES["refold"], run_id)


async def _list(connection: Connection, run_id: str) -> list[StoredRewind]:
    rows = await connection.fetch(_QUERIES["list"], run_id)
    return [StoredRewind(Rewind(*rewind), token) for *rewind, token in rows]


def _arrays(bounds: Bounds) -> tuple[list[int], list[int]]:
    return [bound.through for bound in bounds], [bound.last_step for bound in bounds]


def _uuid(run_id: str) -> UUID:
    try:
        return UUID(hex=run_id)
    except ValueError:
        raise NotFoundError("run", run_id) from None
