"""Answers, as MLflow's server gives them: int64 as numbers, enums by name, what is not set left out."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

import numpy as np
import orjson
from starlette.responses import Response

from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.objects.locations import SCHEME
from headrace_storage.segments.logged import Columns

THEIR_SCHEME: Final = "mlflow-artifacts:/"
"""What MLflow's clients call the files that their server keeps."""

FILES: Final = ContextVar("files", default=THEIR_SCHEME)
"""Where the request that is answered is told that Headrace's own files are (``served.py``)."""

Fields = dict[str, Any]


def answer(fields: Fields) -> Response:
    """A success."""
    return Response(orjson.dumps(fields), media_type="application/json")


def value(number: float) -> float | str:
    """A number as JSON has it."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def their_uri(uri: str) -> str:
    """A place of artifacts as MLflow's clients call it."""
    return FILES.get() + uri.removeprefix(SCHEME) if uri.startswith(SCHEME) else uri


def our_uri(uri: str) -> str:
    """The inverse of :func:`their_uri`."""
    for root in (FILES.get(), THEIR_SCHEME):
        if uri.startswith(root):
            return SCHEME + uri.removeprefix(root)
    return uri


def experiment(found: pb.Experiment) -> Fields:
    """An experiment."""
    fields: Fields = {
        "experiment_id": found.experiment_id,
        "name": found.name,
        "artifact_location": their_uri(found.artifact_location),
        "lifecycle_stage": found.lifecycle_stage,
        "last_update_time": found.last_update_time,
        "creation_time": found.creation_time,
    }
    return fields | given_only(tags=pairs(found.tags))


def run_info(found: pb.RunInfo) -> Fields:
    """A run's attributes."""
    fields: Fields = {
        "run_uuid": found.run_id,
        "experiment_id": found.experiment_id,
        "run_name": found.run_name,
        "user_id": found.user_id,
        "status": pb.RunStatus.Name(found.status),
        "start_time": found.start_time,
    }
    if found.HasField("end_time"):
        fields["end_time"] = found.end_time
    return fields | {
        "artifact_uri": their_uri(found.artifact_uri),
        "lifecycle_stage": found.lifecycle_stage,
        "run_id": found.run_id,
    }


def run(found: pb.Run, latest: Sequence[Fields] | None = None) -> Fields:
    """A run; ``latest``: its metrics, where the message does not have them."""
    metrics = latest if latest is not None else [metric(each) for each in found.metrics]
    data = given_only(metrics=metrics, params=pairs(found.params), tags=pairs(found.tags))
    inputs = given_only(
        dataset_inputs=[_dataset_input(each) for each in found.dataset_inputs],
        model_inputs=[{"model_id": each.model_id} for each in found.model_inputs],
    )
    outputs = [{"model_id": each.model_id, "step": each.step} for each in found.model_outputs]
    return {
        "info": run_info(found.info),
        "data": data,
        "inputs": inputs,
        "outputs": given_only(model_outputs=outputs),
    }


def found_runs(found: pb.SearchRunsResponse) -> Fields:
    """A page of runs."""
    runs = [
        run(each, _latest(found.metric_keys, latest))
        for each, latest in zip(found.runs, found.latest, strict=True)
    ]
    return given_only(runs=runs, next_page_token=found.next_page_token)


def metric(found: pb.Metric) -> Fields:
    """A point."""
    return {
        "key": found.key,
        "value": value(found.value),
        "timestamp": found.timestamp,
        "step": found.step,
    }


def points(key: str, columns: Columns, run_id: str = "") -> Iterable[str]:
    """Points as JSON texts: a hundred thousand take a tenth of a second."""
    head = f'{{"key":{json.dumps(key)},"value":'
    tail = f',"run_id":"{run_id}"}}' if run_id else "}"
    values: Iterable[str] = map(repr, columns.value.tolist())
    if not np.isfinite(columns.value).all():
        values = (json.dumps(value(number)) for number in columns.value.tolist())
    for number, timestamp, step in zip(
        values, columns.timestamp.tolist(), columns.step.tolist(), strict=True
    ):
        yield f'{head}{number},"timestamp":{timestamp},"step":{step}{tail}'


def pairs(found: Mapping[str, str]) -> list[Fields]:
    """Params or tags."""
    return [{"key": key, "value": found[key]} for key in sorted(found)]


def _dataset_input(found: models_pb2.DatasetInput) -> Fields:
    given = found.dataset
    dataset: Fields = {
        "name": given.name,
        "digest": given.digest,
        "source_type": given.source_type,
        "source": given.source,
    }
    dataset |= given_only(schema=given.schema, profile=given.profile)
    return given_only(tags=pairs(found.tags), dataset=dataset)


def _latest(keys: Sequence[str], latest: pb.LatestMetrics) -> list[Fields]:
    columns = zip(latest.keys, latest.values, latest.timestamps, latest.steps, strict=True)
    return [
        {"key": keys[key], "value": value(number), "timestamp": timestamp, "step": step}
        for key, number, timestamp, step in columns
    ]


def given_only(**fields: Any) -> Fields:
    """Those that are not empty."""
    return {name: field for name, field in fields.items() if field}
