"""The names that MLflow's users import from ``mlflow.utils``."""

from headrace.utils import mlflow_tags

__all__ = ["mlflow_tags"]
