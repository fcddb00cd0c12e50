"""The experiment that new runs of this process go to."""

import contextlib
import os
from typing import NamedTuple

from headrace import values
from headrace.calls.experiments import experiment_named, experiment_with_id, new_experiment
from headrace.config import Settings
from headrace.core import Core, core_for
from headrace.entities import Experiment, LifecycleStage
from headrace.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError, UnavailableError
from headrace.tracking_uri import get_tracking_uri


class Target(NamedTuple):
    """Where a run goes: the experiment with this id, else with this name, else "Default"."""

    experiment_id: str
    name: str


DEFAULT = "Default"

VARIABLE = "HEADRACE_EXPERIMENT_NAME"

_chosen: Experiment | None = None
_chosen_at = ""


def set_experiment(experiment_name: str | None = None, experiment_id: str | None = None) -> Experiment:
    """Sets the experiment that :func:`start_run` puts new runs into, in this process.

    Args:
        experiment_name: created when there is none with this name.
        experiment_id: of an experiment that exists. Give one of the two.

    Returns:
        The experiment. While no daemon answers it has a name only (an empty ``experiment_id``), and is
        created when the first run is delivered.

    Raises:
        NotFoundError: there is no experiment with this id.
        InvalidArgumentError: the experiment is deleted, or not exactly one of the two was given.
    """
    global _chosen, _chosen_at
    core = core_for(get_tracking_uri())
    if (experiment_name is None) == (experiment_id is None):
        raise InvalidArgumentError("experiment_name or experiment_id", "must be given, and not both")
    if experiment_name is not None:
        found = _get_or_create(core, experiment_name)
        experiment = found or Experiment("", experiment_name)
    else:
        found = _get(core, str(experiment_id))
        experiment = found or Experiment(str(experiment_id), "")
    _chosen, _chosen_at = experiment, core.uri
    if experiment.name:  # for the processes that this one starts
        os.environ[VARIABLE] = experiment.name
        os.environ.pop("HEADRACE_EXPERIMENT_ID", None)
    return experiment


def target(core: Core, settings: Settings, experiment_id: str | None) -> Target:
    """Where a new run goes. An id that the daemon knows nothing of is an error now, if it answers."""
    if experiment_id is not None:
        _get(core, experiment_id)
        return Target(str(experiment_id), "")
    if _chosen is None:
        if settings.experiment_id:
            return Target(values.experiment_id(settings.experiment_id, "HEADRACE_EXPERIMENT_ID"), "")
        return Target("", settings.experiment_name)
    known = _chosen.experiment_id and core.uri == _chosen_at
    return Target(_chosen.experiment_id, "") if known else Target("", _chosen.name)


def chosen_id(core: Core) -> str:
    """The id of the experiment that new runs go to; created, when there is none with its name."""
    where = target(core, Settings.from_environment(), None)
    if where.experiment_id:
        return where.experiment_id
    experiment = _get_or_create(core, where.name or DEFAULT)
    if experiment is None:
        raise UnavailableError(f"no daemon answers at {core.uri}")
    return experiment.experiment_id


def _get_or_create(core: Core, name: str) -> Experiment | None:
    by_name = experiment_named(name)
    try:
        experiment = by_name.ask_at_start(core)
    except NotFoundError:
        # Another process may be faster.
        with contextlib.suppress(AlreadyExistsError):
            new_experiment(name).ask_at_start(core)
        experiment = by_name.ask_at_start(core)
    return _not_deleted(experiment, "experiment_name")


def _get(core: Core, experiment_id: str) -> Experiment | None:
    return _not_deleted(experiment_with_id(experiment_id).ask_at_start(core), "experiment_id")


def _not_deleted(experiment: Experiment | None, argument: str) -> Experiment | None:
    if experiment is not None and experiment.lifecycle_stage == LifecycleStage.DELETED:
        problem = f"names the deleted experiment {experiment.name!r}; restore it, or choose another"
        raise InvalidArgumentError(argument, problem)
    return experiment
