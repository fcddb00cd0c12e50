"""The daemon's own writer: who is answered what, when the daemon loses track, and what counts once."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from headrace_ingest import own_writer
from headrace_ingest.bounds import Bounds
from headrace_ingest.decode import Part, decode
from headrace_ingest.http.mlflow.metrics import by_time, sample
from headrace_ingest.lane import Lane
from headrace_ingest.own_writer import OwnWriter, Points
from headrace_ingest.session import Batch
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_storage.errors import CatalogUnavailableError, InvalidArgumentError
from headrace_storage.model import OpenedWriter, Reject, SetParam
from headrace_storage.segments.logged import Columns

RUN, OTHER = "a" * 32, "b" * 32


class Catalog:
    """Knows how far writers were committed."""

    def __init__(self) -> None:
        self.opened: list[tuple[UUID, int]] = []
        self.committed: dict[UUID, int] = {}
        self.rejects: list[Reject] = []

    async def open(
        self, writer: UUID, _: UUID, number: int, __: Mapping[str, str], known: int
    ) -> OpenedWriter:
        await asyncio.sleep(0)
        self.opened.append((writer, number))
        rejects = [reject for reject in self.rejects if reject.first > known]
        return OpenedWriter(number, self.committed.get(writer, 0), 0, rejects)


class Committer:
    """Keeps what is submitted until the test decides."""

    def __init__(self) -> None:
        self.batches: list[tuple[Lane, Batch]] = []

    async def room(self) -> None:
        return None

    def submit(self, lane: Lane, batch: Batch) -> None:
        self.batches.append((lane, batch))

    def decoded(self) -> Any:
        parts: dict[Lane, list[Batch]] = {}
        for lane, batch in self.batches:
            parts.setdefault(lane, []).append(batch)
        return decode(
            [
                Part(lane.writer, lane.session.dictionary, lane.order_time, batches)
                for lane, batches in parts.items()
            ]
        )


@pytest.fixture
def catalog() -> Any:
    return Catalog()


@pytest.fixture
def committer() -> Any:
    return Committer()


@pytest.fixture
def writer(catalog: Any, committer: Any) -> OwnWriter:
    return OwnWriter(catalog, committer)


def points(*values: float, key: str = "m", step: int = 0) -> Points:
    count = len(values)
    return Points([key] * count, [step] * count, [5] * count, values)


def param(key: str) -> RunChange:
    change = RunChange()
    change.param.key, change.param.value = key, "1"
    return change


async def begun(*requests: Any) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.ensure_future(request) for request in requests]
    for _ in range(20):
        await asyncio.sleep(0)
    return tasks


async def test_each_hears_of_its_own_rejects(writer: OwnWriter, committer: Committer) -> None:
    one, two = await begun(
        writer.log(RUN, [param("a")], points(1.0, 2.0), [param("b")]), writer.log(OTHER, [param("c")])
    )
    decoded = committer.decoded()
    assert [(change.run_id, change.change) for change in decoded.changes] == [
        (RUN, SetParam("a", "1")),
        (RUN, SetParam("b", "1")),
        (OTHER, SetParam("c", "1")),
    ]
    assert decoded.rows.value.tolist() == [1.0, 2.0]
    assert decoded.rows.order_time.min() > 0
    (lane, first), (_, second) = committer.batches
    lane.acknowledge(first.end, [])
    await asyncio.sleep(0)
    assert one.done()
    assert not two.done()
    reject = Reject(lane.writer, second.first, second.end, "INVALID_PARAMETER_VALUE", "no")
    lane.acknowledge(second.end, [reject])
    assert (await one, await two) == ([], [reject])


async def test_what_was_committed_when_the_daemon_lost_track_is_answered_so(
    writer: OwnWriter, committer: Committer, catalog: Catalog
) -> None:
    one, two = await begun(writer.log(RUN, points=points(1.0)), writer.log(RUN, points=points(2.0)))
    lane, first = committer.batches[0]
    catalog.committed[lane.writer] = first.end
    lane.lose("a test")
    again = asyncio.ensure_future(writer.log(RUN, points=points(2.0)))
    assert await one == []
    with pytest.raises(CatalogUnavailableError):
        await two
    await begun()
    assert [number for opened, number in catalog.opened if opened == lane.writer] == [1, 2]
    newer, batch = committer.batches[-1]
    assert newer.writer != lane.writer
    newer.acknowledge(batch.end, [])
    assert await again == []


async def test_a_point_that_waits_for_its_commit_is_not_logged_again(
    writer: OwnWriter, committer: Committer
) -> None:
    same = points(1.0, math.nan, 1.0, math.nan)
    tasks = await begun(writer.log(RUN, points=same), writer.log(RUN, points=same))
    assert len(committer.batches) == 1
    assert not any(task.done() for task in tasks)
    lane, batch = committer.batches[0]
    lane.acknowledge(batch.end, [])
    assert [await task for task in tasks] == [[], []]
    assert await writer.log(RUN, points=same) == []
    # Another value, step, key or run is another point.
    others = [(RUN, points(-1.0)), (RUN, points(1.0, step=1)), (RUN, points(1.0, key="n")), (OTHER, same)]
    tasks = await begun(*(writer.log(run, points=some) for run, some in others))
    assert committer.decoded().rows.value.tolist()[2:] == pytest.approx(
        [-1.0, 1.0, 1.0, 1.0, math.nan], nan_ok=True
    )
    lane.acknowledge(committer.batches[-1][1].end, [])
    assert [await task for task in tasks] == [[]] * 4


async def test_who_sends_a_refused_point_again_hears_of_it(writer: OwnWriter, committer: Committer) -> None:
    one, two = await begun(
        writer.log(RUN, [param("a")], points(1.0, 2.0)), writer.log(RUN, points=points(2.0, 3.0))
    )
    (lane, first), (_, second) = committer.batches
    refused_param = Reject(lane.writer, first.first, first.end - 2, "INVALID_PARAMETER_VALUE", "no", RUN)
    refused_point = Reject(lane.writer, first.end - 1, first.end, "INVALID_PARAMETER_VALUE", "no", RUN)
    lane.acknowledge(first.end, [refused_param, refused_point])
    lane.acknowledge(second.end, [])
    assert await one == [refused_param, refused_point]
    assert await two == [refused_point]
    [three] = await begun(writer.log(RUN, points=points(1.0, 2.0, 3.0)))
    _, _, (_, third) = committer.batches
    assert third.count == 1  # 2.0, which is stored nowhere
    lane.acknowledge(third.end, [])
    assert await three == []


async def test_who_gives_up_holds_nobody_back(writer: OwnWriter, committer: Committer) -> None:
    one, two = await begun(writer.log(RUN, points=points(1.0)), writer.log(RUN, points=points(2.0)))
    one.cancel()
    [again] = await begun(writer.log(RUN, points=points(1.0)))
    (lane, _), (_, second) = committer.batches  # it was logged, and is not logged again
    lane.acknowledge(second.end, [])
    assert [await two, await again] == [[], []]
    assert one.cancelled()


async def test_what_is_stored_needs_no_further_commit(writer: OwnWriter, committer: Committer) -> None:
    [one] = await begun(writer.log(RUN, points=points(1.0)))
    lane, batch = committer.batches[0]
    lane.acknowledge(batch.end, [])
    await begun(writer.log(RUN, points=points(2.0)))
    assert await one == await writer.log(RUN, points=points(1.0)) == []


@pytest.fixture
async def full(catalog: Any, committer: Any, monkeypatch: pytest.MonkeyPatch) -> OwnWriter:
    """One that has no room."""
    monkeypatch.setattr(own_writer, "_CREDIT", 0)
    writer = OwnWriter(catalog, committer, Bounds(credit=4 << 20))
    await begun(writer.log(RUN, points=points(*range(1 << 17))))
    return writer


async def test_who_waits_for_room_when_the_daemon_loses_track_is_logged(
    full: OwnWriter, committer: Committer
) -> None:
    [waiting] = await begun(full.log(RUN, points=points(0.5)))
    [(lane, _)] = committer.batches
    lane.lose("a test")
    await begun()
    newer, batch = committer.batches[-1]
    assert newer.writer != lane.writer
    newer.acknowledge(batch.end, [])
    assert await waiting == []


async def test_who_waits_for_room_when_it_is_closed_is_told(full: OwnWriter, committer: Committer) -> None:
    [waiting] = await begun(full.log(RUN, points=points(0.5)))
    full.close()
    [(lane, batch)] = committer.batches
    lane.acknowledge(batch.end, [])
    with pytest.raises(CatalogUnavailableError, match="shutting down"):
        await waiting
    assert len(committer.batches) == 1


async def test_no_request_exceeds_the_credit(catalog: Any, committer: Committer) -> None:
    writer = OwnWriter(catalog, committer, Bounds(credit=4 << 20))  # type: ignore[arg-type]
    large = RunChange()
    large.tag.key, large.tag.value = "t", "x" * (1 << 20)
    [sent] = await begun(writer.log(RUN, [large] * 9))
    assert not sent.done()
    large.tag.value = "x" * (2 << 20)
    with pytest.raises(InvalidArgumentError, match="2097"):
        await writer.log(RUN, [large], points(1.0))
    assert len(committer.batches) == 1
    await begun(writer.log(RUN, points=points(1.0)))
    assert len(committer.batches) == 2  # nothing of the refused one counts as logged


async def test_names_are_forgotten_with_their_writer(
    writer: OwnWriter, committer: Committer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_writer, "MAX_NAMES", 4)
    tasks = await begun(*(writer.log(RUN, points=points(1.0, key=f"k{number}")) for number in range(9)))
    assert len({lane for lane, _ in committer.batches}) == 3
    for lane, batch in committer.batches:
        lane.acknowledge(batch.end, [])
    assert [await task for task in tasks] == [[]] * 9


async def test_a_closed_one_takes_nothing(writer: OwnWriter) -> None:
    writer.close()
    with pytest.raises(CatalogUnavailableError, match="shutting down"):
        await writer.log(RUN, points=points(1.0))


@pytest.mark.parametrize("seed", range(20))
def test_a_sample_has_the_ends_and_the_extremes(seed: int) -> None:
    random = np.random.default_rng(seed)
    count, most = int(random.integers(1, 3000)), int(random.integers(4, 400))
    value = random.normal(size=count)
    value[random.random(count) < random.choice([0, 0.3, 0.99])] = math.nan
    columns = Columns(np.arange(count), np.arange(count), value)
    which = sample(columns, most)
    assert len(which) <= most
    assert (np.diff(which) > 0).all()
    assert {0, count - 1} <= set(which.tolist())
    if not np.isnan(value).all():
        assert np.nanmin(value[which]) == np.nanmin(value)
        assert np.nanmax(value[which]) == np.nanmax(value)


def test_a_history_is_in_order_and_has_each_point_once() -> None:
    step, time = np.array([2, 1, 1, 0, 1]), np.array([1, 1, 1, 2, 1])
    value = np.array([0.0, math.nan, -1.0, 3.0, math.nan])
    found = by_time([Columns(step[:2], time[:2], value[:2]), Columns(step[2:], time[2:], value[2:])])
    assert found.step.tolist() == [1, 1, 2, 0]
    assert found.value.tolist() == pytest.approx([-1.0, math.nan, 0.0, 3.0], nan_ok=True)
