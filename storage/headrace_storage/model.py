"""What the engine speaks: ids, sequences, points as columns, and the group that one transaction commits.

Run ids are 32 lower-case hex digits; writers and groups are ``uuid.UUID``; times are milliseconds since
the Unix epoch. Ranges of sequences are half-open. Logged order is (order time, writer, sequence), where
the order time of a row is the running maximum, over its writer's rows, of the clock at the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from headrace_storage.lineage import Lineage, LinkMetric, LogDataset, LogModels


class RunStatus(StrEnum):
    """How a run stands, in MLflow's words."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Series(NamedTuple):
    """One line of a chart: the points of a key that one attempt of a run logged."""

    run_id: str
    key: str
    attempt: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Points as columns of one length ``n``.

    ``series`` and ``writer`` index into ``series_table`` and ``writer_table``, which may hold more than
    occurs. In a group, rows of a writer stand in the order of its sequence.
    """

    series: NDArray[np.uint32]
    step: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    value: NDArray[np.float64]
    writer: NDArray[np.uint32]
    sequence: NDArray[np.int64]
    order_time: NDArray[np.int64]
    series_table: Sequence[Series]
    writer_table: Sequence[UUID]

    def __len__(self) -> int:
        return len(self.series)


class Advance(NamedTuple):
    """One writer's part of a group: ``[first, end)``. ``order_time`` is the running maximum at ``end``."""

    writer: UUID
    epoch: int
    first: int
    end: int
    order_time: int


class Reject(NamedTuple):
    """Operations ``[first, end)`` of a writer that were refused."""

    writer: UUID
    first: int
    end: int
    code: str
    message: str
    run_id: str | None = None


class Gap(NamedTuple):
    """Sequences ``[first, end)`` of a writer that cannot be delivered; ``runs`` are those that it logs to."""

    writer: UUID
    first: int
    end: int
    reason: str
    runs: Sequence[str]


class StoredReject(NamedTuple):
    """A reject and when it was committed (``created_at``, ms)."""

    reject: Reject
    created_at: int


@dataclass(frozen=True, slots=True)
class NewSegment:
    """A segment that is written (an object, ``path``) or to be stored in the catalog (``inline``).

    ``path`` is relative to the object store. ``summary`` holds the encoded partial summaries of the
    segment's series (``segments/summary.py``), ``None`` when a reader shall compute them from the rows.
    """

    rows: int
    size: int
    checksum: int
    runs: Sequence[str]
    path: str | None = None
    inline: bytes | None = None
    summary: bytes | None = None


class CreateRun(NamedTuple):
    """Creates a run, or completes its placeholder (``tracking.proto`` has the rules).

    With ``fork_from``, it inherits the history of that run up to ``fork_step`` (``None``: all).
    """

    experiment_id: str
    experiment_name: str
    run_name: str
    user_id: str
    start_time: int
    tags: Mapping[str, str]
    fork_from: str = ""
    fork_step: int | None = None


class StartAttempt(NamedTuple):
    """A launch begins or continues the run.

    ``resume_from_step``: it hides what earlier ones logged from that step on.
    """

    token: str
    process_id: str
    start_time: int
    resume_from_step: int | None = None


class EndRun(NamedTuple):
    """Ends the run, if it comes from the creator of its latest attempt."""

    status: RunStatus
    end_time: int
    token: str
    process_id: str


class SetParam(NamedTuple):
    """Writes a param, once."""

    key: str
    value: str


class SetTag(NamedTuple):
    """Writes a tag over what it was."""

    key: str
    value: str


class DeleteTag(NamedTuple):
    """Takes a tag away."""

    key: str


RunChange = (
    CreateRun | StartAttempt | EndRun | SetParam | SetTag | DeleteTag | LogDataset | LogModels | LinkMetric
)


class Change(NamedTuple):
    """A run's change with its place: ``[sequence, end)`` in the writer's journal."""

    writer: UUID
    sequence: int
    end: int
    run_id: str
    change: RunChange


@dataclass(frozen=True, slots=True)
class Group:
    """Everything that one transaction commits.

    ``changes`` stand in the order in which they take effect. ``new_runs`` are runs that a stream used
    for the first time: those that the catalog does not know get a placeholder.
    """

    id: UUID
    incarnation: int
    advances: Sequence[Advance]
    segment: NewSegment | None = None
    changes: Sequence[Change] = ()
    rejects: Sequence[Reject] = ()
    new_runs: Sequence[str] = ()
    gaps: Sequence[Gap] = ()


class OpenedWriter(NamedTuple):
    """Where a writer stands: the fence, the first uncommitted sequence, the order time reached."""

    epoch: int
    committed: int
    order_time: int
    rejects: Sequence[Reject]


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as the catalog knows it."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    creation_time: int
    last_update_time: int
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the catalog knows it, without its metrics."""

    run_id: str
    run_name: str
    experiment_id: str
    user_id: str
    status: RunStatus
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    lineage: Lineage = field(default_factory=Lineage)


class Point(NamedTuple):
    """A step, a time and a value."""

    step: int
    timestamp: int
    value: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A key of a run at a glance. ``last`` and ``first`` by (step, timestamp, value), NaN lowest;
    ``minimum`` and ``maximum`` over the values that are not NaN (NaN when there are none).
    """

    run_id: str
    key: str
    last: Point
    first: Point
    minimum: float
    maximum: float
    count: int
    nan_count: int


class SegmentRef(NamedTuple):
    """A live segment as the catalog lists it. ``inline`` is filled when the plan asked for the bytes."""

    id: int
    path: str | None
    inline: bytes | None
    rows: int
    size: int
    checksum: int
    level: int
