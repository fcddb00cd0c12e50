"""As ``mlflow.exceptions``: every error of Headrace is one, with MLflow's ``error_code``."""

from headrace.errors import HeadraceError, InvalidArgumentError, NotFoundError

MlflowException = HeadraceError

__all__ = ["HeadraceError", "InvalidArgumentError", "MlflowException", "NotFoundError"]
