"""Who waits for whom when what a run shows changes while something folds or compacts."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from catalog_daemon import Daemon, segment
from headrace_storage.catalog import summaries as catalog_summaries
from headrace_storage.catalog.connection import Connection
from headrace_storage.catalog.rewinds import keep_changes_out
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.compact import Compactor
from headrace_storage.errors import SegmentsMovedError
from headrace_storage.model import CreateRun, StartAttempt
from headrace_storage.objects import LocalStore
from points import RUNS, Logged, Training


class Runs:
    """Two runs of ten points each, on the steps 0 to 9."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.daemon = training.daemon
        self.summaries = Summaries(self.daemon.database, training.store)

    async def begin(self) -> None:
        self.writer, self.other = await self.daemon.open(), await self.daemon.open()
        for run_id in RUNS[:2]:
            create = CreateRun("", "", "run", "user", 1000, {})
            await self.daemon.commit(self.writer, changes=[(run_id, create)])
            await self.log(run_id)

    async def log(self, run_id: str) -> None:
        first = self.daemon.position[self.writer]
        points = [Logged(run_id, "loss", "", n, 0, 1.0, self.writer, first + n, 1000) for n in range(10)]
        await self.training.log(points)

    async def rewind(self, run_id: str, step: int) -> None:
        start = StartAttempt(f"from {step}", "process", 1000, step)
        assert not await self.daemon.commit(self.other, changes=[(run_id, start)])

    async def counts(self) -> list[int]:
        found = await self.summaries.get_many(RUNS[:2])
        return [sum(summary.count for summary in found[run_id]) for run_id in RUNS[:2]]


@pytest.fixture
async def runs(daemon: Daemon, tmp_path: Path) -> Runs:
    runs = Runs(Training(daemon, LocalStore(tmp_path), np.random.default_rng(1)))
    await runs.begin()
    return runs


async def until_waiting(daemon: Daemon, count: int) -> None:
    """Until so many connections wait for a lock."""
    waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    """
    async with asyncio.timeout(30), daemon.database.acquire() as connection:
        while await connection.fetchval(waiting) < count:  # noqa: ASYNC110 - it is the database that waits
            await asyncio.sleep(0.01)


async def test_a_rewind_of_another_run_does_not_wait_for_a_fold(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewound: list[str] = []

    async def guard(connection: Connection) -> bool:
        if not rewound:  # the summaries are written, their transaction is open, and stays so meanwhile
            await asyncio.wait_for(runs.rewind(RUNS[1], 5), 30)
            rewound.append(RUNS[1])
        return await keep_changes_out(connection)

    await runs.summaries.fold(1)
    await runs.log(RUNS[0])
    monkeypatch.setattr(catalog_summaries, "keep_changes_out", guard)
    assert await runs.summaries.fold(1) == 1
    assert rewound
    assert await runs.counts() == [20, 5]


async def test_a_fold_gives_way_to_a_rewind_of_its_run(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    rewinding: list[asyncio.Task[None]] = []
    gave_way = []

    async def guard(connection: Connection) -> bool:
        if not rewinding:
            rewinding.append(asyncio.create_task(runs.rewind(RUNS[0], 5)))
            await until_waiting(runs.daemon, 1)
        kept_out = await keep_changes_out(connection)
        gave_way.append(not kept_out)
        return kept_out

    await runs.summaries.fold(1)
    await runs.log(RUNS[0])
    monkeypatch.setattr(catalog_summaries, "keep_changes_out", guard)
    assert await runs.summaries.fold(10) == 2
    await rewinding[0]
    assert gave_way == [True, False]
    assert await runs.counts() == [10, 10]
    while await runs.summaries.fold(10):
        pass
    assert await runs.counts() == [10, 10]


async def test_a_swap_notices_a_rewind_that_began_before(runs: Runs) -> None:
    segments = Segments(runs.daemon.database)
    await runs.summaries.fold(10)
    inputs = (await segments.plan(RUNS[:1])).segments
    output = segment(RUNS[:1], "0/a.parquet")
    async with runs.daemon.database.transaction() as connection:
        assert await keep_changes_out(connection)
        rewinding = asyncio.create_task(runs.rewind(RUNS[0], 5))
        await until_waiting(runs.daemon, 1)
        swapping = asyncio.create_task(
            segments.swap(inputs, output, level=1, incarnation=runs.daemon.incarnation)
        )
        await until_waiting(runs.daemon, 2)
    await rewinding
    with pytest.raises(SegmentsMovedError):
        await swapping
    assert await runs.counts() == [5, 10]


async def test_what_is_to_be_folded_again_is_not_merged(runs: Runs) -> None:
    await runs.summaries.fold(10)
    segments, store = Segments(runs.daemon.database), runs.training.store
    compactor = Compactor(segments, store, runs.daemon.incarnation, rest=0.0)
    await runs.rewind(RUNS[0], 5)
    before = {ref.id for ref in (await segments.plan(RUNS[:1])).segments}
    await compactor.once()
    assert {ref.id for ref in (await segments.plan(RUNS[:1])).segments} == before
