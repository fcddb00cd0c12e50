"""Summaries are right after every commit, whatever of it is folded, and by whom."""

import asyncio
import itertools
from pathlib import Path

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog import summaries as catalog_summaries
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.errors import SegmentCorruptError
from headrace_storage.fold import Fold
from headrace_storage.objects import LocalStore
from headrace_storage.segments import write
from points import RUNS, TRICKY, Logged, Training
from rewind_model import comparable, naive_summaries


@pytest.fixture
def training(daemon: Daemon, tmp_path: Path) -> Training:
    return Training(daemon, LocalStore(tmp_path), np.random.default_rng(2))


@pytest.fixture
def summaries(training: Training) -> Summaries:
    return Summaries(training.daemon.database, training.store)


async def check(summaries: Summaries, points: list[Logged]) -> None:
    many = await summaries.get_many(RUNS)
    for run_id in RUNS:
        assert [comparable(s) for s in many[run_id]] == naive_summaries(points, run_id)
        assert list(map(comparable, await summaries.get(run_id))) == naive_summaries(points, run_id)
        one = await summaries.get(run_id, ["key1", "missing"])
        assert [comparable(s) for s in one] == [s for s in naive_summaries(points, run_id) if s[1] == "key1"]


async def test_summaries_are_right_at_every_moment(training: Training, summaries: Summaries) -> None:
    writer = await training.daemon.open()
    points: list[Logged] = []
    for number in range(40):
        part = training.points(writer, int(training.rng.integers(1, 6)))
        await training.log(part, as_object=number % 3 == 0)
        points += part
        if training.rng.random() < 0.4:
            await summaries.fold(int(training.rng.integers(1, 5)))
        await check(summaries, points)
    assert await Fold(summaries, batch=3).once() > 0
    assert await summaries.fold(10) == 0
    await check(summaries, points)


async def test_every_pair_of_tricky_points_in_either_order(training: Training, summaries: Summaries) -> None:
    writer = await training.daemon.open()
    ends = [(0, 0, value) for value in TRICKY] + [(2**63 - 1, -1, 1.0), (-(2**63), 2**63 - 1, 1.0)]
    pairs = list(itertools.product(ends, repeat=2))
    points: list[Logged] = []
    for turn in range(2):
        first = training.daemon.position[writer]
        part = [
            Logged(RUNS[0], f"key{number}", "", *pair[turn], writer, first + number, 0)
            for number, pair in enumerate(pairs)
        ]
        await training.log(part)
        points += part
        assert await summaries.fold(10) == 1
        assert [comparable(s) for s in await summaries.get(RUNS[0])] == naive_summaries(points, RUNS[0])


async def test_objects_without_a_summary_of_their_own(
    training: Training, summaries: Summaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "_SUMMARY_LIMIT", 0)
    points = training.points(await training.daemon.open(), 100)
    await training.log(points, as_object=True)
    async with training.daemon.database.acquire() as connection:
        assert await connection.fetchval("SELECT summary FROM unfolded") is None
    await check(summaries, points)
    await summaries.fold(1)
    await check(summaries, points)


async def test_a_fold_takes_no_more_segments_than_their_keys_allow(
    training: Training, summaries: Summaries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_summaries, "_MOST_KEYS", 1)
    writer = await training.daemon.open()
    points: list[Logged] = []
    for _ in range(3):
        part = training.points(writer, 5)
        await training.log(part, as_object=True)
        points += part
    assert [await summaries.fold(10) for _ in range(4)] == [1, 1, 1, 0]
    await check(summaries, points)


async def test_what_is_committed_while_it_folds_waits_for_the_next_time(
    training: Training, summaries: Summaries
) -> None:
    writer = await training.daemon.open()
    points: list[Logged] = []
    leases = 0

    async def log_more() -> bool:
        nonlocal leases, points
        leases += 1
        part = training.points(writer, 3)
        await training.log(part)
        points += part
        return True

    fold = Fold(summaries, lease=log_more)
    assert await fold.once() == 1
    assert leases < 5
    await check(summaries, points)


async def test_nothing_logged(summaries: Summaries) -> None:
    assert await summaries.get_many(RUNS) == {run_id: [] for run_id in RUNS}
    assert await summaries.get(RUNS[0], ["loss"]) == []
    assert await Fold(summaries).once() == 0


async def test_folds_at_the_same_time_count_each_point_once(training: Training, summaries: Summaries) -> None:
    writers = [await training.daemon.open() for _ in range(4)]
    points: list[Logged] = []

    async def log(writer: object) -> None:
        for _ in range(15):
            part = training.points(writer, 7)  # type: ignore[arg-type]
            await training.log(part)
            points.extend(part)

    logging = asyncio.gather(*(log(writer) for writer in writers))
    while not logging.done():
        await asyncio.gather(*(Fold(summaries, batch=2).once() for _ in range(3)))
    await logging
    await asyncio.gather(*(Fold(summaries, batch=2).once() for _ in range(3)))
    async with training.daemon.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM unfolded") == 0
    await check(summaries, points)


async def test_a_reader_sees_each_point_once_while_it_is_folded(
    training: Training, summaries: Summaries
) -> None:
    writer = await training.daemon.open()
    for _ in range(30):
        await training.log(training.points(writer, 10))
    folding = asyncio.gather(*(Fold(summaries, batch=1).once() for _ in range(2)))
    while not folding.done():
        many = await summaries.get_many(RUNS)
        assert sum(summary.count for run in many.values() for summary in run) == 300
    await folding


async def test_a_damaged_segment_is_left_and_the_others_are_folded(
    training: Training, summaries: Summaries, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = await training.daemon.open()
    good = training.points(writer, 20, RUNS[:1])
    await training.log(good)
    monkeypatch.setattr(write, "_SUMMARY_LIMIT", 0)
    await training.log(training.points(writer, 20, RUNS[1:2]), as_object=True)
    (ref,) = (await Segments(database).plan(RUNS[1:2])).segments
    training.store.local_path(str(ref.path)).write_bytes(b"PAR1 nothing PAR1")

    fold = Fold(summaries)
    assert await fold.once() == 1
    assert await fold.once() == 0
    assert [comparable(s) for s in await summaries.get(RUNS[0])] == naive_summaries(good, RUNS[0])
    with pytest.raises(SegmentCorruptError, match=str(ref.path)):
        await summaries.get(RUNS[1])
