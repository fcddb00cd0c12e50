"""Which segments are live, and how they are replaced by larger ones.

A segment appears by a commit and goes by a swap, in whose transaction its successor appears. An object
that went is garbage for a while, for readers that were told of it before.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final, NamedTuple

from headrace_storage.catalog.apply import lock_runs
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.rewinds import wait_for_changes
from headrace_storage.errors import IncarnationDeadError, SegmentsMovedError
from headrace_storage.model import NewSegment, SegmentRef
from headrace_storage.visibility import View, decode_views

_QUERIES: Final = Queries("segments")

DAMAGED_TAG: Final = "headrace.damaged"
"""The number of points in damaged segments that were given up; other runs of a segment count, too."""


class Plan(NamedTuple):
    """Segments by id, and views of those runs that do not simply show their own points."""

    segments: Sequence[SegmentRef]
    views: Sequence[View] = ()


class Live(NamedTuple):
    """All objects by id, all views, and the erased runs of which some object still holds points."""

    segments: Sequence[SegmentRef]
    views: Sequence[View]
    erased: Sequence[str]


class Segments:
    """The segments of one catalog. Every method may raise CatalogUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self, run_ids: Collection[str]) -> Plan:
        """All live segments with points that the runs show, inline ones with their bytes; one snapshot."""
        async with self._database.acquire() as connection:
            return await self._plan(connection, "plan", list(run_ids))

    async def objects(self, known: Collection[int] = ()) -> Live:
        """All live segments that are objects, and what there is to know about them; one snapshot.

        ``known``: those that were asked for before. Others may hold points of erased runs that journals
        delivered since, and are marked for the compactor.
        """
        async with self._database.transaction("repeatable_read", readonly=True) as connection:
            plan = await self._plan(connection, "objects")
            new = sorted({ref.id for ref in plan.segments}.difference(known))
            rows = await connection.fetch(_QUERIES["erased_in_objects"], new)
        if rows and new:
            await self._set_apart(new)
        return Live(*plan, [row["run_id"].hex for row in rows])

    async def page(self, after: int, limit: int) -> list[SegmentRef]:
        """Live segments whose id is above ``after``, inline ones with their bytes, by id."""
        return await self._refs("page", after, limit)

    async def total_size(self) -> int:
        """The bytes of all live segments."""
        async with self._database.acquire() as connection:
            return int(await connection.fetchval(_QUERIES["total_size"]))

    async def runs_of(self, segment_id: int) -> list[str] | None:
        """The runs with points in a segment; ``None`` when it is not live any more."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["runs_of"], segment_id)
            live = await connection.fetchval(_QUERIES["is_live"], segment_id)
        return [row["run_id"].hex for row in rows] if live else None

    async def small_objects(self, below: int, without: Collection[int]) -> dict[int, int]:
        """How many folded objects of fewer than ``below`` rows each level has; not counting ``without``."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["small_objects"], below, list(without))
        return {row["level"]: row["objects"] for row in rows}

    async def mergeable_objects(
        self, level: int, below: int, without: Collection[int], *, most: int, most_rows: int
    ) -> list[SegmentRef]:
        """The oldest of what :meth:`small_objects` counted: at most ``most``, ``most_rows`` together."""
        return await self._refs("mergeable_objects", level, below, list(without), most, most_rows)

    async def objects_with_erased(self, without: Collection[int], *, most: int) -> list[SegmentRef]:
        """The oldest folded objects that still hold points of erased runs; not ``without``."""
        return await self._refs("objects_with_erased", list(without), most)

    async def erased_in(self, segments: Sequence[SegmentRef]) -> list[str]:
        """The erased runs whose points these segments, which are folded, still hold.

        What the fold has counted of them is forgotten.
        """
        ids = [ref.id for ref in segments]
        await self._set_apart(ids)
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["erased_in"], ids)
            if rows:
                await connection.execute(_QUERIES["forget_summaries"], [row["run_id"] for row in rows])
        return [row["run_id"].hex for row in rows]

    async def drainable(self, without: Collection[int], *, most: int, most_bytes: int) -> list[SegmentRef]:
        """The oldest folded inline segments: at most ``most``, of ``most_bytes`` together."""
        return await self._refs("drainable", list(without), most, most_bytes)

    async def swap(
        self, inputs: Sequence[SegmentRef], output: NewSegment | None, *, level: int, incarnation: int
    ) -> None:
        """Replace ``inputs`` by ``output`` in one transaction.

        It is an object that holds exactly their points, without those of erased runs; ``None``: none is left.

        Raises:
            SegmentsMovedError: an input is not live any more, or not folded. Nothing happened.
            IncarnationDeadError: the daemon that wrote the object is dead. Nothing happened.
            CatalogUnavailableError: the outcome is unknown; ``output`` may be live.
        """
        ids = [ref.id for ref in inputs]

        async def work(connection: Connection) -> None:
            if await connection.fetchval(_QUERIES["lock_incarnation"], incarnation) is None:
                raise IncarnationDeadError(incarnation)
            removed = await connection.fetch(_QUERIES["remove_inputs"], ids)
            if len(removed) != len(ids):
                raise SegmentsMovedError(len(ids) - len(removed))
            await connection.execute(_QUERIES["remove_inline"], ids)
            await connection.execute(_QUERIES["remove_runs"], ids)
            retired = [row["path"] for row in removed if row["path"] is not None]
            await connection.execute(_QUERIES["retire_objects"], retired)
            if output is not None:
                await connection.execute(
                    _QUERIES["register"],
                    incarnation,
                    output.path,
                    output.rows,
                    output.size,
                    output.checksum,
                    level,
                    list(output.runs),
                )
            await wait_for_changes(connection)
            if moved := await connection.fetchval(_QUERIES["count_again"], ids):
                raise SegmentsMovedError(moved)

        await self._database.retrying(work)

    async def drop(self, segment_id: int, run_ids: Sequence[str], rows: int) -> None:
        """Take a damaged segment with ``rows`` points of the runs out of the catalog, and tag the runs.

        Raises:
            SegmentsMovedError: it is not live any more. Nothing happened.
            CatalogUnavailableError: the outcome is unknown.
        """

        async def work(connection: Connection) -> None:
            await lock_runs(connection, run_ids)
            await connection.execute(_QUERIES["tag_damaged"], list(run_ids), DAMAGED_TAG, rows)
            await wait_for_changes(connection)
            await connection.execute(_QUERIES["remove_unfolded"], [segment_id])
            if not await connection.fetch(_QUERIES["remove_inputs"], [segment_id]):
                raise SegmentsMovedError(1)
            await connection.execute(_QUERIES["remove_inline"], [segment_id])
            await connection.execute(_QUERIES["remove_runs"], [segment_id])

        await self._database.retrying(work)

    async def garbage(self, older_than: float, limit: int) -> list[str]:
        """Objects retired more than ``older_than`` seconds ago, the oldest first."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["garbage"], float(older_than), limit)
        return [row["path"] for row in rows]

    async def forget_garbage(self, paths: Collection[str]) -> None:
        """Forget retired objects, which are deleted."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["forget_garbage"], list(paths))

    async def unregistered(self, paths: Collection[str]) -> list[str]:
        """Those of ``paths`` that are neither live nor retired."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["unregistered"], list(paths))
        return [row["path"] for row in rows]

    async def _set_apart(self, segment_ids: Sequence[int]) -> None:
        """Marks what segments hold of erased runs: a journal delivered it late."""
        async with self._database.acquire() as connection:
            await connection.execute(_QUERIES["set_apart"], segment_ids)

    async def _plan(self, connection: Connection, query: str, *args: Any) -> Plan:
        rows = await connection.fetch(_QUERIES[query], *args)
        views = decode_views(rows[0]["views"]) if rows else []
        return Plan([SegmentRef(*tuple(row)[:-1]) for row in rows], views)

    async def _refs(self, query: str, *args: Any) -> list[SegmentRef]:
        async with self._database.acquire() as connection:
            return [SegmentRef(*row) for row in await connection.fetch(_QUERIES[query], *args)]
