"""The tracking service: what it tells, and how it says no."""

import math
import re
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from headrace_ingest import histories, packing, status
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage import errors
from ingest_client import NOW, RUN, cells, change, connected, define, history, ship
from ingest_daemon import serving

Call = Callable[..., Any]


@pytest.fixture
async def channel(tmp_path: Path, database_url: str) -> AsyncIterator[Any]:
    async with serving(tmp_path / "data", database_url) as address, connected(address) as channel:
        yield channel


@pytest.fixture
def call(channel: Any) -> Call:
    """``await call("GetRun", run_id=...)``."""

    async def call(method: str, **fields: Any) -> Any:
        request = getattr(pb, f"{method}Request")
        noun = re.sub("^(Get|Create|Change)", "", method)
        response = getattr(pb, noun if noun in ("Experiment", "Run", "MetricChart") else f"{method}Response")
        stub = channel.unary_unary(
            f"/headrace.v1.Tracking/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return await stub(request(**fields))

    return call


async def refused(call: Call, method: str, **fields: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(method, **fields)
    return raised.value.code(), raised.value.details()


async def test_experiments(call: Call) -> None:
    made = await call("CreateExperiment", name="digits", tags={"team": "mill"})
    assert (await call("GetExperiment", name="digits")) == made
    assert (await call("GetExperiment", experiment_id=made.experiment_id)) == made
    assert dict(made.tags) == {"team": "mill"}
    page = await call("ListExperiments", max_results=1)
    rest = await call("ListExperiments", max_results=1, page_token=page.next_page_token)
    assert {e.name for e in [*page.experiments, *rest.experiments]} == {"digits", "Default"}
    assert rest.next_page_token == ""


async def test_an_experiment_is_changed(call: Call) -> None:
    made = await call("CreateExperiment", name="digits", tags={"team": "mill"})
    this = {"experiment_id": made.experiment_id}
    assert (await call("ChangeExperiment", **this, name="letters")).name == "letters"
    tags = pb.ChangeExperimentRequest.Tags(tags={"team": "race", "a": "b"})
    await call("ChangeExperiment", **this, set_tags=tags)
    assert dict((await call("ChangeExperiment", **this, delete_tag="a")).tags) == {"team": "race"}
    run = await call("CreateRun", run=pb.CreateRun(**this))
    deleted = await call("ChangeExperiment", **this, lifecycle_stage="deleted")
    assert deleted.lifecycle_stage == "deleted"
    assert (await call("GetRun", run_id=run.info.run_id)).info.lifecycle_stage == "deleted"
    for view, names in ((pb.ACTIVE_ONLY, ["Default"]), (pb.DELETED_ONLY, ["letters"])):
        page = await call("ListExperiments", view_type=view, filter="name LIKE '%'", order_by=["name"])
        assert [experiment.name for experiment in page.experiments] == names
    await call("ChangeExperiment", **this, lifecycle_stage="active")
    assert await call("GetRun", run_id=run.info.run_id) == run


async def test_deleted_and_erased(call: Call) -> None:
    made = await call("CreateRun", run_id=RUN, run=pb.CreateRun(start_time=NOW))
    assert (await call("ChangeRun", run_id=RUN, lifecycle_stage="deleted")).info.lifecycle_stage == "deleted"
    assert [run.info.run_id for run in (await call("SearchRuns", view_type=pb.DELETED_ONLY)).runs] == [RUN]
    assert await call("ChangeRun", run_id=RUN, lifecycle_stage="active") == made
    await call("ChangeRun", run_id=RUN, lifecycle_stage="deleted")
    assert (await call("EraseDeleted", dry_run=True)).run_ids == [RUN]
    assert (await call("EraseDeleted", run_ids=[RUN], deleted_before=1)).run_ids == []
    assert (await call("EraseDeleted", run_ids=[RUN])).run_ids == [RUN]
    assert (await refused(call, "GetRun", run_id=RUN))[0] is grpc.StatusCode.NOT_FOUND
    assert list((await call("SearchRuns", view_type=pb.ALL)).runs) == []


async def test_points_of_an_erased_run_are_accepted_and_gone(channel: Any, call: Call) -> None:
    shipper = ship(channel)
    await shipper.open()
    await shipper.append(0, cells([1.0]), define(["loss"]))
    await shipper.committed(1)
    assert len((await call("SearchRuns", filter="metrics.loss = 1")).runs) == 1
    await call("ChangeRun", run_id=RUN, lifecycle_stage="deleted")
    await call("EraseDeleted")
    await shipper.append(1, cells([2.0]))
    await shipper.committed(2)
    for filter_string in ("", "metrics.loss > 0"):
        assert list((await call("SearchRuns", filter=filter_string, view_type=pb.ALL)).runs) == []


async def test_a_search_before_there_are_runs(call: Call) -> None:
    assert list((await call("SearchRuns")).runs) == []
    run = await call("CreateRun", run=pb.CreateRun(start_time=NOW))
    assert list((await call("SearchRuns")).runs) == [run]


async def test_runs(call: Call) -> None:
    run = await call("CreateRun", run=pb.CreateRun(run_name="one", start_time=NOW, tags={"a": "b"}))
    assert (await call("GetRun", run_id=run.info.run_id)) == run
    assert (run.info.status, run.info.HasField("end_time")) == (pb.RUNNING, False)
    second = await call("CreateRun", run_id=RUN, run=pb.CreateRun(start_time=NOW + 1))
    page = await call("SearchRuns", max_results=1)
    assert list(page.runs) == [second]
    rest = await call("SearchRuns", max_results=1, page_token=page.next_page_token)
    assert list(rest.runs) == [run]


async def test_metrics_are_told_with_the_run(channel: Any, call: Call) -> None:
    shipper = ship(channel)
    await shipper.open()
    data = cells([1.0, math.nan, -2.0]) + cells([5.0], series=1, first_step=9)
    await shipper.append(0, data, define(["loss", "acc"]))
    await shipper.committed(4)
    told = await call("GetRun", run_id=RUN)
    assert {m.key: (m.value, m.step) for m in told.metrics} == {"loss": (-2.0, 2), "acc": (5.0, 9)}
    page = await call("SearchRuns")
    [found], [latest] = page.runs, page.latest
    for key, *point in zip(latest.keys, latest.values, latest.timestamps, latest.steps, strict=True):
        value, timestamp, step = point
        found.metrics.add(key=page.metric_keys[key], value=value, timestamp=timestamp, step=step)
    assert sorted(found.metrics, key=str) == sorted(told.metrics, key=str)
    assert found.info == told.info
    [loss] = (await call("GetSummaries", run_id=RUN, keys=["loss"])).summaries
    assert (loss.min, loss.max, loss.count, loss.nan_count) == (-2.0, 1.0, 3, 1)
    assert (loss.first.step, loss.last.step) == (0, 2)
    assert len((await call("GetSummaries", run_id=RUN)).summaries) == 2


async def test_rejects_are_told(channel: Any, call: Call) -> None:
    writer = uuid.uuid4()
    shipper = ship(channel)
    await shipper.open(writer)
    data = cells([1.0]) + change(param=pb.SetParam(key="", value="x"))
    await shipper.append(0, data, define(["loss"]))
    await shipper.committed(3)
    [entry] = (await call("ListRejects", run_id=RUN)).rejects
    assert (entry.writer_id, entry.first, entry.end) == (writer.hex, 1, 3)
    assert (entry.code, entry.run_id) == ("INVALID_PARAMETER_VALUE", RUN)
    assert entry.timestamp > 0


async def test_writers_are_told_with_their_labels(channel: Any, call: Call) -> None:
    await call("CreateRun", run_id=RUN, run=pb.CreateRun(start_time=NOW))
    writers = [uuid.uuid4() for _ in range(3)]
    for count, writer in enumerate(writers, start=1):
        shipper = ship(channel)
        await shipper.open(writer)
        await shipper.append(0, cells([1.0] * count), define(["loss"]))
        await shipper.committed(count)
    told = (await call("ListWriters", run_id=RUN)).writers
    assert [(entry.writer_id, entry.points) for entry in told] == [
        (writer.hex, count) for count, writer in reversed(list(enumerate(writers, start=1)))
    ]


async def test_a_long_history_comes_in_parts(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "CHUNK", 7)
    monkeypatch.setattr(histories, "_AHEAD", 3)
    shipper = ship(channel)
    await shipper.open()
    values = [float(number) for number in range(50)]
    await shipper.append(0, cells(values), define(["loss"]))
    await shipper.committed(50)
    assert (await history(channel, RUN, "loss"))["values"].tolist() == values
    assert len((await history(channel, RUN, "no such key"))["values"]) == 0


async def test_a_chart(channel: Any, call: Call) -> None:
    shipper = ship(channel)
    await shipper.open()
    await shipper.append(0, cells([1.0, 5.0, math.nan, -1.0, 3.0]), define(["loss"]))
    await shipper.committed(5)

    async def columns(**fields: Any) -> dict[str, list[float]]:
        chart = await call("GetMetricChart", run_id=RUN, key="loss", **fields)
        kinds = dict.fromkeys(("first_steps", "last_steps", "counts", "nan_counts"), "<i8")
        return {
            field.name: np.frombuffer(data, kinds.get(field.name, "<f8")).tolist()
            for field, data in chart.ListFields()
        }

    assert await columns(buckets=2) == {
        "first_steps": [0, 3],
        "last_steps": [2, 4],
        "counts": [3, 2],
        "nan_counts": [1, 0],
        "mins": [1.0, -1.0],
        "maxs": [5.0, 3.0],
        "means": [3.0, 1.0],
        "first_values": [1.0, -1.0],
        "last_values": [pytest.approx(math.nan, nan_ok=True), 3.0],
    }
    assert (await columns())["first_steps"] == [0, 1, 2, 3, 4]
    assert (await columns(first_step=3))["maxs"] == [-1.0, 3.0]
    assert (await columns(last_step=0))["maxs"] == [1.0]
    assert await columns(first_step=5) == {}


@pytest.mark.parametrize(
    ("method", "fields", "code", "part"),
    [
        ("GetRun", {"run_id": RUN}, grpc.StatusCode.NOT_FOUND, RUN),
        ("GetRun", {"run_id": "no uuid"}, grpc.StatusCode.NOT_FOUND, "no uuid"),
        ("GetSummaries", {"run_id": RUN}, grpc.StatusCode.NOT_FOUND, RUN),
        ("GetMetricChart", {"run_id": RUN, "key": "a"}, grpc.StatusCode.NOT_FOUND, RUN),
        ("GetMetricChart", {"run_id": RUN, "buckets": 10_001}, grpc.StatusCode.INVALID_ARGUMENT, "10000"),
        ("GetMetricChart", {"run_id": RUN, "buckets": -1}, grpc.StatusCode.INVALID_ARGUMENT, "buckets"),
        ("GetExperiment", {"name": "none"}, grpc.StatusCode.NOT_FOUND, "none"),
        ("GetExperiment", {}, grpc.StatusCode.NOT_FOUND, ""),
        ("CreateExperiment", {"name": "Default"}, grpc.StatusCode.ALREADY_EXISTS, "Default"),
        ("CreateExperiment", {"name": ""}, grpc.StatusCode.INVALID_ARGUMENT, "1 to 500"),
        ("CreateExperiment", {"name": "a\0b"}, grpc.StatusCode.INVALID_ARGUMENT, "NUL"),
        ("ListExperiments", {"filter": "x = 1"}, grpc.StatusCode.INVALID_ARGUMENT, "character 1,"),
        ("ListExperiments", {"view_type": 9}, grpc.StatusCode.INVALID_ARGUMENT, "view_type"),
        (
            "ListExperiments",
            {"filter": "x" * 300_000},
            grpc.StatusCode.INVALID_ARGUMENT,
            "HEADRACE_MAX_FILTER",
        ),
        ("ChangeExperiment", {"experiment_id": "7", "name": "a"}, grpc.StatusCode.NOT_FOUND, "7"),
        (
            "ChangeExperiment",
            {"experiment_id": "0", "name": ""},
            grpc.StatusCode.INVALID_ARGUMENT,
            "1 to 500",
        ),
        ("ChangeExperiment", {"experiment_id": "0"}, grpc.StatusCode.INVALID_ARGUMENT, "lifecycle_stage"),
        ("ChangeRun", {"run_id": RUN, "lifecycle_stage": "deleted"}, grpc.StatusCode.NOT_FOUND, RUN),
        ("ChangeRun", {"run_id": RUN}, grpc.StatusCode.INVALID_ARGUMENT, "lifecycle_stage"),
        ("EraseDeleted", {"run_ids": ["x"]}, grpc.StatusCode.INVALID_ARGUMENT, "run_ids"),
        ("CreateRun", {"run_id": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "32 hexadecimal digits"),
        ("CreateRun", {"run": {"run_name": "n" * 501}}, grpc.StatusCode.INVALID_ARGUMENT, "bound is 500"),
        ("SearchRuns", {"max_results": 50_001}, grpc.StatusCode.INVALID_ARGUMENT, "50000"),
        ("SearchRuns", {"max_results": -1}, grpc.StatusCode.INVALID_ARGUMENT, "50000"),
        ("SearchRuns", {"page_token": "forged"}, grpc.StatusCode.INVALID_ARGUMENT, "page_token"),
        ("SearchRuns", {"view_type": 9}, grpc.StatusCode.INVALID_ARGUMENT, "run_view_type"),
        ("SearchRuns", {"filter": "loss < 1"}, grpc.StatusCode.INVALID_ARGUMENT, "character 1,"),
        ("SearchRuns", {"filter": "x" * 300_000}, grpc.StatusCode.INVALID_ARGUMENT, "HEADRACE_MAX_FILTER"),
    ],
)
async def test_no_has_a_reason(
    call: Call, method: str, fields: dict[str, Any], code: grpc.StatusCode, part: str
) -> None:
    found, details = await refused(call, method, **fields)
    assert found is code
    assert part in details


async def test_a_history_of_no_run_is_not_found(channel: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await history(channel, RUN, "loss")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_what_nobody_foresaw_is_not_told_to_clients(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr("headrace_storage.catalog.runs.Runs.get_run", fail)
    code, details = await refused(call, "GetRun", run_id=RUN)
    assert code is grpc.StatusCode.INTERNAL
    assert "secret" not in details


def test_every_error_of_the_engine_has_a_status() -> None:
    """Those that no call can raise count as internal."""
    never = {
        errors.StorageError,
        errors.ForeignStoreError,
        errors.IncarnationDeadError,
        errors.UnsuitableDatabaseError,
        errors.WriterRefusedError,
        errors.WritersMovedError,
        errors.SegmentsMovedError,
        *(errors.UploadOffsetError, errors.UploadBusyError, errors.ChecksumMismatchError, errors.NotYetError),
    }
    known = {
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.StorageError)
    }
    assert {kind for kind in known if not issubclass(kind, tuple(status.STATUS))} == never
    assert set(status.STATUS) <= known
