"""The collector deletes what nobody can read, and only that."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage import collect
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.fold import Fold
from headrace_storage.objects import LocalStore
from points import Training


@pytest.fixture
def training(daemon: Daemon, tmp_path: Path) -> Training:
    return Training(daemon, LocalStore(tmp_path), np.random.default_rng(5))


def collector(training: Training, **options: Any) -> Collector:
    database = training.daemon.database
    return Collector(
        Segments(database), Incarnations(database), training.store, training.daemon.incarnation, **options
    )


async def files(training: Training) -> list[str]:
    return list(await training.store.list("segments/"))


async def silence(database: Database, incarnation: int, seconds: float) -> None:
    async with database.acquire() as connection:
        await connection.execute(
            "UPDATE heartbeats SET seen_at = now() - make_interval(secs => $2) WHERE incarnation = $1",
            incarnation,
            seconds,
        )


async def test_retired_objects_stay_for_the_grace_period(
    training: Training, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "_BATCH", 3)
    writer = await training.daemon.open()
    points = []
    for _ in range(8):
        part = training.points(writer, 10)
        await training.log(part, as_object=True)
        points += part
    await Fold(Summaries(database, training.store)).once()
    assert await Compactor(Segments(database), training.store, training.daemon.incarnation).once() == 1
    assert len(await files(training)) == 9

    assert await collector(training).once() == 0
    async with database.acquire() as connection:
        await connection.execute("UPDATE garbage SET retired_at = retired_at - interval '59 minutes'")
    assert await collector(training).once() == 0
    async with database.acquire() as connection:
        await connection.execute("UPDATE garbage SET retired_at = retired_at - interval '2 minutes'")
    training.store.local_path((await Segments(database).garbage(3600, 1))[0]).unlink()  # a crash half-way
    assert await collector(training).once() == 8
    assert await files(training) == [ref.path for ref in (await Segments(database).objects()).segments]
    assert await Segments(database).garbage(0, 10) == []
    await training.check_history(points)


async def test_retired_objects_of_a_dead_daemon_stay_as_long(training: Training, database: Database) -> None:
    writer = await training.daemon.open()
    for _ in range(8):
        await training.log(training.points(writer, 10), as_object=True)
    await Fold(Summaries(database, training.store)).once()
    await Compactor(Segments(database), training.store, training.daemon.incarnation).once()
    await Incarnations(database).retire(training.daemon.incarnation)
    training.daemon = await Daemon.start(database)
    assert await collector(training).once() == 0
    assert len(await files(training)) == 9
    assert await collector(training, grace=0.0).once() == 8


async def test_objects_that_a_dead_daemon_did_not_register_are_deleted(
    training: Training, database: Database
) -> None:
    points = training.points(await training.daemon.open(), 10)
    await training.log(points, as_object=True)
    (registered,) = await files(training)
    orphans = [registered.replace(".parquet", "0.parquet"), registered + ".1234.tmp"]
    for path in orphans:
        await training.store.put(path, b"x")
    dead, training.daemon = training.daemon, await Daemon.start(database)
    (other,) = [f"segments/{training.daemon.incarnation:08d}/in-flight.parquet"]
    await training.store.put(other, b"x")

    await silence(database, dead.incarnation, 100)
    assert await collector(training, dead_after=120.0).once() == 0
    await silence(database, dead.incarnation, 130)
    assert await collector(training, dead_after=120.0).once() == 2
    assert await files(training) == [registered, other]
    assert await Incarnations(database).mark_dead(120.0) == [], "swept once"
    await training.check_history(points)


async def test_a_daemon_whose_machine_slept_does_not_bury_itself(
    training: Training, database: Database
) -> None:
    await silence(database, training.daemon.incarnation, 10_000)
    path = f"segments/{training.daemon.incarnation:08d}/in-flight.parquet"
    await training.store.put(path, b"x")
    assert await collector(training).once() == 0
    assert await files(training) == [path]
    await training.log(training.points(await training.daemon.open(), 10))


async def test_without_the_lease_nothing_is_deleted(training: Training) -> None:
    async def never() -> bool:
        return False

    await Incarnations(training.daemon.database).retire(training.daemon.incarnation)
    await training.store.put(f"segments/{training.daemon.incarnation:08d}/x.parquet", b"x")
    assert await collector(training, lease=never).once() == 0
    assert len(await files(training)) == 1
