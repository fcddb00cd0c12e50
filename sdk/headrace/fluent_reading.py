"""The functions of the fluent API that ask the daemon: about runs by id, and about experiments.

Most are the questions of ``calls``, asked of the tracking URI that is set.
"""

from collections.abc import Mapping, Sequence

from headrace import experiment
from headrace.calls import experiments, histories, runs
from headrace.core import core_for
from headrace.entities import Experiment, ViewType
from headrace.faces import ask, asked
from headrace.tracking_uri import get_tracking_uri

_PAGE = 10_000
"""Experiments that are asked for at once."""

create_experiment = asked(experiments.create_experiment)
get_experiment = asked(experiments.get_experiment)
get_experiment_by_name = asked(experiments.get_experiment_by_name)
delete_experiment = asked(experiments.delete_experiment)
restore_experiment = asked(experiments.restore_experiment)

get_metric_histories = asked(histories.get_metric_histories)

get_run = asked(runs.get_run)
delete_run = asked(runs.delete_run)
restore_run = asked(runs.restore_run)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
) -> list[Experiment]:
    """The experiments that match, in order; arguments as of :meth:`Client.search_experiments`.

    ``max_results``: at most so many; default: all.
    """
    core = core_for(get_tracking_uri())
    found: list[Experiment] = []
    token: str | None = None
    while max_results is None or len(found) < max_results:
        size = _PAGE if max_results is None else min(max_results - len(found), _PAGE)
        page = ask(core, experiments.search_experiments(view_type, size, filter_string, order_by, token))
        found += page
        token = page.token
        if not token:
            break
    return found


def set_experiment_tag(key: str, value: object) -> None:
    """Sets a tag of the experiment that :func:`start_run` puts new runs into; the value becomes text."""
    set_experiment_tags({key: value})


def set_experiment_tags(tags: Mapping[str, object]) -> None:
    """Sets tags of the experiment that :func:`start_run` puts new runs into."""
    core = core_for(get_tracking_uri())
    ask(core, experiments.set_experiment_tags(experiment.chosen_id(core), tags))


def delete_experiment_tag(key: str) -> None:
    """Deletes a tag of the experiment that :func:`start_run` puts new runs into."""
    core = core_for(get_tracking_uri())
    ask(core, experiments.delete_experiment_tag(experiment.chosen_id(core), key))
