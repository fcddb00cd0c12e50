"""Points of erased runs leave the files that others share, and until then nobody is shown them."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from catalog_daemon import Daemon
from headrace_storage import compact
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.erase import Deleted, Eraser
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.fold import Fold
from headrace_storage.model import CreateRun, SegmentRef
from headrace_storage.objects import LocalStore
from headrace_storage.publish import Publisher
from headrace_storage.segments import merge
from headrace_storage.segments.write import SegmentWriter
from points import RUNS, Logged, Training

GONE, *LEFT = RUNS


class Folder:
    """A data folder with its background tasks, each called when a test says so."""

    def __init__(self, database: Database, daemon: Daemon, path: Path) -> None:
        self.database = database
        self.training = Training(daemon, LocalStore(path), np.random.default_rng(5))
        self.segments = Segments(database)
        self.points: list[Logged] = []

    @property
    def store(self) -> LocalStore:
        return self.training.store

    async def log(self, commits: int, *, objects: bool = True, runs: Sequence[str] = RUNS) -> None:
        writer = await self.training.daemon.open()
        for _ in range(commits):
            part = self.training.points(writer, 60, runs)
            await self.training.log(part, as_object=objects)
            self.points += part
        await Fold(Summaries(self.database, self.store)).once()

    async def erase(self, run_id: str = GONE) -> None:
        await self.training.daemon.runs.delete(run_id)
        assert (await Eraser(self.database).erase(Deleted([run_id]))).run_ids == [run_id]

    async def compact(self, **options: Any) -> int:
        incarnation = self.training.daemon.incarnation
        return await Compactor(self.segments, self.store, incarnation, **{"rest": 0.0} | options).once()

    async def collect(self) -> None:
        incarnation = self.training.daemon.incarnation
        await Collector(self.segments, Incarnations(self.database), self.store, incarnation, grace=0.0).once()

    async def live(self) -> Sequence[SegmentRef]:
        return (await self.segments.plan(LEFT)).segments

    async def on_disk(self) -> tuple[set[str], int]:
        """The runs, and the number of points, that any file holds, whoever knows it."""
        runs, points = set(), 0
        for path in self.store.local_path("segments").rglob("*.parquet"):
            table = pq.read_table(path, partitioning=None)
            runs |= set(table["run_id"].to_pylist())
            points += table.num_rows
            in_bytes = {run for run in RUNS if run.encode() in path.read_bytes()}
            assert in_bytes <= set(table["run_id"].to_pylist()), (
                "no statistics, dictionary or rollup names it"
            )
        return runs, points

    async def check(self) -> None:
        """Nothing of what is left is lost, nothing of what was erased can be read."""
        left = [point for point in self.points if point.run_id != GONE]
        await self.training.check_history(left)
        assert (await self.segments.plan([GONE])).segments == []

    async def shown(self) -> int:
        """How many points the view shows; none of them is of the erased run."""
        await Publisher(self.segments, self.store).once()
        with duckdb.connect() as connection:
            connection.execute(self.store.local_path("headrace.sql").read_text())
            found = connection.execute("SELECT run_id, count(*) FROM metrics GROUP BY run_id").fetchall()
        assert GONE not in dict(found)
        return sum(dict(found).values())

    async def unsaid(self) -> list[str]:
        """The runs that the manifest tells readers to leave out."""
        await Publisher(self.segments, self.store).once()
        erased: list[str] = json.loads((await self.store.get("manifest.json")).decode())["erased"]
        return erased

    async def marks(self) -> int:
        """How much the catalog still knows of points of the erased run."""
        known = "SELECT (SELECT count(*) FROM erased_points) + (SELECT count(*) FROM {} WHERE run_id = $1)"
        async with self.database.acquire() as connection:
            tables = ("segment_runs", "summaries")
            return sum([await connection.fetchval(known.format(name), GONE) for name in tables])


@pytest.fixture
async def folder(database: Database, daemon: Daemon, tmp_path: Path) -> Folder:
    for run_id in RUNS:
        await daemon.runs.create_run(run_id, CreateRun("", "", "a run", "somebody", 1000, {}))
    return Folder(database, daemon, tmp_path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are large, and left alone, from 400 points on."""
    monkeypatch.setattr(compact, "FULL", 400)


