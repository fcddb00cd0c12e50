"""Carrier: ships journals that other processes wrote: leftovers of dead ones, and on request living ones.

The training process has one for the leftovers of its own tracking URI; ``sync`` and ``agent`` are one for
a whole folder.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headrace.errors import JournalError
from headrace.journal import folder as folders
from headrace.journal import layout
from headrace.journal.reader import JournalReader
from headrace.shipping.shipper import Shipper

logger = logging.getLogger("headrace")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the delivery of a journal is, in cells."""

    folder: Path
    uri: str
    tail: int
    committed: int
    living: bool
    shipper: str
    """Who ships it while its writer lives: ``thread`` (its own process) or ``agent``."""
    rejects: int = 0

    @property
    def pending(self) -> int:
        """Cells that are written and not durable yet."""
        return self.tail - self.committed


@dataclass(slots=True)
class Carrier:
    """Looks for journals below ``root`` and hands each to the shipper of its tracking URI."""

    root: Path
    keep: float
    shipper_for: Callable[[str], Shipper | None]
    """The shipper of a tracking URI; ``None``: leave these journals to others."""
    living: bool = False
    """Whether to ship the journals of living processes too that want an agent to."""
    refill: bool = False
    """Whether to offer journals that were delivered once more: the catalog may have gone back in time."""
    unreadable: set[Path] = field(default_factory=set)

    def scan(self) -> None:
        """Takes on what is there to ship, and deletes what is delivered and old enough."""
        for standing in self.standings():
            if standing.living and not (self.living and standing.shipper == "agent"):
                continue  # its own process ships it
            shipper = self.shipper_for(standing.uri)
            if shipper is None:
                continue
            lane = shipper.lane(standing.folder.name)
            if lane is not None:
                lane.living = standing.living and lane.writer is None
            elif standing.pending or standing.living or self.refill:
                shipper.take_on(standing.folder, living=standing.living, refill=self.refill)
            elif folders.expired(standing.folder / "control", self.keep):
                folders.remove(standing.folder)

    def standings(self) -> Iterator[Standing]:
        """Every journal below the folder that can be read."""
        for path in folders.journals(self.root):
            if path in self.unreadable:
                continue
            try:
                yield standing_of(path)
            except (JournalError, OSError, ValueError, KeyError) as error:
                if path.exists():
                    self.unreadable.add(path)
                    logger.warning("journal %s cannot be read: %s", path, error)

    async def run(self, interval: float) -> None:
        """Scans for ever, every ``interval`` seconds."""
        while True:
            try:
                self.scan()
            except OSError:
                logger.exception("the folder of journals %s cannot be read", self.root)
            await asyncio.sleep(interval)


def standing_of(path: Path) -> Standing:
    """How far the delivery of the journal at ``path`` is."""
    reader = JournalReader(path)
    try:
        living, shipper = folders.writer_lives(path), reader.header.get("shipper", "thread")
        rejects = reader.control[layout.REJECTS]
        return Standing(
            path, str(reader.header["uri"]), reader.tail, reader.committed, living, shipper, rejects
        )
    finally:
        reader.close()
