"""What the changes of runs mean: pure rules, no database. ``apply.py`` reads the state and writes it back.

The comments of ``RunChange`` in ``tracking.proto`` are the specification.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from headrace_storage.lineage import LinkMetric, LogDataset, LogModels
from headrace_storage.model import (
    Change,
    CreateRun,
    DeleteTag,
    EndRun,
    Reject,
    RunStatus,
    SetParam,
    SetTag,
    StartAttempt,
)
from headrace_storage.visibility import LAST, Bounds, Rewind, inherit

RECOVERED_TAG: Final = "headrace.recovered"
"""Says why a run is not in the experiment that it was created for."""

NOT_INHERITED_TAG: Final = "headrace.notInherited"
"""Says why a run that was to be a fork is none."""

FORKED_FROM_TAG: Final = "headrace.forkedFrom"
FORK_STEP_TAG: Final = "headrace.forkStep"
"""The run whose history a fork inherits, and its last inherited step, if there is one."""

RUN_NAME_TAG: Final = "mlflow.runName"
"""A tag that is the run's name as well: who writes it renames the run."""

_NAME_LENGTH: Final = 500

_SHOWN: Final = 100
"""Characters of a value that a message repeats."""

RunKey = tuple[str, str]
"""Run id and key of a param or tag."""

LinkKey = tuple[str, str, int, int, str, str, str]
"""Model, metric, timestamp, step, name and digest of the dataset, run."""


class Placement(NamedTuple):
    """The experiment that a CreateRun leads to. ``detour`` says why it is not the one that was asked for."""

    experiment_id: int
    detour: str = ""


class Attempt(NamedTuple):
    """A launch of a run; ``number`` counts from 1."""

    token: str
    number: int
    process_id: str
    start_time: int


