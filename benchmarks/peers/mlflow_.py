"""MLflow against its own server, which keeps points in PostgreSQL."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric

Log = Callable[[Mapping[str, float], int], object]


def open_run(folder: Path) -> tuple[Log, Callable[[], object]]:
    """Logs to the server of ``MLFLOW_TRACKING_URI``."""
    del folder
    waits = os.environ["HEADRACE_BENCH_MODE"] == "sync"
    mlflow.start_run()

    def log(metrics: Mapping[str, float], step: int) -> None:
        if len(metrics) == 1:
            for key, value in metrics.items():
                mlflow.log_metric(key, value, step, synchronous=waits)
        else:
            mlflow.log_metrics(dict(metrics), step, synchronous=waits)

    return log, (lambda: None) if waits else mlflow.flush_async_logging


def open_client() -> tuple[MlflowClient, type[Metric]]:
    """A client of the server of ``MLFLOW_TRACKING_URI``."""
    return MlflowClient(), Metric
