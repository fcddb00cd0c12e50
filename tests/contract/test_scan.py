"""Scans against a trivially simple model: a sorted list of tuples, whatever lies where."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import numpy as np
import pytest

from catalog_daemon import Daemon
from headrace_storage import charts, downsample, scan
from headrace_storage.catalog.segments import Segments
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.charts import Charts
from headrace_storage.compact import Compactor
from headrace_storage.downsample import Downsampler
from headrace_storage.errors import SegmentMissingError
from headrace_storage.fold import Fold
from headrace_storage.model import CreateRun, StartAttempt
from headrace_storage.objects import LocalStore
from headrace_storage.scan import Piece, Point, Scans, Selection
from headrace_storage.segments import write
from headrace_storage.segments.read import SegmentReader
from points import Logged, Training, exact
from rewind_model import RewoundRun

LEAST, MOST = -(2**63), 2**63 - 1
KEYS = ["key0", "key1", "key2", "none"]
WINDOWS = [(LEAST, MOST), (-2, 3), (0, 0), (3, MOST), (LEAST, -1), (100, 200)]


class World:
    """Runs that were rewound and forked, whose points lie inline, in objects and in compacted ones."""

    def __init__(self, daemon: Daemon, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.training = Training(daemon, LocalStore(folder), np.random.default_rng(seed))
        self.segments = Segments(daemon.database)
        self.runs: list[RewoundRun] = []
        self.points: list[Logged] = []
        self.ranks: dict[UUID, int | None] = {}

    async def begin(self, turns: int = 24) -> None:
        daemon = self.training.daemon
        self.writers = [await daemon.open() for _ in range(4)]
        self.ranks = dict(zip(self.writers, (0, 1, 1, None), strict=True))
        for _ in range(2):
            await self.create()
        for turn in range(turns):
            await self.log()
            if turn % 7 == 3:
                await self.compact()
            if turn % 6 == 5:
                await self.rewind()
            if turn % 10 == 9:
                await self.create(self.rng.choice(self.runs))

    async def create(self, parent: RewoundRun | None = None) -> None:
        run = RewoundRun(UUID(int=self.rng.getrandbits(128)).hex)
        create = CreateRun("", "", "r", "u", 1000, {})
        if parent is not None:
            step = self.rng.choice([None, self.rng.randint(-5, 5)])
            create = create._replace(fork_from=parent.run_id, fork_step=step)
            run.parent, run.fork_step = parent.copy(), MOST if step is None else step
        assert not await self.training.daemon.commit(self.writers[0], changes=[(run.run_id, create)])
        self.runs.append(run)

    async def rewind(self) -> None:
        run = self.rng.choice(self.runs)
        change = StartAttempt(f"{self.rng.random()}", "p", 1000, self.rng.randint(-3, 4))
        run.start(change.token, change.resume_from_step)
        assert not await self.training.daemon.commit(self.writers[0], changes=[(run.run_id, change)])

    async def log(self) -> None:
        writer = self.rng.choice(self.writers)
        part = self.training.points(writer, self.rng.randint(1, 60), [run.run_id for run in self.runs])
        tokens = {run.run_id: ["", *run.tokens[-1:]] for run in self.runs}
        part = [point._replace(attempt=self.rng.choice(tokens[point.run_id])) for point in part]
        await self.training.log(part, as_object=self.rng.random() < 0.6)
        self.points += part

    async def compact(self) -> None:
        database = self.training.daemon.database
        await Fold(Summaries(database, self.training.store)).once()
        incarnation = self.training.daemon.incarnation
        await Compactor(self.segments, self.training.store, incarnation, rest=0.0).once()

    async def labels(self, writers: Any) -> dict[UUID, dict[str, str]]:
        return {one: {} if (rank := self.ranks[one]) is None else {"rank": str(rank)} for one in writers}

    def scans(self, segments: Segments | None = None) -> Scans:
        return Scans(segments or self.segments, self.training.store, self.labels)

    def selection(self) -> Selection:
        some = self.rng.sample(self.runs, self.rng.randint(1, len(self.runs)))
        return Selection(
            [run.run_id for run in some],
            self.rng.sample(KEYS, self.rng.randint(1, len(KEYS))),
            self.rng.choice(WINDOWS),
            frozenset(self.rng.sample(self.writers, 2)) if self.rng.random() < 0.3 else None,
            self.rng.choice([frozenset({0}), frozenset({1}), frozenset({0, 7})])
            if self.rng.random() < 0.3
            else None,
        )

    def model(self, selection: Selection) -> list[Logged]:
        """What a scan must give."""
        shown = [point for run in self.runs for point in run.history(self.points)]
        chosen = [
            point
            for point in shown
            if point.run_id in selection.run_ids
            and point.key in selection.keys
            and selection.steps[0] <= point.step <= selection.steps[1]
            and (selection.writers is None or point.writer in selection.writers)
            and (selection.ranks is None or self.ranks[point.writer] in selection.ranks)
        ]
        return sorted(chosen, key=lambda p: (p.run_id, p.key, p.step, p.order_time, p.writer.int, p.sequence))


def told(pieces: Sequence[Piece]) -> list[tuple[object, ...]]:
    """The points of pieces, as :func:`exact` gives them, without attempts."""
    found = []
    for piece in pieces:
        names = [(run_id, key) for run_id, key, count in piece.series for _ in range(count)]
        _, *columns = (column.tolist() for column in piece.part.columns)
        for (run_id, key), *numbers in zip(names, *columns, strict=True):
            step, timestamp, value, code, *rest = numbers
            writer = piece.writers[code]
            found.append(Logged(run_id, key, "", step, timestamp, value, writer, *rest).exact())
    return found


def plain(points: Sequence[Logged]) -> list[tuple[object, ...]]:
    return exact(point._replace(attempt="") for point in points)


async def scanned(scans: Scans, selection: Selection, **options: Any) -> list[Piece]:
    return [piece async for piece in scans.scan(selection, **options)]


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects have many row groups."""
    monkeypatch.setattr(write, "ROW_GROUP", 16)


