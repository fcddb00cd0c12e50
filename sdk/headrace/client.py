"""``Client``: MLflow's client methods, by run id, blocking. ``AsyncClient`` is its twin for asyncio.

Both are thin faces of one core: what is written goes to ``record.py``, what is asked to ``calls.py``.
"""

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


class Client:
    """Logs into runs and reads them, by their ids. Cheap to make; all clients of a process share one core.

    Logging calls return at once with a :class:`RunOperation`; ``synchronous=True`` waits until it is durable
    and visible. Reads first wait, bounded, for what this process logged itself, so they see it.

    Reads and ``create_...`` raise ``NotFoundError``, ``AlreadyExistsError``, ``UnavailableError`` (no daemon
    answers) or ``OperationTimeoutError``; every method raises ``InvalidArgumentError`` for a bad argument.
    """

    def __init__(self, tracking_uri: str | os.PathLike[str] | None = None) -> None:
        """``tracking_uri``: as for :func:`headrace.set_tracking_uri`; default: the one that is set."""
        self._core = core_for(os.fspath(tracking_uri) if tracking_uri else get_tracking_uri())

    @property
    def tracking_uri(self) -> str:
        """Where this client logs to and reads from."""
        return self._core.uri

    # Experiments.

    def create_experiment(
        self, name: str, artifact_location: str | None = None, tags: Mapping[str, object] | None = None
    ) -> str:
        """Creates an experiment and returns its id. ``AlreadyExistsError`` when the name is taken."""
        return self._ask(calls.create_experiment(name, artifact_location, tags)).experiment_id

    def get_experiment(self, experiment_id: str) -> Experiment:
        """The experiment with this id. ``NotFoundError`` when there is none."""
        return self._ask(calls.get_experiment(experiment_id))

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """The experiment with this name, or ``None``."""
        try:
            return self._ask(calls.get_experiment_by_name(name))
        except NotFoundError:
            return None

    def search_experiments(
        self, *, max_results: int = 1000, page_token: str | None = None
    ) -> PagedList[Experiment]:
        """A page of all experiments; ``page_token``: the ``token`` of the page before."""
        return self._ask(calls.search_experiments(max_results, page_token))

    # Runs.

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: Mapping[str, object] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Creates a run at the daemon, at once. :func:`headrace.start_run` also works without a daemon.

        Args:
            experiment_id: of an experiment that exists.
            start_time: milliseconds since the Unix epoch; default: now.
            tags: values become text.
            run_name: default: a random one.
        """
        checked = run_tags.complete(values.tags(tags), run_name)
        return self._ask(calls.create_run(experiment_id, start_time, checked))

    def get_run(self, run_id: str) -> Run:
        """The run with this id: info, latest metrics, params, tags. ``NotFoundError`` when there is none."""
        return self._ask(calls.get_run(run_id))

    def search_runs(  # noqa: PLR0917 - MLflow's order
        self,
        experiment_ids: searching.Experiments = None,
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: Sequence[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """A page of the runs that match, in order.

        Args:
            experiment_ids: ids, or one; default: all experiments. An empty list: no experiment, no runs.
            filter_string: as ``"metrics.loss.min < 0.1 and params.lr = '0.01'"``; default: all runs. MLflow's
                language, and OR, parentheses, IN, NOT IN, ``IS NULL``, and ``.min``, ``.max``, ``.first`` of
                a metric.
            run_view_type: active runs, deleted ones, or all.
            max_results: the size of the page, up to 50,000.
            order_by: as ``["metrics.accuracy DESC"]``. Then the newest come first. Runs whose value is NaN
                come after others, and those that have none last.
            page_token: the ``token`` of the page before, found with the same order.

        Raises:
            InvalidArgumentError: the filter or the order is wrong; it says at which character, and why.
        """
        search = searching.RunSearch(
            experiment_ids, filter_string, run_view_type, max_results, order_by, page_token
        )
        while call := search.call:
            self._ask(call)
        return search.found()

    def set_terminated(
        self,
        run_id: str,
        status: str | None = None,
        end_time: int | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Ends a run, whichever process began it.

        Args:
            run_id: the run.
            status: FINISHED (the default), FAILED, KILLED or SCHEDULED.
            end_time: milliseconds since the Unix epoch; default: now.
            synchronous: wait until it is durable and visible.
        """
        ended = values.end_status(RunStatus.FINISHED if status is None else status)
        log = self._core.run_log(values.run_id(run_id), uuid4().hex)
        return _finished(record.termination(log, self._core.process_id, ended, end_time), synchronous)

    # Logging; the arguments are those of the functions with the same names in ``headrace``.

    def log_metric(  # noqa: PLR0917 - MLflow's order
        self,
        run_id: str,
        key: str,
        value: values.Number,
        timestamp: values.Whole | None = None,
        step: values.Whole | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs one value of a metric; ``timestamp`` comes before ``step``, as in MLflow's client."""
        return _finished(record.metric(self._log(run_id), key, value, step, timestamp), synchronous)

    def log_series(  # noqa: PLR0917 - MLflow's order
        self,
        run_id: str,
        key: str,
        values: Iterable[values.Number],
        steps: Iterable[values.Whole] | None = None,
        timestamps: Iterable[values.Whole] | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs many values of one metric, as one operation; arrays are copied whole."""
        return _finished(record.series(self._log(run_id), key, values, steps, timestamps), synchronous)

    def log_param(
        self, run_id: str, key: str, value: object, synchronous: bool | None = None
    ) -> RunOperation:
        """Logs a param. The server refuses another value for a key that has one."""
        return _finished(record.param(self._log(run_id), key, value), synchronous)

    def set_tag(self, run_id: str, key: str, value: object, synchronous: bool | None = None) -> RunOperation:
        """Sets a tag, anew or over its old value."""
        return _finished(record.tag(self._log(run_id), key, value), synchronous)

    def delete_tag(self, run_id: str, key: str, synchronous: bool | None = None) -> RunOperation:
        """Deletes a tag; one that does not exist is no error."""
        return _finished(record.untag(self._log(run_id), key), synchronous)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs metrics, params and tags, in this order. All of it is checked before any of it is logged."""
        return _finished(record.batch(self._log(run_id), metrics, params, tags), synchronous)

    # Reading.

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """All points of a metric, in logged order; an empty list when the run has none."""
        return self._ask(calls.get_metric_history(run_id, key))

    def get_metric_columns(self, run_id: str, key: str) -> MetricColumns:
        """All points of a metric as arrays: less memory and time than a list of a million objects."""
        return self._ask(calls.get_metric_columns(run_id, key))

    def get_metric_chart(
        self,
        run_id: str,
        key: str,
        *,
        buckets: int = 1000,
        first_step: int | None = None,
        last_step: int | None = None,
    ) -> MetricChart:
        """A metric as a curve of at most so many buckets, however many points it has.

        Args:
            run_id: the run.
            key: the metric.
            buckets: at most so many, up to 10,000. With no more points than that, each has its own; a
                metric of more than a million points gets buckets of a thousand or more.
            first_step: of the window of steps; default: from the beginning.
            last_step: which belongs to the window; default: to the end.
        """
        return self._ask(calls.get_metric_chart(run_id, key, buckets, first_step, last_step))

    def get_metric_summaries(
        self, run_id: str, keys: Sequence[str] | None = None
    ) -> dict[str, MetricSummary]:
        """Last, first, min, max and count of each of these metrics (default: all), by key."""
        return self._ask(calls.get_metric_summaries(run_id, keys))

    def list_writers(self, run_id: str) -> list[RunWriter]:
        """Which processes wrote the points of a run, and how many each; looks at all of its points."""
        return self._ask(calls.list_writers(run_id))

    def list_rejects(self, run_id: str | None = None, *, max_results: int = 100) -> list[Reject]:
        """The newest operations that the server refused, of this run or of all."""
        return self._ask(calls.list_rejects(run_id, max_results))

    # Delivery.

    def flush(self, timeout: float | None = None) -> None:
        """Waits until everything that this process logged here is durable and visible.

        Args:
            timeout: seconds; default ``HEADRACE_EXIT_TIMEOUT`` (20).

        Raises:
            OperationTimeoutError: something is left; it stays in the journal, on its way.
        """
        if left := self._core.flush(self._core.settings.exit_timeout if timeout is None else timeout):
            raise OperationTimeoutError(str(left))

    def close(self) -> None:
        """Waits, bounded, until what was logged is durable, and warns if it isn't. The core lives on."""
        self._core.deliver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.tracking_uri}>"

    def _log(self, run_id: str) -> RunLog:
        return self._core.run_log(values.run_id(run_id), active.attempt_of(self._core, run_id))

    def _ask(self, call: calls.Call[calls.T]) -> calls.T:
        timeout = self._core.settings.read_timeout
        self._core.settle(timeout)
        return call.ask(self._core, timeout)


def _finished(operation: RunOperation, synchronous: bool | None) -> RunOperation:
    if synchronous:
        operation.wait()
    return operation
