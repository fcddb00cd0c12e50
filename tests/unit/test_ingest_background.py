"""Trying again, leases, signs of life, idleness."""

import asyncio
from typing import Any, cast

import pytest

from headrace_ingest.activity import Activity
from headrace_ingest.housekeeping import LEASE_SECONDS, Lease, keep_house
from headrace_ingest.incarnation import Incarnation
from headrace_ingest.retry import persistently
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import CatalogUnavailableError, NotFoundError


class Registry:
    """Incarnations of the imagination."""

    def __init__(self) -> None:
        self.registered = 0
        self.asked = 0
        self.grants = True
        self.raising: list[Exception] = []

    async def register(self, _label: str) -> int:
        if self.raising:
            raise self.raising.pop(0)
        self.registered += 1
        return self.registered

    async def try_lease(self, _name: str, _holder: int, _seconds: float) -> bool:
        self.asked += 1
        return self.grants


def registry() -> tuple[Registry, Incarnations]:
    imagined = Registry()
    return imagined, cast("Incarnations", imagined)


async def test_work_is_tried_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("headrace_ingest.retry.asyncio.sleep", sleep)
    failures: list[Exception] = [CatalogUnavailableError("away"), OSError("full")] * 4

    async def work() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert await persistently("a test", work) == "done"
    assert len(pauses) == 8
    assert pauses == sorted(pauses)
    assert pauses[-1] == 2.0


async def test_what_does_not_pass_is_raised() -> None:
    async def work() -> None:
        raise NotFoundError("run", "x")

    with pytest.raises(NotFoundError):
        await persistently("a test", work)


async def test_the_lease_is_asked_for_when_the_answer_is_old() -> None:
    imagined, incarnations = registry()
    now = 100.0
    lease = Lease(incarnations, 1, lambda: now)
    assert await lease.held()
    assert await lease.held()
    assert imagined.asked == 1
    now += LEASE_SECONDS / 2
    assert await lease.held()
    assert imagined.asked == 2
    imagined.grants = False
    now += LEASE_SECONDS
    assert not await lease.held()


async def test_an_answer_counts_from_the_question() -> None:
    imagined, incarnations = registry()
    times = iter([0.0, LEASE_SECONDS, 2 * LEASE_SECONDS])
    lease = Lease(incarnations, 1, lambda: next(times))
    await lease.held()
    await lease.held()
    assert imagined.asked == 2


async def test_the_house_is_kept_as_who_this_process_is_now() -> None:
    imagined, incarnations = registry()
    incarnation = Incarnation(incarnations, cast("Any", lambda number: number))
    await incarnation.register()
    running: set[int] = set()

    def tasks_of(number: int) -> list[Any]:
        async def task() -> None:
            running.add(number)
            try:
                await asyncio.Event().wait()
            finally:
                running.remove(number)

        return [task]

    keeping = asyncio.create_task(keep_house(incarnation, tasks_of))
    await asyncio.sleep(0.01)
    assert running == {1}
    imagined.raising = [CatalogUnavailableError("away")]
    await incarnation.renew(1)
    await incarnation.renew(1)
    await asyncio.sleep(0.01)
    assert incarnation.current.number == 2
    assert running == {2}
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    assert running == set()


def test_idleness_begins_when_nothing_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("headrace_ingest.activity.time.monotonic", lambda: now)
    activity = Activity()
    now = 5.0
    assert activity.idle_seconds() == 5.0
    with activity.busy():
        with activity.busy():
            now = 20.0
        assert activity.idle_seconds() == 0.0
    now = 21.0
    assert activity.idle_seconds() == 1.0
