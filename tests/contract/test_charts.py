"""A chart tells of every point once, wherever the points lie; its buckets may be coarser than asked for."""

import asyncio
import math
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage import charts
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.charts import Charts, Wanted
from headrace_storage.check import Check
from headrace_storage.collect import Collector
from headrace_storage.compact import Compactor
from headrace_storage.errors import SegmentCorruptError, SegmentMissingError
from headrace_storage.fold import Fold
from headrace_storage.objects import LocalStore
from headrace_storage.segments import rollups
from headrace_storage.segments.read import SegmentReader
from headrace_storage.segments.rollups import Rollups
from points import RUNS, Logged, Training

LEAST, MOST = -(2**63), 2**63 - 1


@pytest.fixture
def training(daemon: Daemon, tmp_path: Path) -> Training:
    return Training(daemon, LocalStore(tmp_path), np.random.default_rng(11))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Series of a few points have rollups."""
    monkeypatch.setattr(rollups, "RUN", 3)
    monkeypatch.setattr(rollups, "LEAST", 2)
    monkeypatch.setattr(rollups, "_WORTH", 1)


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points that have rollups are not read."""
    monkeypatch.setattr(charts, "_EXACT", 0)


async def chart(training: Training, key: str = "loss", **options: Any) -> Rollups:
    wanted = Wanted(RUNS[0], key, **options)
    return await Charts(Segments(training.daemon.database), training.store).get(wanted)


async def compact(training: Training) -> None:
    database = training.daemon.database
    await Fold(Summaries(database, training.store)).once()
    await Compactor(Segments(database), training.store, training.daemon.incarnation, rest=0.0).once()


def bits(values: Any) -> list[bytes]:
    return [struct.pack("<d", value) for value in values]


def line(writer: Any, first: int, values: Any, key: str = "loss") -> list[Logged]:
    """A series by one writer, whose steps are its sequences."""
    return [
        Logged(RUNS[0], key, "", first + i, 0, value, writer, first + i, 1000 + first + i)
        for i, value in enumerate(values)
    ]


def check(found: Rollups, points: list[Logged], buckets: int) -> None:
    """Fail unless nothing of the points is lost, and nothing told twice."""
    values = [point.value for point in points]
    numbers = [value for value in values if not math.isnan(value)]
    assert len(found) <= buckets
    assert (found["step_first"][1:] >= found["step_first"][:-1]).all()
    assert (found["step_first"] <= found["step_last"]).all()
    assert found["count"].sum() == len(points)
    assert found["nan_count"].sum() == len(points) - len(numbers)
    if not points:
        assert len(found) == 0
        return
    steps = [point.step for point in points]
    assert (found["step_first"].min(), found["step_last"].max()) == (min(steps), max(steps))
    if numbers:
        assert (np.nanmin(found["min"]), np.nanmax(found["max"])) == (min(numbers), max(numbers))
    for point in points:
        if not math.isnan(point.value):
            around = found[(found["step_first"] <= point.step) & (point.step <= found["step_last"])]
            assert ((around["min"] <= point.value) & (point.value <= around["max"])).any()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("exact", [0, 40, 1 << 20], ids=["rollups", "some", "points"])
async def test_wherever_the_points_lie(
    training: Training, monkeypatch: pytest.MonkeyPatch, exact: int
) -> None:
    monkeypatch.setattr(charts, "_EXACT", exact)
    writers = [await training.daemon.open() for _ in range(3)]
    points: list[Logged] = []
    for round_ in range(24):
        part = training.points(writers[round_ % 3], 40, RUNS[:2])
        await training.log(part, as_object=round_ % 2 == 0)
        points += part
        if round_ % 7 == 6:
            await compact(training)
        key = f"key{round_ % 3}"
        series = [p for p in points if (p.run_id, p.key) == (RUNS[0], key)]
        for buckets, first, last in (
            (10_000, LEAST, MOST),
            (7, LEAST, MOST),
            (1, -2, 3),
            (10_000, 0, 0),
            (5, 100, MOST),
        ):
            found = await chart(training, key, buckets=buckets, first_step=first, last_step=last)
            check(found, [p for p in series if first <= p.step <= last], buckets)


@pytest.mark.usefixtures("tiny")
async def test_few_points_are_all_told(training: Training) -> None:
    points: list[Logged] = []
    for writer in [await training.daemon.open() for _ in range(3)]:
        part = training.points(writer, 200, RUNS[:1])
        await training.log(part, as_object=True)
        points += part
    series = [point for point in points if point.key == "key1"]
    found = await chart(training, "key1", buckets=len(series))
    assert found["count"].tolist() == [1] * len(series)
    told = zip(found["step_first"].tolist(), bits(found["first"].tolist()), strict=True)
    assert Counter(told) == Counter(zip((p.step for p in series), bits(p.value for p in series), strict=True))