def left_of(folder: Folder) -> int:
    return sum(point.run_id != GONE for point in folder.points)


@pytest.mark.usefixtures("small")
async def test_large_files_are_written_anew(folder: Folder) -> None:
    await folder.log(16)
    await folder.compact()
    before = [ref.level for ref in await folder.live()]
    assert before == [0, 0, 1, 1]
    assert await folder.compact() == 0
    await folder.erase()
    await folder.check()
    assert await folder.shown() == left_of(folder)
    assert await folder.unsaid() == [GONE]
    assert (await folder.on_disk())[0] == set(RUNS), "the test looks where the points are"
    assert await folder.compact() == len(before)
    assert sorted(ref.level for ref in await folder.live()) == before, "nothing else was merged"
    assert await folder.marks() == 0
    await folder.collect()
    assert await folder.on_disk() == (set(LEFT), left_of(folder))
    await folder.check()
    assert await folder.shown() == left_of(folder)
    assert await folder.unsaid() == []
    assert await folder.compact() == 0, "once"


@pytest.mark.usefixtures("small")
async def test_a_pass_writes_one_file_and_rests(folder: Folder) -> None:
    await folder.log(32)
    while await folder.compact():
        pass
    await folder.erase()
    now = 100.0

    def clock() -> float:
        nonlocal now
        now += 1
        return now

    options = {"rest": 1000.0, "clock": clock}
    compactor = Compactor(folder.segments, folder.store, folder.training.daemon.incarnation, **options)  # type: ignore[arg-type]
    for _ in range(len(await folder.live())):
        assert await compactor.once() == 1
        assert await compactor.once() == 0, "it rests"
        now += 10_000
    assert await folder.marks() == 0
    await folder.check()


@pytest.mark.parametrize("objects", [False, True], ids=["inline", "objects"])
async def test_merges_leave_them_out(folder: Folder, objects: bool) -> None:
    await folder.log(8, objects=objects)
    await folder.erase()
    await folder.check()
    assert await folder.compact() == 1
    [ref] = await folder.live()
    assert (ref.rows, ref.level) == (left_of(folder), 1)
    await folder.collect()
    assert await folder.on_disk() == (set(LEFT), left_of(folder))
    await folder.check()


async def test_points_that_come_late(folder: Folder) -> None:
    await folder.log(2)
    await folder.erase()
    await folder.compact()
    await folder.log(3, runs=[GONE])
    await folder.log(1)
    assert await folder.unsaid() == [GONE]
    await folder.check()
    assert await folder.shown() == left_of(folder)
    while await folder.compact():
        pass
    await folder.collect()
    assert await folder.on_disk() == (set(LEFT), left_of(folder))
    assert await folder.marks() == 0
    await folder.check()


async def test_a_run_that_is_erased_during_a_merge(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    await folder.log(8)
    write = SegmentWriter.write_merged

    async def slow(self: SegmentWriter, points: Any) -> Any:
        written = await write(self, points)
        monkeypatch.setattr(SegmentWriter, "write_merged", write)
        await folder.erase()
        return written

    monkeypatch.setattr(SegmentWriter, "write_merged", slow)
    assert await folder.compact() == 2, "the merge, and the file that it made once more"
    await folder.collect()
    assert await folder.on_disk() == (set(LEFT), left_of(folder))
    await folder.check()


@pytest.mark.parametrize("turn", range(3))
async def test_at_the_same_time_as_merges_and_commits(folder: Folder, turn: int) -> None:
    await folder.log(8)
    await folder.training.daemon.runs.delete(GONE)
    eraser = Eraser(folder.database)

    async def erase() -> None:
        await asyncio.sleep(0.008 * turn)
        await eraser.erase(Deleted([GONE]))

    await asyncio.gather(erase(), folder.compact(), folder.log(4, objects=False))
    await folder.log(8)
    while await folder.compact():
        pass
    await folder.collect()
    runs, points = await folder.on_disk()
    assert (runs, points) == (set(LEFT), left_of(folder))
    await folder.check()


async def test_of_many_series(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names as columns, which a thousand series have."""
    monkeypatch.setattr(merge, "MANY", 1)
    await folder.log(8)
    await folder.erase()
    await folder.compact()
    await folder.collect()
    assert await folder.on_disk() == (set(LEFT), left_of(folder))
    await folder.check()
