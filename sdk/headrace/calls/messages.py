"""Reads what the daemon's messages hold."""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.entities import Experiment, Metric, MetricColumns, MetricSummary, Run, RunData, RunInfo
from headrace.errors import InvalidArgumentError
from headrace.input_entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    RunInputs,
    RunOutputs,
)
from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb

MAX_RESULTS = 50_000
"""The largest page that a listing gives."""


def page_size(max_results: int) -> int:
    """A page's size, if it can be one."""
    if type(max_results) is not int or not 1 <= max_results <= MAX_RESULTS:
        raise InvalidArgumentError("max_results", f"is {max_results!r}, the bounds are 1 and {MAX_RESULTS}")
    return max_results


def experiment(message: pb.Experiment) -> Experiment:
    """An experiment."""
    return Experiment(
        message.experiment_id,
        message.name,
        message.artifact_location,
        message.lifecycle_stage,
        dict(message.tags),
        message.creation_time,
        message.last_update_time,
    )


def run(message: pb.Run, metrics: Mapping[str, float] | None = None) -> Run:
    """A run as the daemon tells it; ``metrics``, if they are told apart."""
    if metrics is None:
        metrics = {metric.key: metric.value for metric in message.metrics}
    info = message.info
    return Run(
        RunInfo(
            run_id=info.run_id,
            run_name=info.run_name,
            experiment_id=info.experiment_id,
            user_id=info.user_id,
            status=pb.RunStatus.Name(info.status),
            start_time=info.start_time,
            end_time=info.end_time if info.HasField("end_time") else None,
            lifecycle_stage=info.lifecycle_stage,
            artifact_uri=info.artifact_uri,
        ),
        RunData(metrics, dict(message.params), dict(message.tags)),
        RunInputs(
            [_dataset_input(used) for used in message.dataset_inputs],
            [LoggedModelInput(used.model_id) for used in message.model_inputs],
        ),
        RunOutputs([LoggedModelOutput(made.model_id, made.step) for made in message.model_outputs]),
    )


def summary(message: pb.MetricSummary) -> MetricSummary:
    """A metric at a glance."""
    return MetricSummary(
        message.key,
        _metric(message.last, message.key),
        _metric(message.first, message.key),
        message.min,
        message.max,
        message.count,
        message.nan_count,
    )


def columns(chunks: Sequence[pb.HistoryChunk]) -> MetricColumns:
    """A history."""
    count = sum(chunk.packed or len(chunk.steps) // 8 for chunk in chunks)
    # Arrays that grow would be copied over and over.
    read = MetricColumns(array("q", [0]) * count, array("q", [0]) * count, array("d", [0.0]) * count)
    views = [memoryview(read.steps), memoryview(read.timestamps), memoryview(read.values)]
    for view, name in zip(views, ("steps", "timestamps", "values"), strict=True):
        octets, at = view.cast("B"), 0
        for chunk in chunks:
            part = unpacked(getattr(chunk, name), chunk.packed)
            octets[at : at + len(part)] = part
            at += len(part)
    order_bytes(read)
    return read


def unpacked(column: bytes, count: int) -> "bytes | bytearray | memoryview":
    """``count`` 8-byte values (0: they are not packed) of a column as ``HistoryChunk`` describes it."""
    if not count:
        return column
    varying, at = column[8], 9
    if varying == 0xFF:
        return memoryview(column)[at:]
    numbers = bytearray(column[:8] * count)
    for place in range(8):
        if varying >> place & 1:
            numbers[place::8] = column[at : at + count]
            at += count
    return numbers


def order_bytes(columns: Iterable["array[Any]"]) -> None:
    """Messages hold little-endian numbers, arrays this machine's."""
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()


def _dataset_input(message: models_pb2.DatasetInput) -> DatasetInput:
    told = message.dataset
    return DatasetInput(
        Dataset(
            told.name, told.digest, told.source_type, told.source, told.schema or None, told.profile or None
        ),
        [InputTag(*tag) for tag in message.tags.items()],
    )


def _metric(message: pb.Metric, key: str) -> Metric:
    return Metric(key, message.value, message.timestamp, message.step)
