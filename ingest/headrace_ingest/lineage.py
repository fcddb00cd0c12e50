"""What runs used and made: from the protocol's messages to the engine's, every bound checked. No I/O."""

from headrace_proto import limits
from headrace_proto.limits import key_problem, text_problem
from headrace_proto.v1 import models_pb2, tracking_pb2
from headrace_storage import lineage
from headrace_storage.errors import InvalidArgumentError


def change(message: tracking_pb2.RunChange) -> lineage.LogDataset | lineage.LogModels | lineage.LinkMetric:
    """What ``message`` says of datasets or models. :class:`InvalidArgumentError` names field and bound."""
    match message.WhichOneof("change"):
        case "dataset":
            return _dataset(message.dataset.input)
        case "models":
            return _models(message.models)
        case _:
            return _link(message.link_metric)


def _dataset(message: models_pb2.DatasetInput) -> lineage.LogDataset:
    for name, bound in limits.DATASET_LENGTHS.items():
        _check(f"dataset {name}", text_problem(getattr(message.dataset, name), bound))
    for name in ("name", "digest"):
        _check(f"dataset {name}", None if getattr(message.dataset, name) else "is empty")
    tags = dict(message.tags)
    if len(tags) > limits.MAX_RUN_TAGS:
        raise InvalidArgumentError("tags", f"are {len(tags)}, the bound is {limits.MAX_RUN_TAGS}")
    for key, value in tags.items():
        _check(f"tag key {key[:50]!r}", key_problem(key))
        _check(f"tag {key!r}", text_problem(value, limits.MAX_INPUT_TAG_LENGTH))
    return lineage.LogDataset(
        lineage.Dataset(**{name: getattr(message.dataset, name) for name in limits.DATASET_LENGTHS}), tags
    )


def _models(message: models_pb2.LogModels) -> lineage.LogModels:
    return lineage.LogModels(*(list(map(_step, steps)) for steps in (message.inputs, message.outputs)))


def _link(message: models_pb2.LinkMetric) -> lineage.LinkMetric:
    _check(f"metric key {message.key[:50]!r}", key_problem(message.key))
    _check("model_id", key_problem(message.model_id))
    _check("dataset_name", text_problem(message.dataset_name, limits.MAX_NAME_LENGTH))
    _check("dataset_digest", text_problem(message.dataset_digest, limits.MAX_DATASET_DIGEST))
    if not 0 <= message.timestamp <= limits.MAX_TIMESTAMP:
        problem = f"is {message.timestamp} ms, the bounds are 0 and {limits.MAX_TIMESTAMP}"
        raise InvalidArgumentError("timestamp", problem)
    return lineage.LinkMetric(
        message.key,
        message.value,
        message.timestamp,
        message.step,
        message.model_id,
        message.dataset_name,
        message.dataset_digest,
        message.only,
    )


def _step(message: models_pb2.ModelStep) -> lineage.ModelStep:
    _check("model_id", key_problem(message.model_id))
    return lineage.ModelStep(message.model_id, message.step)


def _check(argument: str, problem: str | None) -> None:
    if problem:
        raise InvalidArgumentError(argument, problem)
