"""Compaction changes which files hold the points, and nothing else, wherever it is interrupted."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalog_daemon import Daemon
from headrace_storage import compact
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.errors import CatalogUnavailableError, IncarnationDeadError, SegmentsMovedError
from headrace_storage.fold import Fold
from headrace_storage.model import SegmentRef
from headrace_storage.objects import LocalStore
from headrace_storage.segments.merge import Merge
from headrace_storage.segments.parquet import read_parquet
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.write import SegmentWriter
from points import RUNS, Logged, Training, exact, to_points


@pytest.fixture
def training(daemon: Daemon, tmp_path: Path) -> Training:
    return Training(daemon, LocalStore(tmp_path), np.random.default_rng(3))


@pytest.fixture
def segments(database: Database) -> Segments:
    return Segments(database)


def compactor(training: Training, **options: Any) -> Compactor:
    segments = options.pop("segments", Segments(training.daemon.database))
    return Compactor(segments, training.store, training.daemon.incarnation, **{"rest": 0.0} | options)


async def fold(training: Training) -> None:
    await Fold(Summaries(training.daemon.database, training.store)).once()


async def log_some(
    training: Training, commits: int, *, objects: bool = False, each: int = 20
) -> list[Logged]:
    writer = await training.daemon.open()
    points = []
    for _ in range(commits):
        part = training.points(writer, each)
        await training.log(part, as_object=objects)
        points += part
    return points


async def live(segments: Segments) -> list[SegmentRef]:
    return list((await segments.plan(RUNS)).segments)


async def files(training: Training) -> set[str]:
    return set(await training.store.list("segments/"))


async def test_inline_segments_become_one_sorted_file(training: Training, segments: Segments) -> None:
    points = await log_some(training, 30)
    await fold(training)
    assert await compactor(training).once() == 1
    (ref,) = await live(segments)
    assert (ref.rows, ref.level, ref.inline) == (600, 1, None)
    stored = to_points(read_parquet(pa.BufferReader(await training.store.get(str(ref.path)))))
    assert exact(stored) == exact(sorted(stored, key=lambda p: (p.run_id, p.key, p.attempt, p.step)))
    assert sorted(exact(stored)) == sorted(exact(points))
    await training.check_history(points)
    async with training.daemon.database.acquire() as connection:
        for table in ("inline_segments", "garbage"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608
        assert await connection.fetchval("SELECT count(*) FROM segment_runs") == len(RUNS)


async def test_only_folded_segments_are_taken(training: Training, segments: Segments) -> None:
    points = await log_some(training, 3)
    assert await compactor(training).once() == 0
    await fold(training)
    points += await log_some(training, 1)
    assert await compactor(training).once() == 1
    assert [ref.level for ref in await live(segments)] == [0, 1]
    await training.check_history(points)


async def test_eight_objects_of_a_level_become_one_of_the_next(
    training: Training, segments: Segments
) -> None:
    points = await log_some(training, 7, objects=True)
    await fold(training)
    assert await compactor(training).once() == 0
    points += await log_some(training, 1, objects=True)
    await fold(training)
    assert await compactor(training).once() == 1
    assert [(ref.rows, ref.level) for ref in await live(segments)] == [(160, 1)]
    await training.check_history(points)


async def test_merging_waits_while_commits_need_the_processors_until_much_piles_up(
    training: Training, segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed = compactor(training, pressed=lambda: True)
    await log_some(training, 9, objects=True)
    await fold(training)
    assert await pressed.once() == 0
    monkeypatch.setattr(compact, "_MERGE_PRESSED_AT", 9)
    assert await pressed.once() == 1
    assert [ref.level for ref in await live(segments)] == [1]


async def test_a_long_day_leaves_few_files(training: Training, segments: Segments) -> None:
    points, task = [], compactor(training)
    for _ in range(100):
        points += await log_some(training, 1, each=3)
        await fold(training)
        await task.once()
    refs = await live(segments)
    assert len(refs) <= 7 * 3
    assert {ref.level for ref in refs} >= {2, 3}
    assert sum(ref.rows for ref in refs) == 300
    await training.check_history(points)


async def test_large_objects_are_left_alone_and_a_merge_is_bounded(
    training: Training, segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "FULL", 60)
    monkeypatch.setattr(compact, "_MOST_ROWS", 120)
    points = await log_some(training, 2, objects=True, each=60)
    points += await log_some(training, 9, objects=True, each=50)
    await fold(training)
    await compactor(training).once()
    refs = await live(segments)
    assert sorted(ref.rows for ref in refs) == [50] * 7 + [60, 60, 100]
    await training.check_history(points)


async def test_a_merge_takes_no_more_inputs_than_make_a_large_object(
    training: Training, segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "FULL", 60)
    points = await log_some(training, 8, objects=True, each=25)
    await fold(training)
    assert await compactor(training).once() == 1
    assert sorted(ref.rows for ref in await live(segments)) == [25] * 5 + [75]
    await training.check_history(points)


async def test_a_backlog_is_drained_in_bounded_passes(
    training: Training, segments: Segments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "_MOST_INLINE", 4)
    points = await log_some(training, 10)
    await fold(training)
    assert await compactor(training).once() == 3
    assert [ref.rows for ref in await live(segments)] == [80, 80, 40]
    await training.check_history(points)


async def test_merging_rests_and_draining_does_not(training: Training, segments: Segments) -> None:
    now = 100.0

    def clock() -> float:
        nonlocal now
        now += 1
        return now

    task = compactor(training, rest=1000.0, clock=clock)
    await log_some(training, 16, objects=True)
    await fold(training)
    assert await task.once() == 1
    await log_some(training, 8, objects=True)
    await log_some(training, 2)
    await fold(training)
    assert await task.once() == 1
    assert len(await live(segments)) == 8 + 2
    now += 10_000
    assert await task.once() == 1


class Crash(BaseException):
    """The process ends here."""


def dies(point: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    async def stand_in(*args: Any, **kwargs: Any) -> None:
        if after:
            await point(*args, **kwargs)
        raise Crash

    def drawing(*args: Any, **kwargs: Any) -> Iterator[Any]:
        if after:
            yield from point(*args, **kwargs)
        raise Crash

    return stand_in if inspect.iscoroutinefunction(point) else drawing


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("where", "method"),
    [
        (Merge, "__iter__"),
        (SegmentWriter, "write_merged"),
        (LocalStore, "put_parts"),
        (Segments, "swap"),
    ],
    ids=["read", "write", "put", "swap"],
)
@pytest.mark.parametrize("objects", [False, True], ids=["inline", "objects"])
async def test_a_crash_at_any_step(  # noqa: PLR0917
    training: Training,
    segments: Segments,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    method: str,
    after: bool,
    objects: bool,
) -> None:
    points = await log_some(training, 8, objects=objects)
    await fold(training)
    with monkeypatch.context() as patch:
        patch.setattr(where, method, dies(getattr(where, method), after=after))
        with pytest.raises(Crash):
            await compactor(training).once()
    await training.check_history(points)

    # Another daemon takes over; nothing is lost or doubled, and in the end no file is left over.
    incarnations = Incarnations(database)
    await incarnations.retire(training.daemon.incarnation)
    training.daemon = await Daemon.start(database)
    await compactor(training).once()
    (ref,) = await live(segments)
    assert (ref.rows, ref.level) == (len(points), 1)
    await training.check_history(points)
    await Collector(segments, incarnations, training.store, training.daemon.incarnation, grace=0.0).once()
    assert await files(training) == {ref.path}
    await training.check_history(points)


class Unsure(Segments):
    """Loses the connection in COMMIT: after it, or before."""

    def __init__(self, database: Database, *, committed: bool) -> None:
        super().__init__(database)
        self.committed = committed

    async def swap(self, *args: Any, **kwargs: Any) -> None:
        if self.committed:
            await super().swap(*args, **kwargs)
        raise CatalogUnavailableError("connection lost")


@pytest.mark.parametrize("committed", [False, True])
async def test_an_unknown_outcome_loses_and_doubles_nothing(
    training: Training, segments: Segments, database: Database, committed: bool
) -> None:
    points = await log_some(training, 5)
    await fold(training)
    with pytest.raises(CatalogUnavailableError):
        await compactor(training, segments=Unsure(database, committed=committed)).once()
    await training.check_history(points)
    assert await compactor(training).once() == (0 if committed else 1)
    await training.check_history(points)
    collector = Collector(
        segments, Incarnations(database), training.store, training.daemon.incarnation, grace=0.0
    )
    await collector.once()
    assert len(await files(training)) == (1 if committed else 2), "left to the collector of dead incarnations"


class Overtaken(Segments):
    """Another compactor swaps the same inputs just before."""

    def __init__(self, database: Database, other: Compactor) -> None:
        super().__init__(database)
        self.other: Compactor | None = other

    async def swap(self, *args: Any, **kwargs: Any) -> None:
        if self.other is not None:
            other, self.other = self.other, None
            assert await other.once() == 1
        await super().swap(*args, **kwargs)


async def test_the_output_of_a_refused_swap_is_deleted(
    training: Training, segments: Segments, database: Database
) -> None:
    points = await log_some(training, 5)
    await fold(training)
    assert await compactor(training, segments=Overtaken(database, compactor(training))).once() == 0
    (ref,) = await live(segments)
    assert await files(training) == {ref.path}
    await training.check_history(points)


async def test_a_dead_incarnation_swaps_nothing(
    training: Training, segments: Segments, database: Database
) -> None:
    points = await log_some(training, 5)
    await fold(training)
    await Incarnations(database).retire(training.daemon.incarnation)
    with pytest.raises(IncarnationDeadError):
        await compactor(training).once()
    assert len(await live(segments)) == 5
    assert await files(training) == set()
    await training.check_history(points)


async def test_a_swap_takes_all_its_inputs_or_none(training: Training, segments: Segments) -> None:
    points = await log_some(training, 4)
    await fold(training)
    refs = await live(segments)
    unfolded = await log_some(training, 1)
    output = await SegmentWriter(training.store, training.daemon.incarnation).write_object(
        await SegmentReader(training.store).read(refs)
    )
    missing = refs[0]._replace(id=10**9)
    for inputs in ([*refs, missing], await live(segments)):
        with pytest.raises(SegmentsMovedError) as raised:
            await segments.swap(inputs, output, level=1, incarnation=training.daemon.incarnation)
        assert raised.value.count == 1
        await training.check_history(points + unfolded)


async def test_compactors_at_the_same_time(training: Training, segments: Segments) -> None:
    points = await log_some(training, 40)
    await fold(training)
    await asyncio.gather(*(compactor(training).once() for _ in range(4)))
    await training.check_history(points)
    assert await files(training) == {ref.path for ref in await live(segments)}


async def test_a_damaged_segment_does_not_stop_the_others(
    training: Training, segments: Segments, database: Database
) -> None:
    await log_some(training, 2, objects=True)
    await log_some(training, 8, objects=True)
    await log_some(training, 3)
    await fold(training)
    refs = await live(segments)
    training.store.local_path(str(refs[0].path)).write_bytes(b"")
    training.store.local_path(str(refs[1].path)).unlink()
    async with database.acquire() as connection:
        await connection.execute("UPDATE inline_segments SET data = '' WHERE segment_id = $1", refs[10].id)
    assert await compactor(training).once() == 2
    left = {ref.id for ref in await live(segments)}
    assert left > {refs[0].id, refs[1].id, refs[10].id}
    assert len(left) == 3 + 2


async def test_the_lease_is_asked_before_each_step(training: Training) -> None:
    await log_some(training, 3)
    await fold(training)

    async def never() -> bool:
        return False

    assert await compactor(training, lease=never).once() == 0


async def test_readers_and_writers_go_on_meanwhile(training: Training) -> None:
    writer = await training.daemon.open()
    points: list[Logged] = []
    task = compactor(training, interval=0.0)
    collector = Collector(
        Segments(training.daemon.database),
        Incarnations(training.daemon.database),
        training.store,
        training.daemon.incarnation,
        interval=0.0,
        grace=0.0,
    )
    folding = Fold(Summaries(training.daemon.database, training.store), interval=0.0)
    loops = [asyncio.create_task(loop.run()) for loop in (folding, task, collector)]
    try:
        for number in range(25):
            part = training.points(writer, 10)
            await training.log(part, as_object=number % 4 == 0)
            points += part
            await training.check_history(points)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    assert all(loop.cancelled() for loop in loops)
    await training.check_history(points)
