"""Histories are whole, exact and in logged order, wherever the points lie and whatever moves meanwhile."""

import asyncio
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.segments import Plan, Segments
from headrace_storage.errors import SegmentCorruptError, SegmentMissingError
from headrace_storage.history import History
from headrace_storage.model import SegmentRef
from headrace_storage.objects import LocalStore
from points import RUNS, Logged, Training


@pytest.fixture
def training(daemon: Daemon, tmp_path: Path) -> Training:
    return Training(daemon, LocalStore(tmp_path), np.random.default_rng(1))


async def test_inline_segments_and_objects_together(training: Training) -> None:
    writers = [await training.daemon.open() for _ in range(3)]
    points = []
    for round_ in range(9):
        part = training.points(writers[round_ % 3], 50)
        await training.log(part, as_object=round_ % 2 == 0)
        points += part
        await training.check_history(points)


async def test_no_points(training: Training) -> None:
    history = History(Segments(training.daemon.database), training.store)
    empty = await history.get(RUNS[0], "loss")
    assert (empty.num_rows, empty.column_names) == (
        0,
        ["step", "timestamp", "value", "writer", "sequence", "order_time", "attempt"],
    )
    await training.log(training.points(await training.daemon.open(), 10, RUNS[:1]))
    assert (await history.get(RUNS[0], "other")).schema == empty.schema
    assert (await history.get(RUNS[1], "key0")).num_rows == 0
    full = await history.get(RUNS[0], "key0")
    assert full.schema == empty.schema
    assert full.num_rows > 0


async def test_one_plan_is_one_snapshot_with_inline_bytes(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    for as_object in (False, True):
        await training.log(training.points(writer, 5, RUNS[:1]), as_object=as_object)
    await training.log(training.points(writer, 5, RUNS[1:2]))
    inline, stored = (await Segments(database).plan(RUNS[:1])).segments
    assert (inline.path, stored.inline, inline.rows, stored.rows) == (None, None, 5, 5)
    assert inline.inline is not None
    assert inline.size == len(inline.inline)
    assert training.store.local_path(str(stored.path)).stat().st_size == stored.size
    assert len((await Segments(database).plan(RUNS[:2])).segments) == 3
    assert (await Segments(database).plan([uuid4().hex])).segments == []


class OldPlans(Segments):
    """Gives ``plans`` before the true one."""

    def __init__(self, database: Database, plans: list[Plan]) -> None:
        super().__init__(database)
        self.plans = plans

    async def plan(self, run_ids: Collection[str]) -> Plan:
        return self.plans.pop(0) if self.plans else await super().plan(run_ids)


def gone(ref: SegmentRef) -> SegmentRef:
    return ref._replace(id=-ref.id, path=f"segments/00000001/{uuid4().hex}.parquet")


async def test_a_file_that_is_gone_means_a_new_plan_and_never_a_short_result(
    training: Training, database: Database
) -> None:
    writer = await training.daemon.open()
    points: list[Logged] = []
    for _ in range(3):
        part = training.points(writer, 20, RUNS[:1])
        await training.log(part, as_object=True)
        points += part
    plan = (await Segments(database).plan(RUNS[:1])).segments
    old = [Plan([*plan[:2], gone(plan[2])]), Plan([gone(plan[0]), *plan[1:]])]
    history = History(OldPlans(database, old), training.store)
    expected = sum(point.key == "key1" for point in points)
    assert (await history.get(RUNS[0], "key1")).num_rows == expected
    assert not old


async def test_a_lost_file_is_named(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    await training.log(training.points(writer, 20, RUNS[:1]), as_object=True)
    (ref,) = (await Segments(database).plan(RUNS[:1])).segments
    training.store.local_path(str(ref.path)).unlink()
    with pytest.raises(SegmentMissingError) as raised:
        await training.history(RUNS[0], "key0")
    assert raised.value.path == ref.path


async def test_a_damaged_file_is_named(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    await training.log(training.points(writer, 200, RUNS[:1]), as_object=True)
    (ref,) = (await Segments(database).plan(RUNS[:1])).segments
    path = training.store.local_path(str(ref.path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x40
    path.write_bytes(content)
    with pytest.raises(SegmentCorruptError, match="checksum") as raised:
        await training.history(RUNS[0], "key0")
    assert raised.value.path == ref.path


async def test_damaged_bytes_in_the_catalog_are_named(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    await training.log(training.points(writer, 20, RUNS[:1]))
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE inline_segments SET data = set_byte(data, 100, 1 - sign(get_byte(data, 100)::int)::int)"
        )
    with pytest.raises(SegmentCorruptError, match="in the catalog"):
        await training.history(RUNS[0], "key0")


async def test_reads_at_the_same_time(training: Training) -> None:
    writer = await training.daemon.open()
    points = training.points(writer, 500)
    await training.log(points[:250], as_object=True)
    await training.log(points[250:])
    await asyncio.gather(*(training.check_history(points) for _ in range(5)))
