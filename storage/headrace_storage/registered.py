"""Logged models and the model registry, as the engine speaks of them. Times are ms since the epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class ModelStatus(StrEnum):
    """Whether a logged model's files are there."""

    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"


class ModelMetric(NamedTuple):
    """A point of a model. ``dataset_name`` and ``dataset_digest`` are empty where it is on no dataset."""

    key: str
    value: float
    timestamp: int
    step: int
    dataset_name: str
    dataset_digest: str
    run_id: str


class NewModel(NamedTuple):
    """A logged model to be made; what is empty is made up, or is not there."""

    experiment_id: str
    name: str = ""
    model_id: str = ""
    source_run_id: str = ""
    model_type: str = ""
    creator_id: str = ""
    params: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    creation_time: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A logged model as the catalog knows it."""

    model_id: str
    experiment_id: str
    name: str
    model_type: str
    source_run_id: str
    creator_id: str
    status: ModelStatus
    status_message: str
    creation_time: int
    last_update_time: int
    lifecycle_stage: str
    artifact_uri: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Sequence[ModelMetric] = ()


class NewVersion(NamedTuple):
    """A version of a registered model to be made. ``number``: 0 is the next one."""

    name: str
    source: str
    run_id: str = ""
    run_link: str = ""
    description: str = ""
    model_id: str = ""
    user_id: str = ""
    tags: Mapping[str, str] = {}
    number: int = 0
    creation_time: int | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version of a registered model. ``storage_location`` is where its files are."""

    name: str
    version: int
    creation_time: int
    last_update_time: int
    description: str
    stage: str
    source: str
    storage_location: str
    run_id: str
    run_link: str
    model_id: str
    user_id: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model. ``latest_versions`` is the latest of each stage that there is."""

    name: str
    description: str
    creation_time: int
    last_update_time: int
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, int] = field(default_factory=dict)
    latest_versions: Sequence[ModelVersion] = ()
