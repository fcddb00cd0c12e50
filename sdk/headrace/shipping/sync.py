"""``headrace sync DIR``: delivers what is in a folder of journals, and returns when it is all durable."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from headrace.errors import JournalError, UnavailableError
from headrace.journal.folder import header, writer_lives
from headrace.shipping.address import normalize
from headrace.shipping.agent import Fleet
from headrace.shipping.carrier import Carrier, Standing
from headrace.shipping.courier import Courier
from headrace.shipping.runtime import runtime
from headrace.shipping.shipper import Shipper
from headrace.spool.entry import ENTRY
from headrace.spool.reader import spools

LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """Cells (points and changes) to deliver when the command began, and those durable by now."""

    total: int
    delivered: int


@dataclass(slots=True)
class SyncReport:
    """What became of the journals."""

    delivered: int = 0
    """Cells that are durable now and were not before."""
    pending: int = 0
    """Cells that are left, in ``unfinished``."""
    rejects: int = 0
    """Refused operations in the journals, old ones too (``headrace rejects`` shows them)."""
    journals: int = 0
    unfinished: list[Path] = field(default_factory=list)
    uploads: int = 0
    """Files, or packs of small ones, that were uploaded."""
    waiting: int = 0
    """Those that are left."""
    unreadable: list[Path] = field(default_factory=list)
    """Journals that are damaged; the log says how."""


def sync(
    journal_dir: Path,
    *,
    uri: str | None = None,
    keep: float = 600.0,
    refill: bool = False,
    progress: Callable[[SyncProgress], None] = lambda _: None,
) -> SyncReport:
    """Ships every journal below ``journal_dir``; those of living processes only if they want an agent to.

    Args:
        journal_dir: the folder, as in ``HEADRACE_JOURNAL_DIR``.
        uri: deliver to this tracking URI, not to the one that each journal names.
        refill: offer what was delivered once more, for a catalog that was restored from a backup.
        keep: delete journals that are delivered and were not touched for so many seconds.
        progress: called about 20 times a second.

    Raises:
        UnavailableError: no daemon answers, and nothing moved for 15 seconds.
    """
    return runtime().submit(_sync(journal_dir, uri and normalize(uri), keep, refill, progress)).result()


async def _sync(
    journal_dir: Path,
    uri: str | None,
    keep: float,
    refill: bool,
    progress: Callable[[SyncProgress], None],
) -> SyncReport:
    fleet = Fleet(keep)

    def shipper_for(target: str) -> Shipper:
        return fleet.shipper_for(uri or target)

    def courier_for(target: str) -> Courier:
        return fleet.courier_for(uri or target)

    carrier = Carrier(journal_dir, keep, shipper_for, living=True, refill=refill, courier_for=courier_for)
    files = _waiting(journal_dir)
    goal = {standing.folder: standing for standing in carrier.standings()}
    total = sum(standing.tail if refill else standing.pending for standing in goal.values())
    moved, delivered = time.monotonic(), (-1, 0, 0)
    try:
        carrier.scan()
        while True:
            left = _left(carrier, goal)
            for shipper in fleet.shippers:
                shipper.tidy()
            if carrier.waiting:
                carrier.scan()
            progress(SyncProgress(total, total - sum(left.values())))
            waiting = _waiting(journal_dir)
            if not left and not waiting:
                break
            standing = total - sum(left.values()), waiting, fleet.sent
            if standing != delivered:
                moved, delivered = time.monotonic(), standing
            if time.monotonic() - moved > PATIENCE_SECONDS:
                if fleet.unreachable:
                    raise UnavailableError(f"no daemon answers at {uri or _targets(goal)}; nothing was lost")
                break
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await fleet.stop()
    now = {standing.folder: standing for standing in carrier.standings()}
    return SyncReport(
        delivered=total - sum(left.values()),
        pending=sum(left.values()),
        rejects=sum(standing.rejects for standing in now.values()),
        journals=len(goal),
        uploads=files - _waiting(journal_dir),
        waiting=_waiting(journal_dir),
        unfinished=sorted(left),
        unreadable=sorted(carrier.unreadable),
    )


def _left(carrier: Carrier, goal: dict[Path, Standing]) -> dict[Path, int]:
    """Of the cells that were written when the command began: how many are not durable, by journal."""
    left = {}
    for standing in carrier.standings(carrier.delivered):
        if standing.folder not in goal:
            continue
        committed = standing.committed
        if carrier.refill and (shipper := carrier.shipper_for(standing.uri)):
            lane = shipper.lane(standing.folder.name)
            if lane:
                committed = lane.reader.tail - lane.lacking()
            elif standing.folder in carrier.waiting:
                committed = 0
        if goal[standing.folder].tail > committed:
            left[standing.folder] = goal[standing.folder].tail - committed
    return left


def _waiting(journal_dir: Path) -> int:
    """Files that are not uploaded, and whose process does not do it itself."""
    return sum(len(list(path.glob(f"[0-9]*{ENTRY}"))) for path in spools(journal_dir) if _is_ours(path))


def _is_ours(spool: Path) -> bool:
    try:
        return header(spool).get("shipper") == "agent" or not writer_lives(spool)
    except (JournalError, OSError):
        return False


def _targets(goal: dict[Path, Standing]) -> str:
    return ", ".join(sorted({standing.uri for standing in goal.values() if standing.pending}))
