"""What runs used and made, as the engine speaks of it: datasets and models."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Dataset(NamedTuple):
    """Known by its name and digest. ``source``, ``schema`` and ``profile`` are JSON, or empty."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str = ""
    profile: str = ""


class ModelStep(NamedTuple):
    """A model that a run used or made."""

    model_id: str
    step: int = 0


class LogDataset(NamedTuple):
    """A run used a dataset. As in MLflow the first of a name and digest counts, with its tags."""

    dataset: Dataset
    tags: Mapping[str, str]


class LogModels(NamedTuple):
    """A run used models, or made them."""

    inputs: Sequence[ModelStep] = ()
    outputs: Sequence[ModelStep] = ()


class LinkMetric(NamedTuple):
    """A point, which is in the run's history as well, belongs to a model, maybe on a dataset."""

    key: str
    value: float
    timestamp: int
    step: int
    model_id: str
    dataset_name: str = ""
    dataset_digest: str = ""
    only: bool = False
    """It does not follow that the run uses the model."""


class Lineage(NamedTuple):
    """What a run used and made, in the order in which it was said."""

    datasets: Sequence[LogDataset] = ()
    inputs: Sequence[ModelStep] = ()
    outputs: Sequence[ModelStep] = ()
