"""Headrace's errors as MLflow's users know them."""

from typing import Any

from mlflow.exceptions import MlflowException, RestException
from mlflow.protos.databricks_pb2 import ErrorCode

from headrace.errors import HeadraceError, RejectedError


def as_mlflow(error: HeadraceError) -> Any:
    """The MlflowException: of what the daemon refused, the one that it is over REST."""
    if isinstance(error, RejectedError):
        return RestException({"error_code": error.code, "message": error.message})
    known = error.error_code if error.error_code in ErrorCode.DESCRIPTOR.values_by_name else "INTERNAL_ERROR"
    return MlflowException(str(error), ErrorCode.Value(known))
