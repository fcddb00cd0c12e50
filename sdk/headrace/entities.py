"""What reads return: experiments, runs and their data, with MLflow's attribute names.

All are immutable. Times are milliseconds since the Unix epoch, UTC; experiment ids are decimal numbers as
strings, run ids 32 lower-case hex digits.
"""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from headrace.entity import Entity
from headrace.enums import LifecycleStage, RunStatus, SourceType, ViewType
from headrace.input_entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    RunInputs,
    RunOutputs,
)
from headrace.model_entities import (
    LoggedModel,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)

__all__ = [
    "Dataset",
    "DatasetInput",
    "Erased",
    "Experiment",
    "ExperimentTag",
    "FileInfo",
    "InputTag",
    "LifecycleStage",
    "LoggedModel",
    "LoggedModelInput",
    "LoggedModelOutput",
    "LoggedModelParameter",
    "LoggedModelStatus",
    "LoggedModelTag",
    "Metric",
    "MetricChart",
    "MetricColumns",
    "MetricSummary",
    "ModelVersion",
    "ModelVersionTag",
    "PagedList",
    "Param",
    "RegisteredModel",
    "RegisteredModelAlias",
    "RegisteredModelTag",
    "Reject",
    "Run",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunOutputs",
    "RunStatus",
    "RunTag",
    "RunWriter",
    "SourceType",
    "ViewType",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file or folder among a run's artifacts; ``file_size`` in bytes, ``None`` of a folder."""

    path: str
    is_dir: bool
    file_size: int | None


_put = object.__setattr__


@dataclass(frozen=True, slots=True, init=False)
class Metric(Entity):
    """One point: NaN and infinities are values like others.

    ``model_id``, ``dataset_name`` and ``dataset_digest`` link it when it is logged (``links.py``).
    """

    key: str
    value: float
    timestamp: int
    step: int
    model_id: str | None
    dataset_name: str | None
    dataset_digest: str | None
    run_id: str | None

    def __init__(  # noqa: PLR0917 - MLflow's order
        self,
        key: str,
        value: float,
        timestamp: int,
        step: int,
        model_id: str | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        run_id: str | None = None,
    ) -> None:
        # A history is millions of these: what is not given is not stored either.
        _put(self, "key", key)
        _put(self, "value", value)
        _put(self, "timestamp", timestamp)
        _put(self, "step", step)
        if model_id or dataset_name or dataset_digest or run_id:
            _put(self, "model_id", model_id)
            _put(self, "dataset_name", dataset_name)
            _put(self, "dataset_digest", dataset_digest)
            _put(self, "run_id", run_id)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> None:
            """What was not given."""
            if name not in self.__slots__:
                raise AttributeError(f"a Metric has no {name!r}")

    def to_dictionary(self) -> dict[str, Any]:
        """The attributes by name."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Param(Entity):
    """A param of a run: written once."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class RunTag(Entity):
    """A tag of a run: may be changed and deleted."""

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ExperimentTag(Entity):
    """A tag of an experiment."""

    key: str
    value: str


class MetricColumns(NamedTuple):
    """A metric's history as arrays of equal length, in logged order.

    They have the buffer protocol: ``numpy.frombuffer(columns.values)`` copies nothing.
    """

    steps: "array[int]"
    timestamps: "array[int]"
    values: "array[float]"


class MetricChart(NamedTuple):
    """A metric as a curve: buckets of its points, as arrays of equal length, ascending by first step.

    Every point is in exactly one bucket, and each has about the same number of points. ``mins``, ``maxs`` and
    ``means`` are over the values that are not NaN, infinities among them, and NaN when there are none;
    ``nan_counts`` tells how many of the ``counts`` are NaN. ``first_values`` and ``last_values`` are those at
    the first and the last step of the bucket. The arrays have the buffer protocol, as :class:`MetricColumns`
    have.
    """

    first_steps: "array[int]"
    last_steps: "array[int]"
    counts: "array[int]"
    nan_counts: "array[int]"
    mins: "array[float]"
    maxs: "array[float]"
    means: "array[float]"
    first_values: "array[float]"
    last_values: "array[float]"


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """A metric of a run at a glance.

    ``last`` is the greatest point and ``first`` the smallest by (step, timestamp, value), where NaN sorts
    below every number. ``min`` and ``max`` are over the values that are not NaN, NaN when there are none.
    ``count`` counts all points, ``nan_count`` those with the value NaN.
    """

    key: str
    last: Metric
    first: Metric
    min: float
    max: float
    count: int
    nan_count: int


@dataclass(frozen=True, slots=True)
class Experiment(Entity):
    """A named group of runs.

    ``experiment_id`` is empty only in what :func:`headrace.set_experiment` returns while no daemon
    answers: the daemon gives the id later.
    """

    DEFAULT_EXPERIMENT_NAME: ClassVar[str] = "Default"

    experiment_id: str
    name: str
    artifact_location: str = ""
    lifecycle_stage: str = LifecycleStage.ACTIVE
    tags: Mapping[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None


@dataclass(frozen=True, slots=True)
class RunInfo(Entity):
    """Everything about a run but its data. ``end_time`` is ``None`` while the run goes on."""

    run_id: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int | None
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str = ""
    run_name: str = ""

    @property
    def run_uuid(self) -> str:
        """The ``run_id``, as older versions of MLflow call it."""
        return self.run_id


@dataclass(frozen=True, slots=True)
class RunData(Entity):
    """The latest value of each metric (largest step, then timestamp, then value), params and tags, by key."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_dictionary(self) -> dict[str, Any]:
        """``metrics``, ``params`` and ``tags`` as dictionaries."""
        return asdict(self)


@dataclass(frozen=True, slots=True, repr=False)
class Run(Entity):
    """A run as it was when it was read."""

    info: RunInfo
    data: RunData
    inputs: RunInputs = field(default_factory=RunInputs)
    outputs: RunOutputs = field(default_factory=RunOutputs)

    def to_dictionary(self) -> dict[str, Any]:
        """The attributes as dictionaries."""
        return asdict(self)

    def __repr__(self) -> str:
        info, data = self.info, self.data
        counts = f"{len(data.metrics)} metrics, {len(data.params)} params, {len(data.tags)} tags"
        where = f"experiment {info.experiment_id}, " if info.experiment_id else ""
        return f"<{type(self).__name__} {info.run_id} {info.run_name!r} {info.status}, {where}{counts}>"


@dataclass(frozen=True, slots=True)
class Reject:
    """Operations that the server refused: the cells ``[first, end)`` of a journal (``writer_id``)."""

    writer_id: str
    first: int
    end: int
    code: str
    message: str
    timestamp: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Rewind:
    """Points of attempts before the ``number``th are hidden from ``step`` on: ``attempt`` resumed from there.

    Times in ms. ``undone_at``: it was undone then, and hides nothing.
    """

    number: int
    step: int
    attempt: str
    created_at: int
    undone_at: int | None


@dataclass(frozen=True, slots=True)
class RunWriter:
    """Who wrote ``points`` of a run: one journal, with host, pid, user and rank of its process as labels."""

    writer_id: str
    labels: dict[str, str]
    points: int


class Erased(NamedTuple):
    """Ids of runs and experiments that were erased for good."""

    run_ids: list[str]
    experiment_ids: list[str]


class PagedList(list[T], Generic[T]):
    """One page of a listing; ``token`` asks for the next one and is ``None`` on the last."""

    def __init__(self, items: Iterable[T], token: str | None) -> None:
        super().__init__(items)
        self.token = token