async def two_objects(training: Training) -> list[Logged]:
    """A series of 20,000 points with a peak and a NaN in two objects, whose steps follow each other."""
    writer = await training.daemon.open()
    values = np.random.default_rng(2).normal(size=20_000).cumsum()
    values[3333], values[15_555] = 1e9, math.nan
    points = line(writer, 0, values.tolist())
    for part in (points[:10_000], points[10_000:]):
        await training.log(part, as_object=True)
    return points


def check_each(found: Rollups, points: list[Logged]) -> None:
    """Fail unless each bucket is exactly the points between its steps, which no other one has."""
    by_step = {point.step: point.value for point in points}
    for bucket in found:
        steps = range(bucket["step_first"], bucket["step_last"] + 1)
        of = np.array([by_step[step] for step in steps])
        assert (bucket["count"], bucket["nan_count"]) == (len(of), np.isnan(of).sum())
        assert (bucket["min"], bucket["max"]) == (np.nanmin(of), np.nanmax(of))
        assert bucket["sum"] == pytest.approx(np.nansum(of))
        assert bits([bucket["first"], bucket["last"]]) == bits([of[0], of[-1]])
    assert found["count"].sum() == len(points)


@pytest.mark.usefixtures("coarse")
async def test_a_long_series_is_drawn_without_its_points(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = await two_objects(training)
    monkeypatch.setattr(SegmentReader, "read_visible_points", None)
    monkeypatch.setattr(SegmentReader, "read_points_of", None)
    found = await chart(training, buckets=10)
    assert len(found) == 10
    check_each(found, points)
    check_each(await chart(training, buckets=1000), points)


async def test_points_are_read_where_rollups_are_too_coarse(training: Training) -> None:
    points = await two_objects(training)
    found = await chart(training, buckets=1000)
    assert found["count"].tolist() == [20] * 1000
    check_each(found, points)


@pytest.mark.usefixtures("coarse")
async def test_a_window_cuts_through_rollups(training: Training) -> None:
    points = await two_objects(training)
    for first, last in ((1500, 14_321), (9_999, 10_000), (LEAST, 5), (19_999, MOST)):
        found = await chart(training, buckets=20, first_step=first, last_step=last)
        check_each(found, [point for point in points if first <= point.step <= last])
    assert len(await chart(training, first_step=20_000)) == 0


@pytest.mark.usefixtures("coarse")
async def test_a_compacted_series_and_what_is_not_compacted_yet(training: Training) -> None:
    points = await two_objects(training)
    (writer,) = {point.writer for point in points}
    for first in range(20_000, 20_800, 100):
        part = line(writer, first, [float(first)] * 100)
        await training.log(part, as_object=True)
        points += part
    await compact(training)
    (ref,) = (await Segments(training.daemon.database).plan(RUNS)).segments
    stored = SegmentReader(training.store).read_rollups(ref, RUNS[0], "loss")
    assert stored is not None
    assert (ref.level, stored["count"].sum()) == (1, len(points))
    part = line(writer, 20_800, [0.5, -math.inf])
    await training.log(part)
    points += part
    found = await chart(training, buckets=10)
    check(found, points, 10)
    check_each(found[:-1], points[: -found["count"][-1]])


async def test_objects_of_older_versions_have_no_rollups(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rollups.RollupBuilder, "finish", lambda _: b"")
        points = await two_objects(training)
    check_each(await chart(training, buckets=100), points)


async def test_damage_is_named(training: Training) -> None:
    await two_objects(training)
    segments = Segments(training.daemon.database)
    ref, other = (await segments.plan(RUNS)).segments
    path = training.store.local_path(str(ref.path))
    whole = path.read_bytes()
    tail = whole.rindex(b"HRR1")
    path.write_bytes(whole[: tail - 100] + b"\xff" + whole[tail - 99 :])
    with pytest.raises(SegmentCorruptError) as raised:
        await chart(training)
    assert raised.value.path == ref.path
    (damage,) = (await Check(segments, training.store).run()).damaged
    assert damage.name == ref.path
    path.write_bytes(whole)
    training.store.local_path(str(other.path)).unlink()
    with pytest.raises(SegmentMissingError):
        await chart(training)


@pytest.mark.usefixtures("tiny")
async def test_segments_may_move_meanwhile(training: Training) -> None:
    writer = await training.daemon.open()
    database, incarnation = training.daemon.database, training.daemon.incarnation
    segments = Segments(database)
    loops = [
        asyncio.create_task(task.run())
        for task in (
            Fold(Summaries(database, training.store), interval=0.0),
            Compactor(segments, training.store, incarnation, interval=0.0, rest=0.0),
            Collector(segments, Incarnations(database), training.store, incarnation, interval=0.0, grace=0.0),
        )
    ]
    points: list[Logged] = []
    try:
        for number in range(25):
            part = training.points(writer, 20, RUNS[:1])
            await training.log(part, as_object=number % 4 != 0)
            points += part
            check(await chart(training, "key1", buckets=5), [p for p in points if p.key == "key1"], 5)
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    assert all(loop.cancelled() for loop in loops)


async def test_no_points(training: Training) -> None:
    assert len(await chart(training)) == 0
    await two_objects(training)
    assert len(await chart(training, "other")) == 0
