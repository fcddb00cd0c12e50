"""Logged models and the model registry, as reads return them, with MLflow's attribute names.

All are immutable. Times are milliseconds since the Unix epoch, UTC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from headrace.entity import Entity

if TYPE_CHECKING:
    from headrace.entities import Metric


class LoggedModelStatus(StrEnum):
    """Whether a model's files are there. A plain string in comparisons: ``model.status == "READY"``."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"

    @staticmethod
    def is_finalized(status: str) -> bool:
        """Whether nothing more is to come."""
        return status in {LoggedModelStatus.READY, LoggedModelStatus.FAILED}


@dataclass(frozen=True, slots=True)
class LoggedModelTag(Entity):
    """A tag of a logged model."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class LoggedModelParameter(Entity):
    """A param of a logged model: written once."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class LoggedModel(Entity):
    """A model as it was when it was read. ``metrics`` are the points that were linked to it."""

    experiment_id: str
    model_id: str
    name: str
    artifact_location: str
    creation_timestamp: int
    last_updated_timestamp: int
    model_type: str | None = None
    source_run_id: str | None = None
    status: LoggedModelStatus = LoggedModelStatus.READY
    status_message: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: "Sequence[Metric]" = field(default_factory=list)

    @property
    def model_uri(self) -> str:
        """What :func:`load_model` takes."""
        return f"models:/{self.model_id}"

    def to_dictionary(self) -> dict[str, Any]:
        """The attributes by name."""
        return {**asdict(self), "metrics": [metric.to_dictionary() for metric in self.metrics]}

    def __repr__(self) -> str:
        where = f"experiment {self.experiment_id}, {len(self.metrics)} metrics"
        return f"<LoggedModel {self.model_id} {self.name!r} {self.status}, {where}>"


@dataclass(frozen=True, slots=True)
class RegisteredModelTag(Entity):
    """A tag of a registered model."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ModelVersionTag(Entity):
    """A tag of a model version."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RegisteredModelAlias(Entity):
    """A name that stands for a version."""

    alias: str
    version: str


@dataclass(frozen=True, slots=True)
class ModelVersion(Entity):
    """A version of a registered model. ``version`` is a decimal number, as text."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    description: str | None = None
    user_id: str | None = None
    current_stage: str | None = None
    source: str | None = None
    run_id: str | None = None
    status: str = "READY"
    status_message: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_link: str | None = None
    aliases: Sequence[str] = field(default_factory=list)
    model_id: str | None = None
    storage_location: str | None = None


@dataclass(frozen=True, slots=True)
class RegisteredModel(Entity):
    """A registered model; ``latest_versions`` is the latest of each stage that there is."""

    name: str
    creation_timestamp: int | None = None
    last_updated_timestamp: int | None = None
    description: str | None = None
    latest_versions: Sequence[ModelVersion] = field(default_factory=list)
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
