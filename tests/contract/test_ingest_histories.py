"""Histories of several series at the wire: messages, pages, and how the daemon says no."""

import base64
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from headrace.calls.histories import _points
from headrace_ingest import histories
from headrace_proto import wire
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage import scan
from ingest_client import RUN, cells, connected, define, history, ship
from ingest_daemon import serving

OTHER = "f" * 32


@pytest.fixture
async def channel(tmp_path: Path, database_url: str) -> AsyncIterator[Any]:
    async with serving(tmp_path / "data", database_url) as address, connected(address) as channel:
        yield channel


async def asked(channel: Any, **fields: Any) -> list[pb.MetricHistories]:
    method = channel.unary_stream(
        "/headrace.v1.Tracking/GetMetricHistories",
        request_serializer=pb.GetMetricHistoriesRequest.SerializeToString,
        response_deserializer=pb.MetricHistories.FromString,
    )
    return [answer async for answer in method(pb.GetMetricHistoriesRequest(**{"run_ids": [RUN]} | fields))]


async def refused(channel: Any, **fields: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await asked(channel, **fields)
    return raised.value.code(), raised.value.details()


def told(answers: Sequence[pb.MetricHistories]) -> list[tuple[str, int]]:
    return [(one.key, one.points) for answer in answers for one in answer.series]


async def points(channel: Any, **fields: Any) -> list[tuple[str, float, str]]:
    """Key, value and writer of all points, page by page."""
    found: list[tuple[str, float, str]] = []
    token = ""
    while token or not found:
        page = await asked(channel, page_token=token, **fields)
        read = _points(page)
        rows = read.to_dicts()
        assert len({writer.writer_id for writer in read.writers}) == len(read.writers)
        assert not fields["max_points"] or len(rows) == min(fields["max_points"], 39 - len(found))
        found += [(row["key"], row["value"], row["writer"]) for row in rows]
        token = read.token or ""
    return found


async def log(channel: Any) -> uuid.UUID:
    """10 points of "loss" and 3 of "acc"."""
    shipper, writer = ship(channel), uuid.uuid4()
    await shipper.open(writer)
    data = cells([float(step) for step in range(10)]) + cells([1.0] * 3, series=1)
    await shipper.append(0, data, define(["loss", "acc"]))
    await shipper.committed(13)
    return writer


async def test_pieces_of_several_writers(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in many pieces makes the same pages, and tells each writer once."""
    writers = [await log(channel) for _ in range(3)]
    whole = sorted(await points(channel, max_points=0))
    assert len(whole) == 39
    assert {writer for *_, writer in whole} == {writer.hex for writer in writers}
    logged = await history(channel, RUN, "loss")
    assert len(logged["values"]) == 30
    monkeypatch.setattr(scan, "_MOST", 4)  # pieces of two points
    monkeypatch.setattr("headrace_storage.history.MANY", 10)  # so that it is read in pieces, too
    again = await history(channel, RUN, "loss")
    assert {name: column.tolist() for name, column in again.items()} == {
        name: column.tolist() for name, column in logged.items()
    }
    for size in (0, 1, 2, 4, 5, 39, 40):
        assert sorted(await points(channel, max_points=size)) == whole


async def test_runs_are_read_some_at_a_time(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all keys are asked for, and with buckets: pages and writers are as of one reading."""
    monkeypatch.setattr(histories, "_RUNS_AT_ONCE", 2)
    runs = [uuid.UUID(int=number).hex for number in range(7)]
    writers = [uuid.uuid4() for _ in range(2)]
    for writer, numbers in zip(writers, (range(4), range(4, 7)), strict=True):
        shipper = ship(channel)
        await shipper.open(writer)
        names = [wire.run_frame(wire.RunDefinition(at, runs[of], "")) for at, of in enumerate(numbers)]
        series = [wire.SeriesDefinition(at, at, f"key{of % 3}") for at, of in enumerate(numbers)]
        names += map(wire.series_frame, series)
        data = [cells([float(of)] * 3, series=at) for at, of in enumerate(numbers)]
        await shipper.append(0, b"".join(data), b"".join(names))
        await shipper.committed(3 * len(numbers))
    expected = [(run_id, f"key{number % 3}", 3) for number, run_id in enumerate(runs)]
    for buckets in (0, 3):
        fields = {"run_ids": runs, "buckets": buckets}
        whole = await asked(channel, **fields)
        assert [(one.run_id, one.key, one.points) for answer in whole for one in answer.series] == expected
        found: list[tuple[str, int]] = []
        token = ""
        while token or not found:
            page = await asked(channel, max_points=4, page_token=token, **fields)
            token = page[-1].next_page_token
            found += [(one.run_id, one.points) for answer in page for one in answer.series]
        assert sum(points for _, points in found) == 21
        assert len(found) == (7 if buckets else 11)
    told = _points(await asked(channel, run_ids=runs))
    assert [writer.writer_id for writer in told.writers] == [writer.hex for writer in writers]
    assert [row["writer"] for row in told.to_dicts()] == [writers[0].hex] * 12 + [writers[1].hex] * 9


async def test_messages_and_pages(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histories, "CHUNK", 4)
    writer = await log(channel)
    whole = await asked(channel)
    assert told(whole) == [("acc", 3), ("loss", 1), ("loss", 4), ("loss", 4), ("loss", 1)]
    assert [answer.next_page_token for answer in whole] == [""] * 4
    assert [[new.writer_id for new in answer.new_writers] for answer in whole] == [[writer.hex], [], [], []]
    assert all(answer.points.packed <= 4 for answer in whole)
    assert await asked(channel, keys=["none"]) == []
    for size in (1, 3, 4, 5, 12, 13, 14):
        pages: list[int] = []
        token = ""
        while token or not pages:
            page = await asked(channel, max_points=size, page_token=token)
            assert all(not answer.next_page_token for answer in page[:-1])
            token = page[-1].next_page_token
            pages.append(sum(points for _, points in told(page)))
        assert pages == [size] * (13 // size) + [13 % size] * (13 % size > 0)
    first = await asked(channel, buckets=5, max_points=3)
    rest = await asked(channel, buckets=5, max_points=3, page_token=first[-1].next_page_token)
    assert (told(first), told(rest)) == ([("acc", 3)], [("loss", 5)])
    assert np.frombuffer(rest[-1].buckets.counts, "<i8").tolist() == [2] * 5
    assert rest[-1].next_page_token == ""


async def test_what_is_refused(channel: Any) -> None:
    await log(channel)
    for fields, problem in (
        ({"run_ids": []}, "run_ids holds 0, the bounds are 1 and 1000"),
        ({"run_ids": [RUN] * 1001}, "run_ids holds 1001"),
        ({"keys": ["k"] * 1001}, "keys holds 1001, the bounds are 0 and 1000"),
        ({"buckets": -1}, "buckets is -1, the bounds are 0 and 10000"),
        ({"buckets": 10_001}, "buckets is 10001"),
        ({"max_points": 1_000_001}, "max_points is 1000001, the bounds are 0 and 1000000"),
        ({"writer_ids": ["x"]}, "writer_ids holds what is not 32 hexadecimal digits"),
        ({"ranks": [1] * 10_001}, "ranks holds 10001, the bound is 10000"),
        ({"page_token": "x"}, "page_token is none that was given out"),
    ):
        code, details = await refused(channel, **fields)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details.startswith(problem)
    code, details = await refused(channel, run_ids=[RUN, OTHER, "no id"])
    assert (code, OTHER in details) == (grpc.StatusCode.NOT_FOUND, True)


async def test_tokens_that_were_tampered_with(channel: Any) -> None:
    await log(channel)
    token = (await asked(channel, max_points=2))[-1].next_page_token
    assert told(await asked(channel, max_points=9, page_token=token)) == [("acc", 1), ("loss", 8)]
    for fields in ({"keys": ["loss"]}, {"last_step": 5}, {"ranks": [0]}, {"buckets": 3}):
        assert "is of another question" in (await refused(channel, page_token=token, **fields))[1]
    key = json.loads(base64.urlsafe_b64decode(token))
    for place, wrong in ((1, OTHER), (3, 1 << 63), (4, "x"), (5, "x" * 32), (6, -(1 << 63) - 1), (6, 1.5)):
        forged = base64.urlsafe_b64encode(json.dumps([*key[:place], wrong, *key[place + 1 :]]).encode())
        code, details = await refused(channel, page_token=forged.decode())
        assert (code, details.split()[0]) == (grpc.StatusCode.INVALID_ARGUMENT, "page_token")
    # A place where nothing is, even of a key that is not there, is a place to begin.
    for forged_key, expected in (("b", [("loss", 10)]), ("zzz", []), ("", [("acc", 3), ("loss", 10)])):
        forged = base64.urlsafe_b64encode(json.dumps([*key[:2], forged_key, *key[3:]]).encode())
        assert told(await asked(channel, page_token=forged.decode())) == expected
