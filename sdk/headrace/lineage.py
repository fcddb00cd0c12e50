"""Datasets and models of runs: arguments checked, and turned into what the journal takes."""

from collections.abc import Mapping
from typing import Any

from headrace import values
from headrace.errors import InvalidArgumentError
from headrace.input_entities import Dataset, DatasetInput, InputTag
from headrace.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT
from headrace_proto import limits
from headrace_proto.v1 import models_pb2


def dataset_input(dataset: Any, context: str | None, tags: Mapping[str, object] | None) -> DatasetInput:
    """A dataset (of ``headrace.data``, of ``mlflow.data``, or an entity) in a context, with tags."""
    if not isinstance(dataset, Dataset):
        make = getattr(dataset, "to_dict", None)
        if not callable(make):
            problem = f"is a {type(dataset).__name__}; expected one that headrace.data made"
            raise InvalidArgumentError("dataset", problem)
        dataset = Dataset(**{name: value for name, value in make().items() if name in Dataset.__slots__})
    given = {} if context is None else {MLFLOW_DATASET_CONTEXT: context}
    return DatasetInput(dataset, [InputTag(*tag) for tag in (given | values.tags(tags)).items()])


def is_described(dataset: Any) -> bool:
    """Whether more is known of a dataset than its name and digest."""
    return isinstance(dataset, Dataset) or callable(getattr(dataset, "to_dict", None))


def message(used: DatasetInput) -> models_pb2.DatasetInput:
    """A dataset that a run uses, within its bounds."""
    told = {name: getattr(used.dataset, name) or "" for name in limits.DATASET_LENGTHS}
    for name, bound in limits.DATASET_LENGTHS.items():
        told[name] = values.text(f"dataset {name}", told[name], bound)
        if name in {"name", "digest"} and not told[name]:
            raise InvalidArgumentError(f"dataset {name}", "is empty")
    tags = {}
    for tag in used.tags:
        key = values.key(tag.key, "tag key")
        tags[key] = values.text(f"tag {key!r}", tag.value, limits.MAX_INPUT_TAG_LENGTH)
    return models_pb2.DatasetInput(dataset=models_pb2.Dataset(**told), tags=tags)


def step(model_id: str, at: int = 0) -> models_pb2.ModelStep:
    """A model that a run uses, or made at a step."""
    return models_pb2.ModelStep(model_id=values.key(model_id, "model_id"), step=values.whole("step", at))
