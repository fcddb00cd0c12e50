"""A tracking store that keeps nothing: what is left of the time is MLflow's client."""

from typing import Any

from mlflow.entities import Run, RunData, RunInfo
from mlflow.store.tracking.abstract_store import AbstractStore
from mlflow.tracking._tracking_service.utils import _tracking_store_registry
from mlflow.utils.async_logging.run_operations import RunOperations

RUN = "0" * 32


class Queued(AbstractStore):  # type: ignore[misc] # MLflow has no types here
    """Takes batches at once; asynchronous ones come by MLflow's queue and threads."""

    def create_run(self, *_: Any, **__: Any) -> Run:
        """Always the same."""
        return self.get_run(RUN)

    def get_run(self, run_id: str) -> Run:
        """Always the same."""
        info = RunInfo(run_id, "0", "", "RUNNING", 0, None, "active", run_name="nothing")
        return Run(info, RunData())

    def log_batch(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def log_metric(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def update_run_info(self, run_id: str, *_: Any, **__: Any) -> RunInfo:
        """Always the same."""
        return self.get_run(run_id).info


class Nothing(Queued):
    """Takes asynchronous batches at once too."""

    def log_batch_async(self, *_: Any, **__: Any) -> RunOperations:
        """An operation that has ended."""
        return RunOperations([])


def register() -> None:
    """Makes ``nothing://`` and ``nothing-queued://`` tracking URIs of this process."""
    for scheme, store in (("nothing", Nothing), ("nothing-queued", Queued)):
        store.__abstractmethods__ = frozenset()  # the rest is never called
        _tracking_store_registry.register(scheme, lambda store=store, **_: store())