@pytest.mark.usefixtures("small_groups")
@pytest.mark.parametrize("case", [(1, 1 << 20, 40), (2, 40, 20), (3, 7, 8)])
async def test_scans_give_what_the_model_gives(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: tuple[int, int, int]
) -> None:
    """``most``: points that are held, so that passes must be repeated."""
    seed, most, questions = case
    monkeypatch.setattr(scan, "_MOST", most)
    world = World(daemon, tmp_path, seed)
    await world.begin()
    scans = world.scans()
    for _ in range(questions):
        selection = world.selection()
        expected = world.model(selection)
        assert told(await scanned(scans, selection)) == plain(expected)
        if expected:  # a page that begins anywhere
            at = world.rng.randrange(len(expected))
            point = expected[at]
            after = Point(point.run_id, point.key, point.step, point.order_time, point.writer, point.sequence)
            rest = await scanned(scans, replace(selection, after=after))
            assert told(rest) == plain(expected[at + 1 :])
        one = replace(selection, run_ids=selection.run_ids[:1], keys=selection.keys[:1])
        logged = sorted(world.model(one), key=lambda p: (p.order_time, p.writer.int, p.sequence))
        assert told(await scanned(scans, one, as_logged=True)) == plain(logged)


def check(found: Any, points: Sequence[Logged], most: int) -> None:
    """Fail unless the buckets are the points, which stand by step, as stretches that follow one another."""
    assert 0 < len(found) <= most
    begin = 0
    for bucket in found:
        of = points[begin : begin + bucket["count"]]
        values = np.array([point.value for point in of])
        numbers = values[~np.isnan(values)]
        assert (bucket["step_first"], bucket["step_last"]) == (of[0].step, of[-1].step)
        assert bucket["nan_count"] == len(values) - len(numbers)
        told = [bucket["min"], bucket["max"], charts.means(np.array([bucket]))[0]]
        if len(numbers):
            assert told[:2] == [numbers.min(), numbers.max()]
            with np.errstate(all="ignore"):
                mean = numbers.mean() if np.isfinite(numbers.mean()) else told[2]
            assert told[2] == pytest.approx(mean, nan_ok=True)
        else:
            assert np.isnan(told).all()
        assert bucket["last"].tobytes() == values[-1].tobytes()
        assert bucket["first"].tobytes() == values[0].tobytes()
        begin += len(of)
    assert begin == len(points)


