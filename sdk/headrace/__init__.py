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

import typing

from headrace import artifacts, config, entities, exceptions, tracking, utils
from headrace.active import ActiveRun
from headrace.async_client import AsyncClient
from headrace.client import Client, MlflowClient
from headrace.entities import (
    Erased,
    Experiment,
    ExperimentTag,
    FileInfo,
    LifecycleStage,
    LoggedModel,
    LoggedModelStatus,
    Metric,
    MetricChart,
    MetricColumns,
    MetricSummary,
    ModelVersion,
    PagedList,
    Param,
    RegisteredModel,
    Reject,
    Rewind,
    Run,
    RunData,
    RunInfo,
    RunStatus,
    RunTag,
    RunWriter,
    SourceType,
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
    SpoolFullError,
    UnavailableError,
)
from headrace.exceptions import MlflowException
from headrace.experiment import set_experiment
from headrace.fluent import (
    active_run,
    delete_tag,
    end_run,
    flush,
    flush_async_logging,
    get_artifact_uri,
    get_parent_run,
    last_active_run,
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
from headrace.fluent_artifacts import (
    delete_artifacts,
    load_table,
    log_artifact,
    log_artifacts,
    log_dict,
    log_figure,
    log_image,
    log_table,
    log_text,
)
from headrace.fluent_inputs import log_input, log_inputs, log_outputs
from headrace.fluent_models import (
    ActiveModel,
    clear_active_model,
    create_external_model,
    delete_logged_model,
    delete_logged_model_tag,
    finalize_logged_model,
    get_active_model_id,
    get_logged_model,
    initialize_logged_model,
    last_logged_model,
    log_model_params,
    register_model,
    search_logged_models,
    search_model_versions,
    search_registered_models,
    set_active_model,
    set_logged_model_tags,
)
from headrace.fluent_reading import (
    create_experiment,
    delete_experiment,
    delete_experiment_tag,
    delete_run,
    get_experiment,
    get_experiment_by_name,
    get_metric_histories,
    get_run,
    restore_experiment,
    restore_run,
    search_experiments,
    set_experiment_tag,
    set_experiment_tags,
)
from headrace.fluent_search import search_runs
from headrace.histories import MetricBucket, MetricHistories, MetricSeries, MetricWriter
from headrace.image import Image
from headrace.operation import RunOperation
from headrace.tracking_uri import get_tracking_uri, is_tracking_uri_set, set_tracking_uri

if typing.TYPE_CHECKING:
    from headrace import data, keras, lightgbm, models, pyfunc, pytorch, sklearn, types, xgboost


__all__ = [
    "ActiveModel",
    "ActiveRun",
    "AlreadyExistsError",
    "AsyncClient",
    "Client",
    "DroppedError",
    "Erased",
    "Experiment",
    "ExperimentTag",
    "FileInfo",
    "HeadraceError",
    "Image",
    "InvalidArgumentError",
    "JournalError",
    "JournalFullError",
    "LifecycleStage",
    "LoggedModel",
    "LoggedModelStatus",
    "Metric",
    "MetricBucket",
    "MetricChart",
    "MetricColumns",
    "MetricHistories",
    "MetricSeries",
    "MetricSummary",
    "MetricWriter",
    "MlflowClient",
    "MlflowException",
    "ModelVersion",
    "NotFoundError",
    "OperationTimeoutError",
    "PagedList",
    "Param",
    "RegisteredModel",
    "Reject",
    "RejectedError",
    "Rewind",
    "Run",
    "RunData",
    "RunInfo",
    "RunOperation",
    "RunStatus",
    "RunTag",
    "RunWriter",
    "SourceType",
    "SpoolFullError",
    "UnavailableError",
    "ViewType",
    "active_run",
    "artifacts",
    "clear_active_model",
    "config",
    "create_experiment",
    "create_external_model",
    "data",
    "delete_artifacts",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_logged_model",
    "delete_logged_model_tag",
    "delete_run",
    "delete_tag",
    "end_run",
    "entities",
    "exceptions",
    "finalize_logged_model",
    "flush",
    "flush_async_logging",
    "get_active_model_id",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_logged_model",
    "get_metric_histories",
    "get_parent_run",
    "get_run",
    "get_tracking_uri",
    "initialize_logged_model",
    "is_tracking_uri_set",
    "keras",
    "last_active_run",
    "last_logged_model",
    "lightgbm",
    "load_table",
    "log_artifact",
    "log_artifacts",
    "log_batch",
    "log_dict",
    "log_figure",
    "log_image",
    "log_input",
    "log_inputs",
    "log_metric",
    "log_metrics",
    "log_model_params",
    "log_outputs",
    "log_param",
    "log_params",
    "log_series",
    "log_table",
    "log_text",
    "models",
    "pyfunc",
    "pytorch",
    "register_model",
    "restore_experiment",
    "restore_run",
    "search_experiments",
    "search_logged_models",
    "search_model_versions",
    "search_registered_models",
    "search_runs",
    "set_active_model",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_logged_model_tags",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "sklearn",
    "start_run",
    "tracking",
    "types",
    "utils",
    "xgboost",
]

_LATER = ("data", "keras", "lightgbm", "models", "pyfunc", "pytorch", "sklearn", "types", "xgboost")
"""Modules that are loaded when they are first used."""


def __getattr__(name: str) -> typing.Any:
    if name == "__version__":  # seldom asked for, and it takes long to learn
        from headrace.version import VERSION  # noqa: PLC0415

        return VERSION
    if name in _LATER:
        from importlib import import_module  # noqa: PLC0415

        return import_module(f"headrace.{name}")
    raise AttributeError(f"module 'headrace' has no attribute {name!r}")
