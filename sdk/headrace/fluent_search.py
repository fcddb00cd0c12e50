"""``search_runs`` of the fluent API: MLflow's function over the experiment that is set."""

import logging
from collections.abc import Sequence
from typing import Any, Literal, overload

from headrace import experiment, frames
from headrace.client import Client
from headrace.config import Settings
from headrace.core import core_for
from headrace.entities import Run, ViewType
from headrace.errors import InvalidArgumentError
from headrace.tracking_uri import get_tracking_uri

logger = logging.getLogger("headrace")

_PAGE = 10_000
"""Runs that :func:`search_runs` asks for at once."""


@overload
def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: Literal["pandas"] = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> Any: ...


@overload
def search_runs(
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: Literal["list"] = ...,
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> list[Run]: ...


def search_runs(  # noqa: PLR0917 - MLflow's order
    experiment_ids: Sequence[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100_000,
    order_by: Sequence[str] | None = None,
    output_format: Literal["pandas", "list"] = "pandas",
    search_all_experiments: bool = False,
    experiment_names: Sequence[str] | None = None,
) -> Any:
    """The runs that match, in order, as a pandas data frame or a list of :class:`Run`.

    Args:
        experiment_ids: the experiments; default: the one that :func:`start_run` would put a run into.
        filter_string: as ``"metrics.loss.min < 0.1 and params.lr = '0.01'"``; default: all runs. See
            :meth:`Client.search_runs`.
        run_view_type: active runs, deleted ones, or all.
        max_results: at most so many.
        order_by: as ``["metrics.accuracy DESC"]``. Then the newest come first.
        output_format: "pandas": a row for each run, with columns ``run_id``, ``experiment_id``, ``status``,
            ``artifact_uri``, ``start_time``, ``end_time``, ``metrics.*``, ``params.*`` and ``tags.*``; needs
            pandas. "list": the runs.
        search_all_experiments: without ``experiment_ids`` and ``experiment_names``: in all of them.
        experiment_names: the experiments by name, instead of by id. One that does not exist has no runs.

    Raises:
        InvalidArgumentError: the filter or the order is wrong (it says at which character, and why), or ids
            and names were given.
        HeadraceError: there is no pandas.
    """
    if output_format not in {"pandas", "list"}:
        raise InvalidArgumentError("output_format", f"is {output_format!r}; expected 'pandas' or 'list'")
    if type(max_results) is not int:
        raise InvalidArgumentError("max_results", f"is {max_results!r}; expected an integer")
    if output_format == "pandas":
        frames.need_pandas()
    client = Client()
    where = _experiments(client, experiment_ids, experiment_names, search_all_experiments)
    runs: list[Run] = []
    token: str | None = None
    while len(runs) < max_results:
        size = min(max_results - len(runs), _PAGE)
        page = client.search_runs(where, filter_string, run_view_type, size, order_by, token)
        runs += page
        token = page.token
        if not token:
            break
    return runs if output_format == "list" else frames.data_frame(runs)


def _experiments(
    client: Client, ids: Sequence[str] | None, names: Sequence[str] | None, everywhere: bool
) -> Sequence[str] | None:
    """Where to search; ``None``: everywhere."""
    if ids and names:
        raise InvalidArgumentError("experiment_ids", "and experiment_names are both given; give one of them")
    if names:
        found = {name: client.get_experiment_by_name(name) for name in names}
        for name in (name for name, experiment in found.items() if experiment is None):
            logger.warning("there is no experiment %r to search", name)
        return [experiment.experiment_id for experiment in found.values() if experiment is not None]
    if ids:
        return ids
    if everywhere:
        return None
    target = experiment.target(core_for(get_tracking_uri()), Settings.from_environment(), None)
    if target.experiment_id:
        return [target.experiment_id]
    chosen = client.get_experiment_by_name(target.name or "Default")
    return [] if chosen is None else [chosen.experiment_id]