@dataclass(slots=True)
class RunState:
    """A run's row; ``attempts`` by token, oldest first.

    ``lapsed``: it is KILLED because its writers were gone, and goes on when one returns. ``rewinds`` and
    ``inherited`` (by source) are known where a change asks for a rewind or a fork.
    """

    run_id: str
    experiment_id: int
    run_name: str
    user_id: str
    status: RunStatus
    start_time: int
    end_time: int | None
    placeholder: bool
    lapsed: bool = False
    attempts: dict[str, Attempt] = field(default_factory=dict)
    rewinds: list[Rewind] = field(default_factory=list)
    inherited: dict[str, Bounds] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
    """The runs as they are and, change by change, what has to be written.

    ``runs`` holds those that are created, started, ended or renamed; ``params`` the known values of the
    keys that are set; ``placements`` the experiments by their (id, name) in a CreateRun. ``tags`` to write
    have a value, those to delete ``None``; ``initial_tags`` come with a CreateRun and give way to a tag that
    was set before, for they are older than anything else of the run. Of the models that points are linked to,
    ``models`` are those that there are; ``inputs`` are by run id, name and digest, ``run_models`` by run id,
    whether the run made it, and model.
    """

    runs: Mapping[str, RunState]
    params: dict[RunKey, str]
    placements: Mapping[tuple[str, str], Placement]
    changed_runs: set[str] = field(default_factory=set)
    new_attempts: list[tuple[str, Attempt]] = field(default_factory=list)
    new_params: dict[RunKey, str] = field(default_factory=dict)
    tags: dict[RunKey, str | None] = field(default_factory=dict)
    initial_tags: dict[RunKey, str] = field(default_factory=dict)
    shown_anew: set[str] = field(default_factory=set)
    """Runs that were rewound or are forks."""
    models: Collection[str] = ()
    inputs: dict[tuple[str, str, str], LogDataset] = field(default_factory=dict)
    run_models: dict[tuple[str, bool, str], int] = field(default_factory=dict)
    links: dict[LinkKey, float] = field(default_factory=dict)
    users: set[tuple[str, str]] = field(default_factory=set)
    """Run id, and a model that it uses unless it made it."""

    def apply(self, change: Change) -> Reject | None:
        """Take ``change`` into account, or say why it is refused."""
        match change.change:
            case CreateRun() as create:
                return self._create(change, create)
            case SetParam(key, value):
                return self._set_param(change, key, value)
            case SetTag(key, value):
                self._tag(change.run_id, key, value)
                if key == RUN_NAME_TAG and value:
                    self._rename(self.runs[change.run_id], value)
            case DeleteTag(key):
                self._tag(change.run_id, key, None)
            case StartAttempt() as start:
                return self._start(change, start)
            case EndRun() as end:
                self._end(self.runs[change.run_id], end)
            case LinkMetric() as link:
                return self._link(change, link)
            case LogDataset() | LogModels() as said:
                self._trace(change.run_id, said)
        return None

    def _create(self, change: Change, create: CreateRun) -> Reject | None:
        run = self.runs[change.run_id]
        placement = self.placements[create.experiment_id, create.experiment_name]
        start_time = create.start_time or run.start_time
        created = (placement.experiment_id, create.run_name, create.user_id, start_time)
        if not run.placeholder:
            if created == (run.experiment_id, run.run_name, run.user_id, run.start_time):
                return None
            return refused(change, "RESOURCE_ALREADY_EXISTS", f"run {run.run_id} already exists")
        named = run.run_name  # by a tag that was quicker
        run.experiment_id, run.run_name, run.user_id, run.start_time = created
        run.run_name = named or run.run_name
        run.placeholder = False
        self.changed_runs.add(run.run_id)
        tags = dict(create.tags)
        if placement.detour:
            tags[RECOVERED_TAG] = placement.detour
        if create.fork_from:
            tags |= self._fork(run, create)
        for key, value in tags.items():
            if (run.run_id, key) not in self.tags:
                self.initial_tags[run.run_id, key] = value
        return None

    def _fork(self, run: RunState, create: CreateRun) -> dict[str, str]:
        parent = self.runs.get(create.fork_from)
        if parent is None or parent is run:
            return {NOT_INHERITED_TAG: f"there is no run {create.fork_from}"}
        step = LAST if create.fork_step is None else create.fork_step
        found = inherit(parent.run_id, len(parent.attempts), parent.rewinds, parent.inherited, step)
        run.inherited = {source: bounds for source, bounds in found.items() if source != run.run_id}
        self.shown_anew.add(run.run_id)
        until = {} if create.fork_step is None else {FORK_STEP_TAG: str(step)}
        return {FORKED_FROM_TAG: parent.run_id, **until}

    def _set_param(self, change: Change, key: str, value: str) -> Reject | None:
        known = self.params.get((change.run_id, key))
        if known is None:
            self.params[change.run_id, key] = self.new_params[change.run_id, key] = value
        elif known != value:
            return refused(
                change,
                "INVALID_PARAMETER_VALUE",
                f"param {shown(key)} of run {change.run_id} is {shown(known)} and cannot become "
                f"{shown(value)}: params are written once; log a changing value as a tag or a metric",
            )
        return None

    def _trace(self, run_id: str, said: LogDataset | LogModels) -> None:
        if isinstance(said, LogDataset):
            self.inputs.setdefault((run_id, said.dataset.name, said.dataset.digest), said)
            return
        for output, models in ((False, said.inputs), (True, said.outputs)):
            for model_id, step in models:
                self.run_models.setdefault((run_id, output, model_id), step)

    def _link(self, change: Change, link: LinkMetric) -> Reject | None:
        if link.model_id not in self.models:
            message = f"there is no logged model {shown(link.model_id)}; the point itself was kept"
            return refused(change, "RESOURCE_DOES_NOT_EXIST", message)
        place = (link.timestamp, link.step, link.dataset_name, link.dataset_digest)
        self.links[link.model_id, link.key, *place, change.run_id] = link.value
        if not link.only:
            self.users.add((change.run_id, link.model_id))
        return None

    def _tag(self, run_id: str, key: str, value: str | None) -> None:
        self.tags[run_id, key] = value
        self.initial_tags.pop((run_id, key), None)

    def _rename(self, run: RunState, name: str) -> None:
        run.run_name = name[:_NAME_LENGTH]
        self.changed_runs.add(run.run_id)

    def _start(self, change: Change, start: StartAttempt) -> Reject | None:
        run = self.runs[change.run_id]
        if known := run.attempts.get(start.token):
            return self._join(change, start, known)
        attempt = Attempt(start.token, len(run.attempts) + 1, start.process_id, start.start_time)
        run.attempts[start.token] = attempt
        run.status, run.end_time, run.lapsed = RunStatus.RUNNING, None, False
        self.new_attempts.append((run.run_id, attempt))
        self.changed_runs.add(run.run_id)
        if start.resume_from_step is not None:
            run.rewinds.append(Rewind(attempt.number, start.resume_from_step, start.start_time))
            self.shown_anew.add(run.run_id)
        return None

    def _join(self, change: Change, start: StartAttempt, known: Attempt) -> Reject | None:
        rewinds = {rewind.number: rewind.step for rewind in self.runs[change.run_id].rewinds}
        if start.resume_from_step in (None, rewinds.get(known.number)):
            return None
        return refused(
            change,
            "INVALID_PARAMETER_VALUE",
            f"attempt {shown(start.token)} of run {change.run_id} has begun, and not by resuming from step "
            f"{start.resume_from_step}: name another attempt (HEADRACE_ATTEMPT)",
        )

    def _end(self, run: RunState, end: EndRun) -> None:
        attempt = run.attempts.get(end.token)
        if attempt and attempt.process_id == end.process_id and attempt.number == len(run.attempts):
            run.status, run.end_time, run.lapsed = end.status, end.end_time, False
            self.changed_runs.add(run.run_id)


def refused(change: Change, code: str, message: str) -> Reject:
    """The reject of a change."""
    return Reject(change.writer, change.sequence, change.end, code, message, change.run_id)


def shown(text: str) -> str:
    """``text`` in quotes, printable and not too long for a message."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
