"""As ``mlflow.exceptions``: every error of Headrace is one, with MLflow's ``error_code``."""

from headrace.errors import HeadraceError, InvalidArgumentError, NotFoundError

MlflowException = HeadraceError

RestException = HeadraceError
"""What MLflow raises where a server answers with an error: the same here as any other."""

__all__ = ["HeadraceError", "InvalidArgumentError", "MlflowException", "NotFoundError", "RestException"]
