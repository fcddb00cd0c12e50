"""Searching runs: what both clients ask, page by page, and the data frame that ``search_runs`` returns."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from headrace import calls, values
from headrace.entities import PagedList, Run, ViewType
from headrace.errors import HeadraceError, InvalidArgumentError
from headrace_proto.v1 import tracking_pb2 as pb

Experiments = Sequence[str | int] | str | int | None
"""Ids of experiments, or one; ``None``: all."""


class RunSearch:
    """A search for up to ``max_results`` runs: a daemon's page may be shorter, until :attr:`call` is None."""

    def __init__(  # noqa: PLR0917 - MLflow's order
        self,
        experiment_ids: Experiments,
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> None:
        """Checks the arguments; those of :meth:`headrace.Client.search_runs`."""
        if isinstance(experiment_ids, str | int):
            experiment_ids = [experiment_ids]
        order = [order_by] if isinstance(order_by, str) else list(order_by or ())
        for name, texts in (("filter_string", [filter_string or ""]), ("order_by", order)):
            if not all(isinstance(text, str) for text in texts):
                raise InvalidArgumentError(name, f"is {texts!r}; expected text")
        if run_view_type not in list(ViewType):
            raise InvalidArgumentError("run_view_type", f"is {run_view_type!r}; expected a ViewType")
        self._request = pb.SearchRunsRequest(
            experiment_ids=[values.experiment_id(one, "experiment_ids") for one in experiment_ids or ()],
            filter=filter_string or "",
            order_by=order,
            view_type=pb.ViewType.Name(int(run_view_type)),
            page_token=page_token or "",
        )
        self._left = calls.page_size(max_results)
        self._runs: list[Run] = []
        # No experiment is not every experiment.
        self._done = experiment_ids is not None and not experiment_ids

    @property
    def call(self) -> calls.Call[None] | None:
        """What to ask next; ``None`` when the runs are there, or there are no more."""
        if self._done:
            return None
        request = pb.SearchRunsRequest()
        request.CopyFrom(self._request)
        request.max_results = self._left
        return calls.Call("SearchRuns", request, self._take)

    def found(self) -> PagedList[Run]:
        """The runs."""
        return PagedList(self._runs, self._request.page_token or None)

    def _take(self, response: pb.SearchRunsResponse) -> None:
        keys = list(response.metric_keys)
        for message, latest in zip(response.runs, response.latest, strict=True):
            metrics = dict(zip([keys[place] for place in latest.keys], latest.values, strict=True))
            self._runs.append(calls.run(message, metrics))
        self._left -= len(response.runs)
        self._request.page_token = response.next_page_token
        self._done = self._left <= 0 or not response.next_page_token


def data_frame(runs: Sequence[Run]) -> Any:
    """Runs as a pandas data frame: a row each, with MLflow's columns.

    ``run_id``, ``experiment_id``, ``status``, ``artifact_uri``, ``start_time`` and ``end_time`` (UTC), then
    ``metrics.*`` (NaN where a run has none), ``params.*`` and ``tags.*`` (``None``).
    """
    pandas = need_pandas()
    infos = [run.info for run in runs]
    columns: dict[str, Any] = {
        name: [getattr(info, name) for info in infos]
        for name in ("run_id", "experiment_id", "status", "artifact_uri")
    }
    for name in ("start_time", "end_time"):
        times = [getattr(info, name) for info in infos]
        columns[name] = pandas.to_datetime(pandas.Series(times, dtype="Int64"), unit="ms", utc=True)
    for group, missing in (("metrics", float("nan")), ("params", None), ("tags", None)):
        data = [getattr(run.data, group) for run in runs]
        for key in dict.fromkeys(key for each in data for key in each):
            columns[f"{group}.{key}"] = [each.get(key, missing) for each in data]
    return pandas.DataFrame(columns)


def need_pandas() -> Any:
    """The module. ``HeadraceError`` with the remedy when it is not installed."""
    try:
        return import_module("pandas")
    except ModuleNotFoundError:
        raise HeadraceError(
            "output_format='pandas' needs pandas, which is not installed: pip install pandas, or ask for "
            "output_format='list'"
        ) from None
