"""The check of everything that is stored, against a real catalog."""

import json
from pathlib import Path

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.segments import Segments
from headrace_storage.check import Check, Findings
from headrace_storage.objects import LocalStore
from headrace_storage.publish import MANIFEST, Publisher
from points import RUNS, Training


@pytest.fixture
async def training(daemon: Daemon, tmp_path: Path) -> Training:
    return Training(daemon, LocalStore(tmp_path / "store"), np.random.default_rng(1))


async def check(training: Training, database: Database) -> Findings:
    return await Check(Segments(database), training.store).run()


async def test_all_is_well(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    for as_object in (False, True, False):
        await training.log(training.points(writer, 50), as_object=as_object)
    await Publisher(Segments(database), training.store).once()
    seen: list[tuple[int, int]] = []
    found = await Check(Segments(database), training.store).run(lambda *now: seen.append(now))
    assert (found.segments, found.inline, found.rows) == (3, 2, 150)
    assert (found.damaged, found.orphans) == ([], [])
    assert seen[-1] == (found.size, found.size)


async def test_a_damaged_small_segment_is_named(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    await training.log(training.points(writer, 5, RUNS[:1]))
    async with database.acquire() as connection:
        await connection.execute("UPDATE inline_segments SET data = set_byte(data, 40, 7)")
    [damage] = (await check(training, database)).damaged
    assert damage.name.startswith("inline segment")
    assert "checksum" in damage.problem
    assert (list(damage.runs), damage.rows) == (RUNS[:1], 5)


async def test_a_cut_file_is_named(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    await training.log(training.points(writer, 5, RUNS[:1]), as_object=True)
    [path] = (training.store.local_path("segments")).rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-10])
    [damage] = (await check(training, database)).damaged
    assert damage.name.endswith(path.name)
    assert "bytes, not" in damage.problem


async def test_damaged_segments_can_be_given_up(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    good, bad = training.points(writer, 20, RUNS[:1]), []
    await training.log(good, as_object=True)
    for as_object in (True, False):
        bad += (points := training.points(writer, 5, RUNS[:1]))
        known = set(training.store.local_path("segments").rglob("*.parquet"))
        await training.log(points, as_object=as_object)
        for path in set(training.store.local_path("segments").rglob("*.parquet")) - known:
            path.write_bytes(b"?")
    async with database.acquire() as connection:
        await connection.execute("UPDATE inline_segments SET data = set_byte(data, 40, 7)")
    look = Check(Segments(database), training.store)
    found = await look.run()
    assert len(found.damaged) == 2
    await look.drop_damaged(found)
    await look.drop_damaged(found)  # nothing is left to do
    assert (await look.run()).damaged == []
    await training.check_history(good)
    assert (await training.daemon.runs.get_run(RUNS[0])).tags == {"headrace.damaged": str(len(bad))}
    assert [path.read_bytes() for path in training.store.local_path("damaged").iterdir()] == [b"?"]


async def test_a_manifest_that_is_wrong_is_named(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    await training.log(training.points(writer, 5), as_object=True)
    await Publisher(Segments(database), training.store).once()
    path = training.store.local_path(MANIFEST)
    manifest = json.loads(path.read_text())
    manifest["files"].append({"path": "segments/gone.parquet", "size": 3})
    manifest["files"][0]["size"] += 1
    path.write_text(json.dumps(manifest))
    problems = sorted(damage.problem for damage in (await check(training, database)).damaged)
    assert "segments/gone.parquet, which is missing" in problems[0]
    assert "bytes, but it has" in problems[1]
    path.write_text("{")
    [damage] = (await check(training, database)).damaged
    assert "cannot be read" in damage.problem
