"""Runs as a pandas data frame: what ``search_runs`` returns."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from headrace.entities import Run
from headrace.errors import HeadraceError
from headrace.model_entities import LoggedModel


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


def model_frame(models: Sequence[LoggedModel]) -> Any:
    """Logged models as a pandas data frame: a row each, the attributes as columns, as MLflow has them."""
    pandas = need_pandas()
    return pandas.DataFrame([model.to_dictionary() for model in models])


def need_pandas() -> Any:
    """The module. ``HeadraceError`` with the remedy when it is not installed."""
    try:
        return import_module("pandas")
    except ModuleNotFoundError:
        raise HeadraceError(
            "output_format='pandas' needs pandas, which is not installed: pip install pandas, or ask for "
            "output_format='list'"
        ) from None
