"""What runs used and made, as reads return it: datasets and models, with MLflow's attribute names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.entity import Entity


@dataclass(frozen=True, slots=True)
class Dataset(Entity):
    """A dataset: ``source``, ``schema`` and ``profile`` are JSON."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None

    def to_dictionary(self) -> dict[str, Any]:
        """The attributes by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class InputTag(Entity):
    """A tag of a dataset that a run used."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class DatasetInput(Entity):
    """A dataset that a run used; the tag ``mlflow.data.context`` says for what."""

    dataset: Dataset
    tags: Sequence[InputTag] = ()

    def to_dictionary(self) -> dict[str, Any]:
        """The dataset, and the tags by key."""
        return {
            "dataset": self.dataset.to_dictionary(),
            "tags": {tag.key: tag.value for tag in self.tags},
        }


@dataclass(frozen=True, slots=True)
class LoggedModelInput(Entity):
    """A model that a run used."""

    model_id: str


@dataclass(frozen=True, slots=True)
class LoggedModelOutput(Entity):
    """A model that a run made, at a step."""

    model_id: str
    step: int = 0

    def to_dictionary(self) -> dict[str, str | int]:
        """The attributes by name."""
        return {"model_id": self.model_id, "step": self.step}


@dataclass(frozen=True, slots=True)
class RunInputs(Entity):
    """What a run used, in the order in which it was logged."""

    dataset_inputs: Sequence[DatasetInput] = field(default_factory=list)
    model_inputs: Sequence[LoggedModelInput] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunOutputs(Entity):
    """What a run made, in the order in which it was logged."""

    model_outputs: Sequence[LoggedModelOutput] = field(default_factory=list)
