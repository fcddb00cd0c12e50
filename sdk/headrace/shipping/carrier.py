"""Carrier: ships journals that other processes wrote: leftovers of dead ones, and on request living ones.

The training process has one for the leftovers of its own tracking URI; ``sync`` and ``agent`` are one for
a whole folder.
"""

import asyncio
import errno
import logging
import resource
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from headrace.errors import JournalError
from headrace.journal import folder as folders
from headrace.journal import layout
from headrace.journal.reader import JournalReader
from headrace.shipping.courier import Courier
from headrace.shipping.shipper import Shipper
from headrace.spool.reader import spools

logger = logging.getLogger("headrace")

FILES = 4
"""Files that shipping a journal holds open: control page, definitions, cells, lock."""

CROWDED_SECONDS = 6.0
"""How soon to look again when journals wait for others: those that are delivered are let go of by then."""


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


def _room() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 64 if soft == resource.RLIM_INFINITY else max(4, min(64, soft // (2 * FILES)))


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
    offered: set[Path] = field(default_factory=set)
    """Journals that were taken on: to refill, each is once."""
    at_once: int = field(default_factory=_room)
    """How many journals of others to ship at a time: each takes :data:`FILES` open files."""
    unreadable: set[Path] = field(default_factory=set)
    delivered: set[Path] = field(default_factory=set)
    """Journals of dead writers that are delivered whole: there is nothing more to learn of them."""
    courier_for: Callable[[str], Courier | None] = lambda _: None
    """The courier of a tracking URI, for the files that are to be uploaded; ``None``: leave them."""
    waiting: set[Path] = field(default_factory=set)
    """Journals that wait because :attr:`at_once` others are being shipped."""

    def scan(self) -> None:
        """Takes on what is there to ship, and deletes what is delivered and old enough."""
        shippers: set[Shipper] = set()
        self.waiting.clear()
        for standing in self.standings(self.delivered):
            if standing.living and not (self.living and standing.shipper == "agent"):
                continue  # its own process ships it
            shipper = self.shipper_for(standing.uri)
            if shipper is None:
                continue
            shippers.add(shipper)
            lane = shipper.lane(standing.folder.name)
            if lane is not None:
                lane.living = standing.living and lane.writer is None
            elif not (standing.pending or standing.living or self._to_offer(standing.folder)):
                self.delivered.add(standing.folder)
            elif sum(shipper.others for shipper in shippers) < self.at_once:
                self.offered.add(standing.folder)
                shipper.take_on(standing.folder, living=standing.living, refill=self.refill)
            else:
                self.waiting.add(standing.folder)
        self._scan_spools()
        for path in [path for path in self.delivered if _expired(path, self.keep)]:
            folders.remove(path)
            self.delivered.discard(path)

    def _scan_spools(self) -> None:
        for path in spools(self.root):
            if path in self.unreadable:
                continue
            try:
                header, living = folders.header(path), folders.writer_lives(path)
            except (JournalError, OSError) as error:
                if path.exists():
                    self.unreadable.add(path)
                    logger.warning("spool %s cannot be read: %s", path, error)
                continue
            if living and not (self.living and header.get("shipper") == "agent"):
                continue
            courier = self.courier_for(str(header["uri"]))
            if courier is not None:
                courier.take_on(path)

    def _to_offer(self, journal: Path) -> bool:
        return self.refill and journal not in self.offered

    def standings(self, without: Collection[Path] = ()) -> Iterator[Standing]:
        """Every journal below the folder that can be read."""
        for path in folders.journals(self.root):
            if path in self.unreadable or path in without:
                continue
            try:
                yield standing_of(path)
            except (JournalError, OSError, ValueError, KeyError) as error:
                if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
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
            await asyncio.sleep(min(interval, CROWDED_SECONDS) if self.waiting else interval)


def _expired(path: Path, keep: float) -> bool:
    try:
        return folders.expired(path / "control", keep)
    except OSError:
        return True


def room_for(files: int) -> int:
    """How many journals a process of its own can ship at once; raises its soft limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files if hard == resource.RLIM_INFINITY else min(files, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(_room(), (files if soft == resource.RLIM_INFINITY else min(soft, files)) // FILES - 64)


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
