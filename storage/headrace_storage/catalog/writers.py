"""Who may ship a writer, and from where on."""

import json
from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

from headrace_storage.catalog.commit import reject_of
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.queries import Queries
from headrace_storage.catalog.text import storable
from headrace_storage.errors import WriterRefusedError
from headrace_storage.model import OpenedWriter

_QUERIES: Final = Queries("writers")

_PRUNED_AT_ONCE: Final = 10_000


class Writers:
    """The writers of a database: their fences and their positions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self,
        writer_id: UUID,
        shipper_id: UUID,
        open_number: int,
        labels: Mapping[str, str],
        known_reject: int,
    ) -> OpenedWriter:
        """Give the writer to the shipper: commits under an earlier epoch end before this returns.

        ``known_reject`` is the ``first`` of the last reject that the shipper knows, -1 for none; later ones
        are returned. The same call may be made again after :class:`CatalogUnavailableError`.

        Raises:
            WriterRefusedError: the same shipper has opened the writer with a higher number: this is a
                delayed connection.
        """
        described = json.dumps({storable(key): storable(value) for key, value in labels.items()})
        async with self._database.acquire() as connection:
            opened = await connection.fetchrow(
                _QUERIES["open_writer"], writer_id, shipper_id, open_number, described
            )
            if opened is None:
                last = await connection.fetchval(_QUERIES["last_open_number"], writer_id)
                raise WriterRefusedError(writer_id.hex, open_number, last)
            rejects = await connection.fetch(_QUERIES["rejects_above"], writer_id, known_reject)
        epoch, committed, order_time = opened
        return OpenedWriter(epoch, committed, order_time, [reject_of(row) for row in rejects])

    async def labels(self, writer_ids: Collection[UUID]) -> dict[UUID, dict[str, str]]:
        """What the writers said of themselves when they were opened: host, pid, rank."""
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_QUERIES["labels"], list(writer_ids))
        return {writer: json.loads(labels) for writer, labels in rows}

    async def prune(self) -> int:
        """Delete the rows of progress that are not a writer's newest, and say how many there were.

        In small transactions that no commit waits for; a commit reads no more than a writer's newest row.
        """
        pruned: int = 0
        writer, first = UUID(int=0), 0
        while True:
            async with self._database.acquire() as connection:
                page = await connection.fetchrow(_QUERIES["prune_page"], writer, first, _PRUNED_AT_ONCE)
            if page is None:
                return pruned
            writer, first = page["writer_id"], page["first"]
            pruned += page["pruned"]
            if page["seen"] < _PRUNED_AT_ONCE:
                return pruned
