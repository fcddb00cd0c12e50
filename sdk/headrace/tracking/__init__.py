"""The names that MLflow's users import from ``mlflow.tracking``."""

from headrace.client import Client, MlflowClient
from headrace.tracking import client, fluent
from headrace.tracking_uri import get_tracking_uri, is_tracking_uri_set, set_tracking_uri

__all__ = [
    "Client",
    "MlflowClient",
    "client",
    "fluent",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "set_tracking_uri",
]
