"""The ingest stream against a real catalog: what is acknowledged, refused, and read back."""

import contextlib
import math
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from headrace_ingest.bounds import DEFAULTS
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2 as pb
from headrace_proto.v1.tracking_pb2 import (
    FINISHED,
    CreateRun,
    EndRun,
    GetRunRequest,
    Run,
    SetParam,
    SetTag,
    StartAttempt,
)
from ingest_client import NOW, RUN, cells, change, connected, define, history, ship
from ingest_daemon import serving


@pytest.fixture
async def channel(tmp_path: Path, database_url: str) -> AsyncIterator[Any]:
    async with serving(tmp_path / "data", database_url) as address, connected(address) as channel:
        yield channel


async def get_run(channel: Any, run_id: str = RUN) -> Run:
    method = channel.unary_unary(
        "/headrace.v1.Tracking/GetRun",
        request_serializer=GetRunRequest.SerializeToString,
        response_deserializer=Run.FromString,
    )
    run: Run = await method(GetRunRequest(run_id=run_id))
    return run


async def test_points_are_there_when_acknowledged(channel: Any) -> None:
    values = [0.5, math.nan, math.inf, -math.inf, -0.0, 5e-324]
    shipper = ship(channel)
    opened = await shipper.open()
    assert (opened.handle, opened.committed, opened.credit) == (1, 0, DEFAULTS.credit)
    await shipper.append(0, cells(values), define(["loss"]))
    assert await shipper.committed(6) == []

    found = await history(channel, RUN, "loss")
    assert found["values"].tobytes() == np.array(values).tobytes()
    assert found["steps"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(found["timestamps"].tolist()) == {NOW}
    [latest] = (await get_run(channel)).metrics
    assert (latest.key, latest.step, latest.value) == ("loss", 5, 5e-324)


async def test_a_run_with_everything(channel: Any) -> None:
    shipper = ship(channel)
    await shipper.open()
    records = [
        change(create=CreateRun(experiment_name="digits", run_name="first", user_id="me", start_time=NOW)),
        change(start_attempt=StartAttempt(token="t", process_id="p", start_time=NOW)),
        change(param=SetParam(key="lr", value="0.1")),
        cells([1.0, 2.0]),
        change(tag=SetTag(key="note", value="fine")),
        change(end=EndRun(status=FINISHED, end_time=NOW + 5, token="t", process_id="p")),
    ]
    data = b"".join(records)
    await shipper.append(0, data, define(["loss"], attempt="t"))
    assert await shipper.committed(len(data) // 32) == []
    run = await get_run(channel)
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("first", FINISHED, NOW + 5)
    assert (dict(run.params), dict(run.tags)) == ({"lr": "0.1"}, {"note": "fine"})
    assert (await history(channel, RUN, "loss"))["values"].tolist() == [1.0, 2.0]


async def test_a_writer_goes_on_where_it_stands(channel: Any) -> None:
    writer = uuid.uuid4()
    first = ship(channel)
    await first.open(writer)
    await first.append(0, cells([0.0, 1.0, 2.0]), define(["loss"]))
    await first.committed(3)
    second = ship(channel)
    assert (await second.open(writer)).committed == 3
    # A shipper that sends more than it must is trimmed.
    await second.append(1, cells([1.0, 2.0, 3.0], first_step=1), define(["loss"]))
    await second.committed(4)
    assert (await history(channel, RUN, "loss"))["values"].tolist() == [0.0, 1.0, 2.0, 3.0]


async def test_rejects_come_with_the_ack_and_again_after_a_reconnect(channel: Any) -> None:
    writer = uuid.uuid4()
    shipper = ship(channel)
    await shipper.open(writer)
    data = change(param=SetParam(key="lr", value="1")) + change(param=SetParam(key="lr", value="2"))
    data += cells([1.0], timestamp=-5) + cells([2.0])
    await shipper.append(0, data, define(["loss"]))
    param, timestamp = await shipper.committed(6)
    assert (param.first, param.end, param.code) == (2, 4, "INVALID_PARAMETER_VALUE")
    assert "lr" in param.message
    assert (timestamp.first, timestamp.end) == (4, 5)
    assert "-5 ms" in timestamp.message
    assert (await history(channel, RUN, "loss"))["values"].tolist() == [2.0]

    again = await ship(channel).open(writer)
    assert [(reject.first, reject.message) for reject in again.rejects] == [
        (2, param.message),
        (4, timestamp.message),
    ]
    known = await ship(channel).open(writer, known_reject=2)
    assert [reject.first for reject in known.rejects] == [4]


async def test_another_shipper_fences_and_the_loser_is_told(channel: Any) -> None:
    writer = uuid.uuid4()
    loser, winner = ship(channel), ship(channel)
    await loser.open(writer)
    await loser.append(0, cells([1.0]), define(["loss"]))
    await loser.committed(1)
    opened = await winner.open(writer)
    assert (opened.committed, opened.epoch) == (1, 2)
    refused = await loser.receive()
    assert (refused.handle, refused.code) == (1, pb.Refused.FENCED)
    await loser.append(1, cells([9.0]))
    await winner.append(1, cells([2.0]), define(["loss"]))
    await winner.committed(2)
    assert (await history(channel, RUN, "loss"))["values"].tolist() == [1.0, 2.0]


async def test_a_delayed_connection_of_the_same_shipper_is_stale(channel: Any) -> None:
    writer, new, old = uuid.uuid4(), ship(channel), ship(channel)
    old.shipper_id = new.shipper_id
    await new.open(writer, number=7)
    refused = await old.open(writer, number=6)
    assert refused.code == pb.Refused.STALE


async def test_a_writer_that_a_daemon_elsewhere_took_is_refused_at_its_next_commit(
    tmp_path: Path, database_url: str
) -> None:
    writer = uuid.uuid4()
    data = tmp_path / "data"
    async with (
        serving(data, database_url) as one,
        serving(data, database_url) as two,
        connected(one) as here,
        connected(two) as there,
    ):
        loser, winner, other = ship(here), ship(there), ship(here)
        await loser.open(writer)
        await other.open()
        assert (await winner.open(writer)).epoch == 2
        await loser.append(0, cells([9.0]), define(["loss"]))
        await other.append(0, cells([1.0]), define(["loss"]))
        refused = await loser.receive()
        assert refused.code == pb.Refused.FENCED
        assert uuid.UUID(bytes=winner.shipper_id).hex in refused.message
        await other.committed(1)
        await winner.append(0, cells([2.0]), define(["loss"]))
        await winner.committed(1)
        assert sorted((await history(here, RUN, "loss"))["values"].tolist()) == [1.0, 2.0]


HOSTILE = {
    "half a cell": (pb.Append(handle=1, cells=b"x" * 33), "whole cells of 32"),
    "a gap": (pb.Append(handle=1, first=5, cells=cells([1.0])), "begin at 5, but 0"),
    "an endless sequence": (pb.Append(handle=1, first=2**64 - 1, cells=cells([1.0])), "above"),
    "a definition that is cut": (pb.Append(handle=1, definitions=define(["loss"])[:-1]), "cut"),
    "a definition too long": (
        pb.Append(handle=1, definitions=wire.FRAME_HEAD.pack(2**31, 0)),
        f"bound is {wire.MAX_DEFINITION}",
    ),
    "a series of no run": (
        pb.Append(handle=1, definitions=wire.series_frame(wire.SeriesDefinition(0, 7, "k"))),
        "run 7, which is not defined",
    ),
    "a record longer than itself": (
        pb.Append(handle=1, cells=wire.BLOB_HEAD.pack(wire.BLOB, 0, 1, 0, 64, 0, NOW, 0)),
        "64 bytes in 1 cells",
    ),
    "a record of no cells": (
        pb.Append(handle=1, cells=wire.BLOB_HEAD.pack(wire.BLOB, 0, 0, 0, 0, 0, NOW, 0)),
        "0 bytes in 0 cells",
    ),
    "a handle that is not open": (pb.Append(handle=9, cells=cells([1.0])), "handle 9 is not open"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_breaks_the_protocol_is_refused_and_nobody_else_suffers(channel: Any, name: str) -> None:
    append, bound = HOSTILE[name]
    shipper = ship(channel)
    await shipper.open()
    await shipper.open()
    await shipper.send(append=append)
    refused = await shipper.receive()
    assert (refused.handle, refused.code) == (append.handle, pb.Refused.MALFORMED)
    assert bound in refused.message
    # It is told once, and the other writer of the stream goes on.
    await shipper.send(append=append)
    await shipper.append(0, cells([1.0]), define(["loss"]), handle=2)
    assert await shipper.committed(1, handle=2) == []


@pytest.mark.parametrize(
    ("fields", "code", "bound"),
    [
        ({"format": 99}, pb.Refused.UNSUPPORTED_FORMAT, "99"),
        ({"writer_id": b"short"}, pb.Refused.MALFORMED, "5 bytes, not 16"),
        ({"shipper_id": b""}, pb.Refused.MALFORMED, "0 bytes, not 16"),
        ({"open_number": 2**64 - 1}, pb.Refused.MALFORMED, "above"),
        ({"labels": {"k" * 257: ""}}, pb.Refused.MALFORMED, "257 bytes"),
        ({"labels": {f"k{n}": "" for n in range(33)}}, pb.Refused.MALFORMED, "33 labels"),
        ({"labels": {"k": "\0"}}, pb.Refused.MALFORMED, "NUL"),
    ],
)
async def test_an_open_that_breaks_a_bound_is_refused(
    channel: Any, fields: dict[str, Any], code: pb.Refused.Code, bound: str
) -> None:
    good: dict[str, Any] = {
        "handle": 3,
        "writer_id": b"w" * 16,
        "shipper_id": b"s" * 16,
        "open_number": 1,
        "format": 1,
    }
    shipper = ship(channel)
    await shipper.send(open=pb.Open(**good | fields))
    refused = await shipper.receive()
    assert (refused.handle, refused.code) == (3, code)
    assert bound in refused.message


async def test_a_handle_is_used_once(channel: Any) -> None:
    shipper = ship(channel)
    await shipper.open()
    shipper.handles = 0
    refused = await shipper.open()
    assert (refused.code, refused.message) == (pb.Refused.MALFORMED, "handle 1 was used before")


async def test_a_message_without_a_body_ends_the_stream(channel: Any) -> None:
    shipper = ship(channel)
    await shipper.call.write(pb.ClientMessage())
    code, details = await shipper.status()
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "without a body" in details


async def test_bytes_that_are_no_message_end_the_stream(channel: Any) -> None:
    call = channel.stream_stream("/headrace.v1.Ingest/Stream")()
    await call.write(b"\xff\xff\xff")
    assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_over_the_bound_ends_only_its_stream(channel: Any) -> None:
    good, bad = ship(channel), ship(channel)
    await good.open()
    await bad.open()
    await bad.append(0, b"\0" * (DEFAULTS.message + 1))
    assert (await bad.status())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    await good.append(0, cells([1.0]), define(["loss"]))
    await good.committed(1)


async def test_many_rejects_come_in_parts(channel: Any) -> None:
    count = 3 * 1000 + 17
    writer = uuid.uuid4()
    shipper = ship(channel)
    await shipper.open(writer)
    # Every other point is refused, so that no two refusals are one range.
    data = b"".join(cells([1.0], series=at % 2) for at in range(2 * count))
    await shipper.append(0, data, define(["loss", "bad\0key"]))
    rejects = await shipper.committed(2 * count)
    assert [reject.first for reject in rejects] == list(range(1, 2 * count, 2))
    again = ship(channel)
    opened = await again.open(writer)
    assert opened.committed == opened.rejects[-1].first + 2
    rest = await again.committed(2 * count)
    assert [reject.first for reject in [*opened.rejects, *rest]] == list(range(1, 2 * count, 2))


async def test_the_half_closed_stream_gets_its_acks(channel: Any) -> None:
    shipper = ship(channel)
    await shipper.open()
    await shipper.append(0, cells([1.0] * 1000), define(["loss"]))
    await shipper.call.done_writing()
    await shipper.committed(1000)
    assert await shipper.receive() is None
    assert (await shipper.status())[0] is grpc.StatusCode.OK


async def test_a_draining_daemon_commits_and_acknowledges_what_it_read(
    tmp_path: Path, database_url: str
) -> None:
    daemon = serving(tmp_path / "data", database_url)
    address = await daemon.__aenter__()
    async with connected(address) as channel:
        busy, idle, writer = ship(channel), ship(channel), uuid.uuid4()
        await busy.open(writer)
        await idle.open()
        for first in range(0, 50_000, 1000):
            await busy.append(first, cells([1.0] * 1000), define(["loss"]) if first == 0 else b"")
        await daemon.__aexit__(None, None, None)
        assert await idle.status() == (grpc.StatusCode.UNAVAILABLE, "the daemon is shutting down")
        acknowledged = 0
        with contextlib.suppress(grpc.aio.AioRpcError):
            while True:
                acknowledged = (await busy.receive()).committed
        assert (await busy.status())[0] is grpc.StatusCode.UNAVAILABLE
    async with serving(tmp_path / "data", database_url) as address, connected(address) as channel:
        assert (await ship(channel).open(writer)).committed == acknowledged > 0


async def test_records_that_are_never_completed_are_bounded(channel: Any) -> None:
    shipper = ship(channel)
    head = wire.BLOB_HEAD.pack(wire.BLOB, 0, wire.MAX_BLOB_CELLS, 0, wire.MAX_BLOB_BYTES, 0, NOW, 0)
    for _ in range(6):
        await shipper.open()
    for handle in range(1, 6):
        await shipper.append(0, head + b"\0" * 32 * (wire.MAX_BLOB_CELLS - 2), handle=handle)
    refused = await shipper.receive()
    assert (refused.handle, refused.code) == (5, pb.Refused.MALFORMED)
    assert f"the bound of a stream is {DEFAULTS.cut}" in refused.message
    await shipper.append(0, cells([1.0]), define(["loss"]), handle=6)
    await shipper.committed(1, handle=6)
