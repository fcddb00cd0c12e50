"""As ``mlflow.tracking.client``."""

from headrace.client import Client, MlflowClient

__all__ = ["Client", "MlflowClient"]
