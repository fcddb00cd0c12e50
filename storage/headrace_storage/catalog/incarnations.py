"""Which daemons are alive, and which of them runs a background task now. All by the database's clock."""

from typing import Final

from headrace_storage.catalog.database import Database
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.text import storable

_QUERIES: Final = Queries("incarnations")


class Incarnations:
    """The starts of daemon processes. An incarnation that is dead never commits again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, label: str) -> int:
        """A new incarnation, alive; its number is never used again. ``label`` is for people."""
        async with self._database.acquire() as connection:
            return int(await connection.fetchval(_QUERIES["register"], storable(label)))

    async def heartbeat(self, incarnation: int) -> None:
        """Say that the incarnation is alive. It does not revive a dead one."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["heartbeat"], incarnation)

    async def retire(self, incarnation: int) -> None:
        """Declare the own incarnation dead, at a clean end, after its last commit."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["retire"], incarnation)

    async def mark_dead(self, older_than: float) -> list[int]:
        """Declare dead who was not heard of for ``older_than`` seconds, in a transaction of its own.

        Returns all dead incarnations, ascending, those of earlier calls included until they are forgotten:
        objects of theirs that no segment refers to never will be referred to.
        """
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["mark_dead"], float(older_than))
            return [row["id"] for row in await connection.fetch(_QUERIES["dead"])]

    async def forget(self, incarnation: int) -> None:
        """Forget a dead incarnation, whose unregistered objects are all deleted."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["forget"], incarnation)

    async def try_lease(self, name: str, holder: int, seconds: float) -> bool:
        """Take or prolong the lease ``name`` for ``seconds``; False while another incarnation holds it."""
        async with self._database.acquire() as connection:
            return bool(await connection.fetchval(_QUERIES["try_lease"], name, holder, float(seconds)))

    async def release_lease(self, name: str, holder: int) -> None:
        """Give the lease up before it expires, if ``holder`` has it."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["release_lease"], name, holder)
