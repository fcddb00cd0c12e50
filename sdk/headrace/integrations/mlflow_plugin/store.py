"""MLflow's tracking store: REST for everything, but for what is logged to runs."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from mlflow.entities import LifecycleStage, RunStatus
from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_TIMEOUT
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.tracking.rest_store import RestStore
from mlflow.utils.async_logging.run_operations import RunOperations

from headrace.errors import HeadraceError
from headrace.integrations.mlflow_plugin.address import Address
from headrace.integrations.mlflow_plugin.channel import Channel
from headrace.integrations.mlflow_plugin.errors import as_mlflow
from headrace.integrations.mlflow_plugin.future import Logged
from headrace.operation import RunOperation

logger = logging.getLogger("headrace")


class HeadraceStore(RestStore):  # type: ignore[misc]  # MLflow has no types here
    """Logs through Headrace's journal and stream, and asks by REST, after what was logged is there.

    A synchronous call returns when what it logs is durable and visible to every reader, an asynchronous one
    when it is in the journal. What is not plain (``channel.py``) goes by REST, and so does the first call for
    a run of which nothing said here that it is there. Can be pickled, and used in forked children.
    """

    def __init__(self, uri: str) -> None:
        """MlflowException: ``uri`` is no ``headrace://HOST:PORT``."""
        self._address = Address(uri)
        super().__init__(self._address)
        self._channel = Channel(self._address.core)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._address.uri,)

    def log_metric(self, run_id: str, metric: Any) -> None:
        """Logs a point."""
        if not _logged(self._channel.point, run_id, metric):
            super().log_metric(run_id, metric)
            self._channel.met(run_id)

    def log_metric_async(self, run_id: str, metric: Any) -> RunOperations:
        """Logs a point."""
        try:
            operation = self._channel.point(run_id, metric)
        except HeadraceError as error:
            raise as_mlflow(error) from error
        if operation is not None:
            return RunOperations([Logged(operation)])
        return _done(lambda: self.log_metric(run_id, metric))

    def log_param(self, run_id: str, param: Any) -> None:
        """Logs a param."""
        if not _logged(self._channel.batch, run_id, (), (param,), ()):
            super().log_param(run_id, param)
            self._channel.met(run_id)

    def set_tag(self, run_id: str, tag: Any) -> None:
        """Sets a tag."""
        if not _logged(self._channel.batch, run_id, (), (), (tag,)):
            super().set_tag(run_id, tag)
            self._channel.met(run_id)

    def log_batch(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> None:
        """Logs points, params and tags."""
        if not _logged(self._channel.batch, run_id, metrics, params, tags):
            super().log_batch(run_id, metrics, params, tags)
            self._channel.met(run_id)

    def log_batch_async(
        self, run_id: str, metrics: Sequence[Any], params: Sequence[Any], tags: Sequence[Any]
    ) -> RunOperations:
        """Logs points, params and tags. MLflow's ``log_param_async`` and ``set_tag_async`` come here too."""
        try:
            operation = self._channel.batch(run_id, metrics, params, tags)
        except HeadraceError as error:
            raise as_mlflow(error) from error
        if operation is None:
            return _done(lambda: self.log_batch(run_id, metrics, params, tags))
        logged = Logged(operation)
        if params or tags:  # which may be refused, and perhaps nobody asks
            logged.add_done_callback(lambda future: _tell(run_id, future))
        return RunOperations([logged])

    # What asynchronous calls logged.

    def flush_async_logging(self) -> None:
        """Waits, bounded (HEADRACE_EXIT_TIMEOUT), until all that was logged is there; warns if it is not."""
        self._channel.core.deliver()

    def shut_down_async_logging(self) -> None:
        """:meth:`flush_async_logging`: nothing has to be ended. MLflow calls it before it ends a run."""
        self.flush_async_logging()

    def end_async_logging(self) -> None:
        """Nothing: what was logged is on its way."""

    # What goes by REST.

    def _call_endpoint(self, *args: Any, **kwargs: Any) -> Any:
        self._channel.core.settle()
        asked = self._address.http()
        try:
            return super()._call_endpoint(*args, **kwargs)
        except RestException:
            raise
        except MlflowException:  # nobody answered, for as long as MLflow tries
            if self._address.http() == asked:
                raise
            return super()._call_endpoint(*args, **kwargs)

    def create_run(self, *args: Any, **kwargs: Any) -> Any:
        """Makes a run."""
        run = super().create_run(*args, **kwargs)
        self._channel.met(run.info.run_id)
        return run

    def get_run(self, run_id: str) -> Any:
        """The run, with all that was logged to it by this process."""
        run = super().get_run(run_id)
        if run.info.lifecycle_stage == LifecycleStage.ACTIVE:
            self._channel.met(run.info.run_id)
        return run

    def update_run_info(self, run_id: str, run_status: Any, end_time: Any, run_name: Any) -> Any:
        """Changes a run; before it ends, waits as :meth:`flush_async_logging` does."""
        if run_status is not None and RunStatus.is_terminated(run_status):
            self.flush_async_logging()
        return super().update_run_info(run_id, run_status, end_time, run_name)

    def delete_run(self, run_id: str) -> None:
        """Hides a run, which takes nothing more."""
        super().delete_run(run_id)
        self._channel.forget_runs()

    def delete_experiment(self, experiment_id: str) -> None:
        """Hides an experiment with its runs, which take nothing more."""
        super().delete_experiment(experiment_id)
        self._channel.forget_runs()


def _logged(write: Callable[..., RunOperation | None], *given: Any) -> bool:
    """Writes what is ``given`` and waits, as long as MLflow waits for answers; false: it is not plain."""
    try:
        operation = write(*given)
        if operation is not None:
            operation.wait(MLFLOW_HTTP_REQUEST_TIMEOUT.get())
    except HeadraceError as error:
        raise as_mlflow(error) from error
    return operation is not None


def _done(work: Callable[[], None]) -> RunOperations:
    """Does it now. What goes wrong is told where an asynchronous call's errors are."""
    future: Future[None] = Future()
    try:
        work()
        future.set_result(None)
    except Exception as error:  # noqa: BLE001 - as MLflow does
        future.set_exception(error)
    return RunOperations([future])


def _tell(run_id: str, future: "Future[None]") -> None:
    """As MLflow does."""
    if error := future.exception():
        logger.error("Run Id %s: Failed to log run data: Exception: %s", run_id, error)
