"""Who is here, how often it is told, and who ends runs. No database."""

from collections.abc import Collection
from typing import cast
from uuid import uuid4

import numpy as np
import pytest

from headrace_ingest.admission import Claim
from headrace_ingest.attendance import Attendance
from headrace_ingest.config import LONGEST_RUN_LEASE, SHORTEST_RUN_LEASE
from headrace_ingest.lane import Lane
from headrace_ingest.outbox import Outbox
from headrace_ingest.presence import Presence, interval
from headrace_storage.catalog.presences import Presences, longest_break
from headrace_storage.errors import CatalogUnavailableError
from headrace_storage.model import OpenedWriter
from ingest_client import define

RUNS = [uuid4().hex for _ in range(3)]


def enter(attendance: Attendance, run: str, *, orphaned: bool = False) -> Lane:
    claim = Claim(uuid4(), uuid4(), 1, -1, {}, orphaned)
    lane = Lane(1, claim, OpenedWriter(1, 0, 0, ()), Outbox(), attendance)
    lane.session.receive(0, define(["loss"], run), b"")
    return lane


class Catalog:
    """What was told, and whether somebody was asked to expire."""

    def __init__(self) -> None:
        self.told: list[set[str]] = []
        self.expired: list[float] = []
        self.away = False

    async def tell(self, runs: Collection[str], _lease: float) -> list[str]:
        if self.away:
            raise CatalogUnavailableError("away")
        self.told.append(set(runs))
        return []

    async def expire(self, lease: float) -> list[str]:
        self.expired.append(lease)
        return []


def presence(
    catalog: Catalog, attendance: Attendance, lease: float | None = 60.0, *, house: bool = True
) -> Presence:
    async def keeps_house() -> bool:
        return house

    return Presence(cast("Presences", catalog), attendance, lease, keeps_house=keeps_house)


async def test_open_writers_are_told_again_and_again_and_those_that_left_once() -> None:
    catalog, attendance = Catalog(), Attendance()
    task = presence(catalog, attendance)
    stays, leaves = enter(attendance, RUNS[0]), enter(attendance, RUNS[1])
    await task.once()
    leaves.let_go()
    leaves.let_go()
    enter(attendance, RUNS[2]).let_go()
    await task.once()
    await task.once()
    stays.let_go()
    await task.once()
    await task.once()
    assert catalog.told == [set(RUNS[:2]), set(RUNS), {RUNS[0]}, {RUNS[0]}, set()]


async def test_what_could_not_be_told_is_told_later() -> None:
    catalog, attendance = Catalog(), Attendance()
    task = presence(catalog, attendance)
    enter(attendance, RUNS[0]).let_go()
    catalog.away = True
    with pytest.raises(CatalogUnavailableError):
        await task.once()
    assert catalog.expired == [], "who cannot tell ends nothing"
    catalog.away = False
    await task.once()
    assert catalog.told == [{RUNS[0]}]


async def test_an_orphaned_journal_shows_nobody() -> None:
    attendance = Attendance()
    lane = enter(attendance, RUNS[0], orphaned=True)
    assert attendance.runs() == set()
    lane.let_go()
    assert attendance.runs() == set()


async def test_a_writer_that_another_shipper_has_now_shows_nobody() -> None:
    attendance = Attendance()
    enter(attendance, RUNS[0]).fence(uuid4())
    assert attendance.runs() == set()


@pytest.mark.parametrize(
    ("lease", "house", "expired"), [(60.0, True, [60.0]), (60.0, False, []), (None, True, [])]
)
async def test_one_daemon_ends_runs_and_all_tell(
    lease: float | None, house: bool, expired: list[float]
) -> None:
    catalog, attendance = Catalog(), Attendance()
    lane = enter(attendance, RUNS[0])
    await presence(catalog, attendance, lease, house=house).once()
    assert catalog.told == [lane.runs]
    assert catalog.expired == expired


@pytest.mark.parametrize("lease", np.geomspace(SHORTEST_RUN_LEASE, LONGEST_RUN_LEASE, 9).tolist())
def test_a_daemon_that_misses_its_turn_makes_no_break(lease: float) -> None:
    assert 2 * interval(lease) <= longest_break(lease) * (1 + 1e-9)
    assert longest_break(lease) + interval(lease) < lease
