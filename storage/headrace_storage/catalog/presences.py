"""Which runs have a writer, and which have had none for too long. All by the database's clock.

A run that goes on is *told* by the daemons at which its writers are open. One that nobody told of for the
lease has *lapsed*: it is KILLED, and RUNNING again when a writer returns. An explicit end is final to both.
"""

from collections.abc import Collection
from functools import partial
from typing import Final

from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.queries import Queries

_QUERIES: Final = Queries("presences")

TIME_TO_RETURN: Final = 15.0
"""Seconds that clients have to come back after a break, before silence counts. They try every 10 s."""

_SHORTEST_BREAK: Final = 2.0
"""Seconds. A busy machine may make a daemon wait for so long."""

_ENDED_AT_ONCE: Final = 500


def longest_break(lease: float) -> float:
    """Seconds for which no daemon may tell anything without a new lease for all.

    A break that is no longer counts as silence; it leaves clients the better part of the lease to return.
    """
    return max(lease / 3, _SHORTEST_BREAK)


class Presences:
    """The presences of a database. Several daemons tell; one at a time should expire."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def tell(self, run_ids: Collection[str], lease: float) -> list[str]:
        """Say that these runs have writers now; returns those that had lapsed and go on.

        To be called more often than every :func:`longest_break` of ``lease``, also for no runs at all.
        """
        async with self._database.acquire() as connection:
            rows = await connection.fetch(
                _QUERIES["tell"], list(run_ids), longest_break(lease), TIME_TO_RETURN
            )
        if not rows:
            return []
        lapsed = [row["run_id"].hex for row in rows]
        return await self._database.retrying(partial(_revive, lapsed), atomic=False)

    async def expire(self, lease: float) -> list[str]:
        """End the runs that had no writer for ``lease`` seconds; which they were.

        Nobody's silence counts while the daemons were silent, nor soon after.
        """
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["watch_attempts"])
            await connection.execute(_QUERIES["forget_ended"])
        expired: list[str] = []
        while True:
            ended = await self._database.retrying(partial(_expire, lease))
            expired += ended
            if len(ended) < _ENDED_AT_ONCE:
                return expired


async def _revive(lapsed: list[str], connection: Connection) -> list[str]:
    return [row["run_id"].hex for row in await connection.fetch(_QUERIES["revive"], lapsed)]


async def _expire(lease: float, connection: Connection) -> list[str]:
    rows = await connection.fetch(_QUERIES["silent"], lease, longest_break(lease), _ENDED_AT_ONCE)
    # Under their locks again: one may have ended meanwhile, or a writer of its returned.
    for query, arguments in (("lock_running", ()), ("lock_silent", (lease,))):
        rows = rows and await connection.fetch(_QUERIES[query], [row["run_id"] for row in rows], *arguments)
    run_ids = [row["run_id"] for row in rows]
    if run_ids:
        await connection.execute(_QUERIES["end_lapsed"], run_ids)
        await connection.execute(_QUERIES["forget"], run_ids)
    return [run_id.hex for run_id in run_ids]