@pytest.mark.usefixtures("small_groups")
async def test_buckets_give_what_the_model_gives(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(daemon, tmp_path, 4)
    await world.begin()
    of = Downsampler(world.scans(), Charts(world.segments, world.training.store))
    for turn in range(40):
        # Of series that are looked up one by one, several that share steps may stand in another order.
        long = turn % 4 == 3
        selection = world.selection()
        expected = world.model(selection)
        series = {(p.run_id, p.key): [q for q in expected if q[:2] == p[:2]] for p in expected}
        buckets = world.rng.choice([1, 3, 10, 1000])
        counts = {name: len(points) for name, points in series.items()}
        some = world.rng.choice([0, *counts.values()])
        monkeypatch.setattr(downsample, "_LONG", some if long else 1 << 14)
        found = [curve async for curve in of.get(selection, buckets, counts) if len(curve.buckets)]
        assert [curve[:2] for curve in found] == sorted(series)
        for curve in found:
            points = series[curve[:2]]
            if not long or len({point.step for point in points}) == len(points):
                check(curve.buckets, points, buckets)
                assert long or len(curve.buckets) == min(buckets, len(points)), "they are as fine as can be"
            assert curve.buckets["count"].sum() == len(points)
            assert curve.buckets["nan_count"].sum() == sum(np.isnan(point.value) for point in points)


class Counting(SegmentReader):
    """Counts the row groups that are read."""

    groups_read = 0

    def read_group(self, ref: Any, number: int) -> Any:
        Counting.groups_read += 1
        return super().read_group(ref, number)


async def test_a_page_reads_what_it_needs(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "ROW_GROUP", 100)
    monkeypatch.setattr(scan, "SegmentReader", Counting)
    world = World(daemon, tmp_path, 5)
    await world.begin(turns=0)
    run_id, writer = world.runs[0].run_id, world.writers[1]
    for begin in range(0, 5000, 1000):
        steps = range(begin, begin + 1000)
        part = [Logged(run_id, "loss", "", n, n, float(n), writer, n, n) for n in steps]
        await world.training.log(part, as_object=True)
        world.points += part

    async def first_pieces(count: int, **options: Any) -> int:
        """Reads so many points, and tells how many row groups that took."""
        Counting.groups_read = 0
        pieces = world.scans().scan(Selection([run_id], ["loss"], **options))
        async for piece in pieces:
            count -= len(piece.part)
            if count <= 0:
                break
        await pieces.aclose()
        return Counting.groups_read

    assert await first_pieces(1) == 1
    assert await first_pieces(150) == 2
    assert await first_pieces(5000) == 50
    assert await first_pieces(5000, steps=(1250, 1449)) == 3
    assert await first_pieces(1, after=Point(run_id, "loss", 3333, 3333, writer, 3333)) == 1
    assert await first_pieces(5000, writers=frozenset({world.writers[0]})) == 50


class Losing(SegmentReader):
    """Some row groups are gone when they are asked for, and back in the next plan."""

    asked = 0
    lost: ClassVar[list[str]] = []

    def read_group(self, ref: Any, number: int) -> Any:
        self.asked += 1
        if self.asked in {1, 4, 9, 15, 20}:
            self.lost.append(f"{ref.path} {self.asked}")
            raise SegmentMissingError(self.lost[-1], ref.id)
        return super().read_group(ref, number)


@pytest.mark.usefixtures("small_groups")
async def test_what_moves_meanwhile_is_read_once(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is gone means a new plan, neither a gap nor a repetition; one that is lost, an error."""
    world = World(daemon, tmp_path, 6)
    await world.begin()
    selection = Selection([run.run_id for run in world.runs], KEYS)
    expected = plain(world.model(selection))
    with monkeypatch.context() as patch:
        patch.setattr(scan, "SegmentReader", Losing)
        assert told(await scanned(world.scans(), selection)) == expected
    assert len(Losing.lost) == 5
    for ref in (await world.segments.plan(selection.run_ids)).segments:
        if ref.path is not None:
            lost = world.training.store.local_path(ref.path)
    lost.unlink()
    with pytest.raises(SegmentMissingError):
        await scanned(world.scans(), selection)


def test_the_rank_of_labels() -> None:
    ranks: list[dict[str, str]] = [
        {},
        {"rank": "0"},
        {"rank": "12"},
        {"rank": "first"},
        {"rank": "²"},
        {"rank": "9" * 30},
    ]
    assert [scan.rank_of(labels) for labels in ranks] == [None, 0, 12, None, None, None]
