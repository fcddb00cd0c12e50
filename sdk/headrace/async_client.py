"""``AsyncClient``: ``Client``'s twin for asyncio, on the caller's loop, whichever that is."""

import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self
from uuid import uuid4

from headrace import active, calls, record, run_tags, searching, values
from headrace.core import core_for
from headrace.entities import (
    Experiment,
    Metric,
    MetricChart,
    MetricColumns,
    MetricSummary,
    PagedList,
    Param,
    Reject,
    Run,
    RunStatus,
    RunTag,
    RunWriter,
    ViewType,
)
from headrace.errors import NotFoundError, OperationTimeoutError
from headrace.journal.run_log import RunLog
from headrace.operation import RunOperation
from headrace.tracking_uri import get_tracking_uri


class AsyncClient:
    """Logs into runs and reads them, by their ids, without ever blocking the loop.

    Logging calls are plain calls: they return at once with a :class:`RunOperation`, which may be awaited.
    Everything that asks the daemon is a coroutine. Errors and arguments are those of :class:`Client`.

    ::

        async with AsyncClient() as client:
            client.log_metric(run_id, "loss", 0.5, step=1)
            await client.log_metric(run_id, "loss", 0.4, step=2)  # until it is durable and visible
    """

    def __init__(self, tracking_uri: str | os.PathLike[str] | None = None) -> None:
        """``tracking_uri``: as for :func:`headrace.set_tracking_uri`; default: the one that is set."""
        self._core = core_for(os.fspath(tracking_uri) if tracking_uri else get_tracking_uri())

    @property
    def tracking_uri(self) -> str:
        """Where this client logs to and reads from."""
        return self._core.uri

    # Experiments and runs.

    async def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, object] | None = None
    ) -> str:
        """Creates an experiment and returns its id. ``AlreadyExistsError`` when the name is taken."""
        return (await self._ask(calls.create_experiment(name, artifact_location, tags))).experiment_id

    async def get_experiment(self, experiment_id: str) -> Experiment:
        """The experiment with this id. ``NotFoundError`` when there is none."""
        return await self._ask(calls.get_experiment(experiment_id))

    async def get_experiment_by_name(self, name: str) -> Experiment | None:
        """The experiment with this name, or ``None``."""
        try:
            return await self._ask(calls.get_experiment_by_name(name))
        except NotFoundError:
            return None

    async def search_experiments(
        self, *, max_results: int = 1000, page_token: str | None = None
    ) -> PagedList[Experiment]:
        """A page of all experiments; ``page_token``: the ``token`` of the page before."""
        return await self._ask(calls.search_experiments(max_results, page_token))

    async def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: Mapping[str, object] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Creates a run at the daemon, at once."""
        complete = run_tags.complete(values.tags(tags), run_name)
        return await self._ask(calls.create_run(experiment_id, start_time, complete))

    async def get_run(self, run_id: str) -> Run:
        """The run with this id: info, latest metrics, params, tags. ``NotFoundError`` when there is none."""
        return await self._ask(calls.get_run(run_id))

    async def search_runs(  # noqa: PLR0917 - MLflow's order
        self,
        experiment_ids: searching.Experiments = None,
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """A page of the runs that match, in order; arguments as of :meth:`Client.search_runs`."""
        search = searching.RunSearch(
            experiment_ids, filter_string, run_view_type, max_results, order_by, page_token
        )
        while call := search.call:
            await self._ask(call)
        return search.found()

    def set_terminated(
        self, run_id: str, status: str | None = None, end_time: int | None = None
    ) -> RunOperation:
        """Ends a run, whichever process began it; ``end_time`` in ms since the epoch, by default now."""
        ended = values.end_status(RunStatus.FINISHED if status is None else status)
        log = self._core.run_log(values.run_id(run_id), uuid4().hex)
        return record.termination(log, self._core.process_id, ended, end_time)

    # Logging.

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: values.Number,
        timestamp: values.Whole | None = None,
        step: values.Whole | None = None,
    ) -> RunOperation:
        """Logs one value of a metric; ``timestamp`` comes before ``step``, as in MLflow's client."""
        return record.metric(self._log(run_id), key, value, step, timestamp)

    def log_series(
        self,
        run_id: str,
        key: str,
        values: Iterable[values.Number],
        steps: Iterable[values.Whole] | None = None,
        timestamps: Iterable[values.Whole] | None = None,
    ) -> RunOperation:
        """Logs many values of one metric, as one operation; arrays are copied whole."""
        return record.series(self._log(run_id), key, values, steps, timestamps)

    def log_param(self, run_id: str, key: str, value: object) -> RunOperation:
        """Logs a param. The server refuses another value for a key that has one."""
        return record.param(self._log(run_id), key, value)

    def set_tag(self, run_id: str, key: str, value: object) -> RunOperation:
        """Sets a tag, anew or over its old value."""
        return record.tag(self._log(run_id), key, value)

    def delete_tag(self, run_id: str, key: str) -> RunOperation:
        """Deletes a tag; one that does not exist is no error."""
        return record.untag(self._log(run_id), key)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
    ) -> RunOperation:
        """Logs metrics, params and tags, in this order. All of it is checked before any of it is logged."""
        return record.batch(self._log(run_id), metrics, params, tags)

    # Reading.

    async def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """All points of a metric, in logged order; an empty list when the run has none."""
        return await self._ask(calls.get_metric_history(run_id, key))

    async def get_metric_columns(self, run_id: str, key: str) -> MetricColumns:
        """All points of a metric as arrays: less memory and time than a list of a million objects."""
        return await self._ask(calls.get_metric_columns(run_id, key))

    async def get_metric_chart(
        self,
        run_id: str,
        key: str,
        *,
        buckets: int = 1000,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> MetricChart:
        """A metric as a curve of at most so many buckets; the arguments are those of ``Client``."""
        return await self._ask(calls.get_metric_chart(run_id, key, buckets, first_step, last_step))

    async def get_metric_summaries(
        self, run_id: str, keys: Sequence[str] | None = None
    ) -> dict[str, MetricSummary]:
        """Last, first, min, max and count of each of these metrics (default: all), by key."""
        return await self._ask(calls.get_metric_summaries(run_id, keys))

    async def list_writers(self, run_id: str) -> list[RunWriter]:
        """Which processes wrote the points of a run, and how many each; looks at all of its points."""
        return await self._ask(calls.list_writers(run_id))

    async def list_rejects(self, run_id: str | None = None, *, max_results: int = 100) -> list[Reject]:
        """The newest operations that the server refused, of this run or of all."""
        return await self._ask(calls.list_rejects(run_id, max_results))

    # Delivery.

    async def flush(self, timeout: float | None = None) -> None:
        """Waits until everything that this process logged here is durable and visible.

        Args:
            timeout: seconds; default ``HEADRACE_EXIT_TIMEOUT`` (20).

        Raises:
            OperationTimeoutError: something is left; it stays in the journal, on its way.
        """
        await self._core.settle_async(self._core.settings.exit_timeout if timeout is None else timeout)
        if left := self._core.pending():
            raise OperationTimeoutError(str(left))

    async def close(self) -> None:
        """Waits, bounded, until what was logged is durable, and warns if it isn't. The core lives on."""
        await self._core.settle_async(self._core.settings.exit_timeout)
        self._core.warn_of_pending()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.tracking_uri}>"

    def _log(self, run_id: str) -> RunLog:
        return self._core.run_log(values.run_id(run_id), active.attempt_of(self._core, run_id))

    async def _ask(self, call: calls.Call[calls.T]) -> calls.T:
        timeout = self._core.settings.read_timeout
        await self._core.settle_async(timeout)
        return await call.ask_async(self._core, timeout)
