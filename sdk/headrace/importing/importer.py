"""An import from above: which experiments go where, then runs, models, the registry, and what is deleted."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from headrace.client import Client
from headrace.entities import Experiment
from headrace.errors import HeadraceError
from headrace.importing.destination import FROM, Destination
from headrace.importing.files import Files
from headrace.importing.models import LoggedModels
from headrace.importing.registry import Registry
from headrace.importing.report import Report
from headrace.importing.runs import Runs
from headrace.importing.source import Source, SourceRun, open_source
from headrace_proto import limits
from headrace_proto.v1 import tracking_pb2 as pb

_RUNS: Final = 100
"""Runs that are compared together, when what was read of them is durable."""

_SERIES: Final = 2000
"""Metrics of runs that are compared together, if it is several."""

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Options:
    """What is imported, and where to."""

    experiments: tuple[str, ...] = ()
    """Names; none: all."""
    prefix: str = ""
    """Before the names of experiments and registered models."""
    merge: bool = False
    """Put runs into experiments that are here already."""
    files: bool = True
    recheck: bool = False
    """Read again what an earlier call imported."""
    dry: bool = False
    """Only count what there is, but for points and files."""


def run_import(text: str, client: Client, options: Options, report: Report, tick: Callable[[], None]) -> None:
    """Imports from the MLflow store that ``text`` names; ``report`` grows, and ``tick`` is called meanwhile.

    Raises:
        HeadraceError: nothing was imported (there is no such store, names are taken), or no daemon answers
            any more.
    """
    source = open_source(text, report)
    report.dry = options.dry
    destination = Destination(client)
    if options.dry:
        _Importer(source, destination, options, report, tick).count()
        return
    with destination.alone(source.name):
        _Importer(source, destination, options, report, tick).copy()


class _Importer:
    def __init__(
        self,
        source: Source,
        destination: Destination,
        options: Options,
        report: Report,
        tick: Callable[[], None],
    ) -> None:
        files = Files(destination, source.uri, report) if options.files else None
        self._source = source
        self._to = destination
        self._options = options
        self._report = report
        self._tick = tick
        recheck = options.recheck
        self._runs = Runs(source, destination, report, files, recheck=recheck, tick=tick)
        self._models = LoggedModels(destination, report, files, tick)
        partly = bool(options.experiments)
        self._registry = Registry(source, destination, report, options.prefix, partly=partly)

    def count(self) -> None:
        """What there is in the source; what would be refused is a problem."""
        experiments = self._source.experiments(self._options.experiments)
        theirs = self._report.theirs
        theirs["experiments"] += len(experiments)
        for experiment in experiments:
            self._report.experiment = experiment.name
            theirs["experiment tags"] += len(experiment.tags)
            for run in self._source.runs(experiment):
                theirs += Counter(
                    {"runs": 1, "params": len(run.params), "tags": len(run.tags), "metrics": len(run.latest)}
                )
                self._tick()
            theirs["logged models"] += sum(1 for _ in self._source.logged_models(experiment))
            self._report.experiments_done += 1
        if not self._options.experiments:
            for model in self._source.registered_models():
                theirs["registered models"] += 1
                theirs["model versions"] += len(self._source.versions(model.name))
        for name in self._taken(experiments):
            self._report.problem(name, "the name is taken by another one in Headrace")

    def copy(self) -> None:
        """The import."""
        experiments = self._source.experiments(self._options.experiments)
        if taken := self._taken(experiments):
            raise HeadraceError(_refusal(taken), "RESOURCE_ALREADY_EXISTS")
        places = [(each, here) for each in experiments if (here := self._experiment(each)) is not None]
        for experiment, here in places:
            self._report.experiment = experiment.name
            going = experiment.lifecycle_stage == "deleted" and here.experiment_id != "0"
            for runs in _together(self._source.runs(experiment)):
                self._runs.copy(runs, here.experiment_id, deleted_with_it=going)
            self._report.experiments_done += 1
        self._report.experiment = "models"
        for experiment, here in places:
            models = self._source.logged_models(experiment)
            copy = partial(self._models.copy, models, here.experiment_id)
            self._part(f"logged models of experiment {experiment.name!r}", copy)
        self._part("the model registry", self._registry.copy)
        for experiment, here in places:
            if experiment.lifecycle_stage == "deleted" and here.experiment_id != "0":
                self._to.client.delete_experiment(here.experiment_id)

    def _part(self, what: str, work: Callable[[], None]) -> None:
        """A part that older servers do not have."""
        try:
            work()
        except HeadraceError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the rest was imported
            self._report.problem(what, f"cannot be read: {error}")

    def _taken(self, experiments: list[Any]) -> list[str]:
        """Names that something from elsewhere has here."""
        taken = []
        for experiment in experiments:
            here = self._to.experiment(name=self._options.prefix + experiment.name)
            if here is not None and not self._is_ours(experiment, here) and not self._options.merge:
                taken.append(f"experiment {here.name!r}")
        if not self._options.experiments:
            taken += [f"registered model {name!r}" for name in self._registry.conflicts()]
        return taken

    def _is_ours(self, experiment: Any, here: Experiment) -> bool:
        """Whether an experiment is what an earlier call made, or the Default of both sides."""
        default = experiment.experiment_id == here.experiment_id == "0"
        return default or here.tags.get(FROM) == self._origin(experiment)

    def _origin(self, experiment: Any) -> str:
        return f"{self._source.name} experiment {experiment.experiment_id}"

    def _experiment(self, experiment: Any) -> Experiment | None:
        """The experiment that runs go to, made if there is none; ``None``: they can go nowhere."""
        what = f"experiment {experiment.name!r}"
        here = self._to.experiment(name=self._options.prefix + experiment.name)
        try:
            if here is None:
                here = self._create(experiment)
            elif here.lifecycle_stage == "deleted":
                self._restore(experiment, here)
            missing = {key: text for key, text in experiment.tags.items() if key not in here.tags}
            if missing:
                self._to.client.set_experiment_tags(here.experiment_id, _cut(missing))
            for key in [key for key, text in experiment.tags.items() if len(text) > limits.MAX_TAG_LENGTH]:
                self._report.problem(
                    f"tag {key!r} of {what}", f"was cut to {limits.MAX_TAG_LENGTH:,} characters"
                )
        except HeadraceError as error:
            self._report.problem(what, error)
            self._report.compare(what, Counter({"experiments": 1}), Counter())
            return None
        there = self._to.experiment(experiment_id=here.experiment_id) or here
        theirs = Counter({"experiments": 1, "experiment tags": len(experiment.tags)})
        ours = Counter({"experiments": 1, "experiment tags": len(experiment.tags.keys() & there.tags.keys())})
        self._report.compare(what, theirs, ours)
        return there

    def _restore(self, experiment: Any, here: Experiment) -> None:
        """For the time of the import: a deleted experiment takes no runs."""
        if experiment.lifecycle_stage != "deleted":
            raise HeadraceError("it was deleted in Headrace; restore it, or erase it (headrace gc)")
        self._to.client.restore_experiment(here.experiment_id)

    def _create(self, experiment: Any) -> Experiment:
        free = self._to.experiment(experiment_id=experiment.experiment_id) is None
        name = self._options.prefix + experiment.name
        request = pb.CreateExperimentRequest(
            name=name,
            tags={**_cut(experiment.tags), FROM: self._origin(experiment)},
            experiment_id=experiment.experiment_id if free else "",
            creation_time=getattr(experiment, "creation_time", None) or 0,
        )
        made = self._to.core.call("CreateExperiment", request)
        if made.experiment_id != experiment.experiment_id:
            self._report.notes.append(
                f"experiment {experiment.name!r}: its id is {made.experiment_id} here; "
                f"{experiment.experiment_id} was taken"
            )
        found = self._to.experiment(name=name)
        if found is None:
            raise HeadraceError(f"experiment {name!r} was made and is not there")
        return found


def _together(runs: Iterator[SourceRun]) -> Iterator[list[SourceRun]]:
    """Runs that are imported before they are compared."""
    batch: list[SourceRun] = []
    for run in runs:
        batch.append(run)
        if len(batch) >= _RUNS or sum(len(each.latest) for each in batch) >= _SERIES:
            yield batch
            batch = []
    if batch:
        yield batch


def _cut(tags: dict[str, str]) -> dict[str, str]:
    return {key: str(text)[: limits.MAX_TAG_LENGTH] for key, text in tags.items()}


def _refusal(taken: list[str]) -> str:
    names = ", ".join(taken[:_SHOWN]) + (f" and {len(taken) - _SHOWN} more" if len(taken) > _SHOWN else "")
    remedy = (
        "give --prefix TEXT to put it before the imported names, --merge to add runs to experiments of the "
        "same name, or --experiment NAME to import only some"
    )
    return f"nothing was imported: in Headrace there is something else of the same name: {names}; {remedy}"
