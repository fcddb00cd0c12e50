"""Headrace: an experiment tracker whose ``log_metric`` returns in a microsecond and loses nothing.

::

    import headrace

    headrace.set_experiment("digits")
    with headrace.start_run():
        for step in range(1000):
            headrace.log_metric("loss", 1 / (step + 1), step)

Names and signatures are MLflow's. Start reading with ``fluent.py`` (these functions), ``client.py`` (the same
by run id), ``core.py`` (what both are faces of), then ``journal`` and ``shipping``.
"""

from headrace.active import ActiveRun
from headrace.async_client import AsyncClient
from headrace.client import Client
from headrace.entities import (
    Experiment,
    LifecycleStage,
    Metric,
    MetricChart,
    MetricColumns,
    MetricSummary,
    PagedList,
    Param,
    Reject,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    RunTag,
    RunWriter,
    ViewType,
)
from headrace.errors import (
    AlreadyExistsError,
    DroppedError,
    HeadraceError,
    InvalidArgumentError,
    JournalError,
    JournalFullError,
    NotFoundError,
    OperationTimeoutError,
    RejectedError,
    UnavailableError,
)
from headrace.experiment import set_experiment
from headrace.fluent import (
    active_run,
    create_experiment,
    delete_tag,
    end_run,
    flush,
    get_experiment,
    get_experiment_by_name,
    get_run,
    log_batch,
    log_metric,
    log_metrics,
    log_param,
    log_params,
    log_series,
    set_tag,
    set_tags,
    start_run,
)
from headrace.fluent_search import search_runs
from headrace.operation import RunOperation
from headrace.tracking_uri import get_tracking_uri, set_tracking_uri

__all__ = [
    "ActiveRun",
    "AlreadyExistsError",
    "AsyncClient",
    "Client",
    "DroppedError",
    "Experiment",
    "HeadraceError",
    "InvalidArgumentError",
    "JournalError",
    "JournalFullError",
    "LifecycleStage",
    "Metric",
    "MetricChart",
    "MetricColumns",
    "MetricSummary",
    "NotFoundError",
    "OperationTimeoutError",
    "PagedList",
    "Param",
    "Reject",
    "RejectedError",
    "Run",
    "RunData",
    "RunInfo",
    "RunOperation",
    "RunStatus",
    "RunTag",
    "RunWriter",
    "UnavailableError",
    "ViewType",
    "active_run",
    "create_experiment",
    "delete_tag",
    "end_run",
    "flush",
    "get_experiment",
    "get_experiment_by_name",
    "get_run",
    "get_tracking_uri",
    "log_batch",
    "log_metric",
    "log_metrics",
    "log_param",
    "log_params",
    "log_series",
    "search_runs",
    "set_experiment",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "start_run",
]
