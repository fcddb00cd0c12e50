"""Readers without Headrace see every point that is published, typed and exact, while files change."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from catalog_daemon import Daemon
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.fold import Fold
from headrace_storage.objects import LocalStore
from headrace_storage.publish import Publisher
from points import RUNS, Logged, Training

TYPES = {
    "run_id": "VARCHAR",
    "key": "VARCHAR",
    "step": "BIGINT",
    "timestamp": "TIMESTAMP",
    "value": "DOUBLE",
    "writer": "VARCHAR",
    "sequence": "BIGINT",
    "order_time": "TIMESTAMP",
    "attempt": "VARCHAR",
}


@pytest.fixture
def training(daemon: Daemon, tmp_path: Path) -> Training:
    # A name with everything that SQL and file patterns could trip over.
    return Training(daemon, LocalStore(tmp_path / "it's [a] *data* földer?"), np.random.default_rng(4))


@pytest.fixture
def publisher(training: Training) -> Publisher:
    return Publisher(Segments(training.daemon.database), training.store)


def query(store: LocalStore, sql: str, before: str = "") -> list[tuple[Any, ...]]:
    """What DuckDB says over the view as it is published now."""
    with duckdb.connect() as connection:
        connection.execute(before + store.local_path("headrace.sql").read_text())
        return connection.execute(sql).fetchall()


def frame(store: LocalStore) -> pd.DataFrame:
    """What pandas reads through the manifest."""
    manifest = store.local_path("manifest.json")
    files = [manifest.parent / entry["path"] for entry in json.loads(manifest.read_text())["files"]]
    return pd.concat(pd.read_parquet(file) for file in files)


def columns(store: LocalStore) -> dict[str, str]:
    return {row[0]: row[1] for row in query(store, "DESCRIBE metrics")}


async def test_an_empty_store_has_an_empty_view(training: Training, publisher: Publisher) -> None:
    assert await publisher.once()
    assert query(training.store, "SELECT count(*) FROM metrics") == [(0,)]
    assert columns(training.store) == TYPES
    empty = {"format": 1, "files": [], "views": [], "erased": []}
    assert json.loads(training.store.local_path("manifest.json").read_text()) == empty


async def test_points_are_exact_and_typed(training: Training, publisher: Publisher) -> None:
    writer = await training.daemon.open()
    logged = [
        (7, 1_700_000_000_123, 0.5),
        (-(2**63), -1, math.nan),
        (2**63 - 1, 0, -0.0),
        (0, 1, 5e-324),
        (1, 2, math.inf),
        (1, 2, -math.inf),
    ]
    await training.log(
        [
            Logged(RUNS[0], "a/b 'c'", "", step, timestamp, value, writer, index, 1000 + index)
            for index, (step, timestamp, value) in enumerate(logged)
        ],
        as_object=True,
    )
    await publisher.once()
    assert columns(training.store) == TYPES
    rows = query(
        training.store,
        "SELECT step, epoch_ms(timestamp), value, run_id, key, writer FROM metrics ORDER BY sequence",
    )
    assert [str(row[:3]) for row in rows] == [str(row) for row in logged]
    assert {row[3:] for row in rows} == {(RUNS[0], "a/b 'c'", writer.hex)}
    ((first,),) = query(training.store, "SELECT timestamp FROM metrics WHERE step = 7")
    assert first.isoformat() == "2023-11-14T22:13:20.123000"

    table = frame(training.store).sort_values("sequence")
    assert [str(row) for row in zip(table["step"], table["value"].tolist(), strict=True)] == [
        str((step, value)) for step, _, value in logged
    ]
    assert str(table["timestamp"].dtype) == "datetime64[ms, UTC]"
    assert table["timestamp"].iloc[0].isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert set(table["run_id"]) == {RUNS[0]}


async def test_the_manifest_says_what_the_files_are(training: Training, publisher: Publisher) -> None:
    writer = await training.daemon.open()
    for _ in range(2):
        await training.log(training.points(writer, 30), as_object=True)
    await training.log(training.points(writer, 5))
    await publisher.once()
    files = json.loads(training.store.local_path("manifest.json").read_text())["files"]
    assert [(entry["rows"], entry["level"]) for entry in files] == [(30, 0), (30, 0)]
    for entry in files:
        assert not entry["path"].startswith("/")
        assert training.store.local_path(entry["path"]).stat().st_size == entry["size"]


async def test_only_changes_are_published(training: Training, publisher: Publisher) -> None:
    assert await publisher.once()
    assert not await publisher.once()
    await training.log(training.points(await training.daemon.open(), 5), as_object=True)
    assert await publisher.once()
    assert not await publisher.once()


async def test_only_the_holder_of_the_lease_publishes(training: Training) -> None:
    mine = True

    async def lease() -> bool:
        return mine

    publisher = Publisher(Segments(training.daemon.database), training.store, lease=lease)
    assert await publisher.once()
    mine = False
    assert not await publisher.once()
    mine = True
    assert await publisher.once(), "another one may have published something else meanwhile"


async def test_the_view_of_a_moved_folder(training: Training, publisher: Publisher, tmp_path: Path) -> None:
    await training.log(training.points(await training.daemon.open(), 5), as_object=True)
    await publisher.once()
    moved = LocalStore(training.store.local_path("x").parent.rename(tmp_path / "moved"))
    count = "SELECT count(*) FROM metrics"
    with pytest.raises(duckdb.IOException):
        query(moved, count)
    assert query(moved, count, f"SET VARIABLE headrace_data = '{tmp_path / 'moved'}';") == [(5,)]
    assert await Publisher(Segments(training.daemon.database), moved).once()
    assert query(moved, count) == [(5,)], "a daemon that runs there makes it right"


async def test_every_look_is_right_while_everything_moves(training: Training, database: Database) -> None:
    """Each look shows, of every writer, a part of its journal that never shrinks and never doubles."""
    segments, incarnation = Segments(database), training.daemon.incarnation
    publisher = Publisher(segments, training.store, interval=0.0)
    await publisher.once()
    fold = Fold(Summaries(database, training.store), interval=0.0)
    compactor = Compactor(segments, training.store, incarnation, interval=0.0, rest=0.0)
    collector = Collector(
        segments, Incarnations(database), training.store, incarnation, interval=0.0, grace=20.0
    )
    loops = [asyncio.create_task(task.run()) for task in (publisher, fold, compactor, collector)]
    writers = [await training.daemon.open() for _ in range(2)]
    logged: dict[str, list[Logged]] = {writer.hex: [] for writer in writers}

    async def log() -> None:
        for number in range(60):
            writer = writers[number % 2]
            part = training.points(writer, 20)
            logged[writer.hex] += part
            await training.log(part, as_object=number % 3 == 0)
            await asyncio.sleep(0.02)

    logging = asyncio.create_task(log())
    seen: dict[str, set[int]] = {writer: set() for writer in logged}
    levels = set()
    try:
        while True:
            finished = logging.done()
            rows = await asyncio.to_thread(
                query, training.store, "SELECT writer, sequence, step, value, run_id, key FROM metrics"
            )
            table = await asyncio.to_thread(frame, training.store) if rows else pd.DataFrame()
            for writer, points in logged.items():
                mine = {row[1]: row[2:] for row in rows if row[0] == writer}
                assert len(mine) == sum(row[0] == writer for row in rows), "a point twice"
                for sequence, point in mine.items():
                    expected = points[sequence]
                    assert str(point) == str((expected.step, expected.value, expected.run_id, expected.key))
                assert mine.keys() >= seen[writer], "a point went"
                seen[writer] = set(mine)
                if len(table):
                    sequences = table[table["writer"] == writer]["sequence"]
                    assert sequences.is_unique
                    assert set(sequences) >= seen[writer]
            manifest = json.loads(training.store.local_path("manifest.json").read_text())
            levels |= {entry["level"] for entry in manifest["files"]}
            if finished and all(len(seen[writer]) == len(points) for writer, points in logged.items()):
                break
    finally:
        for loop in [*loops, logging]:
            loop.cancel()
        await asyncio.gather(*loops, logging, return_exceptions=True)
    assert max(levels) >= 2, "files were merged while they were read"
