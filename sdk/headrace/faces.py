"""What both clients have in common: the logging calls, and how a question becomes a method.

The questions of ``calls`` are written once, with the signatures and docstrings of what they become:
:func:`blocking` methods of :class:`headrace.Client`, :func:`awaited` ones of :class:`headrace.AsyncClient`,
and functions of ``headrace`` that are :func:`asked` of the tracking URI that is set.
"""

import functools
import inspect
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, get_args
from uuid import uuid4

from headrace import active, record, run_tags, values, waiting
from headrace.calls import Pages, Question
from headrace.core import Core, core_for
from headrace.entities import (
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    RunStatus,
    RunTag,
)
from headrace.errors import InvalidArgumentError
from headrace.journal.run_log import RunLog
from headrace.links import link
from headrace.operation import RunOperation
from headrace.together import together
from headrace.tracking_uri import get_tracking_uri

P = ParamSpec("P")
T = TypeVar("T")

_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)


def ask(core: Core, question: Question[T]) -> T:
    """The answer, which knows of all that this process logged; bounded."""
    timeout = core.settings.read_timeout
    core.settle(timeout)
    return question.ask(core, timeout)


async def ask_async(core: Core, question: Question[T]) -> T:
    """As :func:`ask`, on the caller's loop."""
    timeout = core.settings.read_timeout
    await core.settle_async(timeout)
    return await question.ask_async(core, timeout)


def asked(make: Callable[P, Question[T]]) -> Callable[P, T]:
    """A function that asks the daemon of the tracking URI that is set."""

    @functools.wraps(make)
    def function(*args: P.args, **kwargs: P.kwargs) -> T:
        return ask(core_for(get_tracking_uri()), make(*args, **kwargs))

    _tell(function)
    return function


def blocking(make: Callable[P, Question[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method that returns the answer."""

    @functools.wraps(make)
    def method(self: "Face", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return ask(self._core, make(*args, **kwargs))

    _tell(method, _SELF)
    return method


def awaited(make: Callable[P, Question[T]]) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]:
    """A coroutine method that returns the answer."""

    @functools.wraps(make)
    async def method(self: "Face", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await ask_async(self._core, make(*args, **kwargs))

    _tell(method, _SELF)
    return method


def paged(make: Callable[P, Pages[T]]) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """A method that gives the answers page by page."""

    @functools.wraps(make)
    def method(self: "Face", /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        pages = make(*args, **kwargs)
        first = pages(None)  # now, so that bad arguments are told by the call itself

        def answers() -> Iterator[T]:
            question = first
            while True:
                page: Any = ask(self._core, question)
                yield page
                if not page.token:
                    return
                question = pages(page.token)

        return answers()

    _tell(method, _SELF, answer=lambda given: Iterator[_page(given)])  # type: ignore[misc]
    return method


def awaited_pages(make: Callable[P, Pages[T]]) -> Callable[Concatenate[Any, P], AsyncIterator[T]]:
    """As :func:`paged`, for ``async for``."""

    @functools.wraps(make)
    def method(self: "Face", /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        pages = make(*args, **kwargs)
        first = pages(None)

        async def answers() -> AsyncIterator[T]:
            question = first
            while True:
                page: Any = await ask_async(self._core, question)
                yield page
                if not page.token:
                    return
                question = pages(page.token)

        return answers()

    _tell(method, _SELF, answer=lambda given: AsyncIterator[_page(given)])  # type: ignore[misc]
    return method


def _answer(given: inspect.Signature) -> Any:
    [answer] = get_args(given.return_annotation)
    return answer


def _page(given: inspect.Signature) -> Any:
    _, question = get_args(given.return_annotation)
    [answer] = get_args(question)
    return answer


def _tell(
    function: Any, *first: inspect.Parameter, answer: Callable[[inspect.Signature], Any] = _answer
) -> None:
    """Has ``inspect.signature`` and ``help`` tell the whole signature."""
    given = inspect.signature(function.__wrapped__)
    parameters = [*first, *given.parameters.values()]
    function.__signature__ = given.replace(parameters=parameters, return_annotation=answer(given))


class Face:
    """The logging calls of both clients, by run id."""

    def __init__(
        self, tracking_uri: str | os.PathLike[str] | None = None, registry_uri: str | None = None
    ) -> None:
        """Cheap: all clients of a process share one core.

        Args:
            tracking_uri: as for :func:`headrace.set_tracking_uri`; default: the one that is set.
            registry_uri: MLflow's clients have it. Here models are where runs are tracked.
        """
        if registry_uri not in (None, tracking_uri):
            raise InvalidArgumentError("registry_uri", "is another than tracking_uri; leave it out")
        self._core = core_for(os.fspath(tracking_uri) if tracking_uri else get_tracking_uri())

    @property
    def tracking_uri(self) -> str:
        """Where this client logs to and reads from."""
        return self._core.uri

    def log_metric(  # noqa: PLR0917 - MLflow's order
        self,
        run_id: str,
        key: str,
        value: values.Number,
        timestamp: values.Whole | None = None,
        step: values.Whole | None = None,
        synchronous: bool | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        model_id: str | None = None,
    ) -> RunOperation:
        """Logs one value of a metric; ``timestamp`` comes before ``step``, as in MLflow's client.

        ``dataset_name``, ``dataset_digest`` and ``model_id`` link it, as in :func:`headrace.log_metric`.
        """
        if dataset_name or dataset_digest or model_id:
            to = link(model_id, dataset_name, dataset_digest)
            if to is not None:
                return self._do(synchronous, record.linked, run_id, to, {key: value}, step, timestamp)
        return self._do(synchronous, record.metric, run_id, key, value, step, timestamp)

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
        return self._do(synchronous, record.series, run_id, key, values, steps, timestamps)

    def log_param(
        self, run_id: str, key: str, value: object, synchronous: bool | None = None
    ) -> RunOperation:
        """Logs a param. The server refuses another value for a key that has one."""
        return self._do(synchronous, record.param, run_id, key, value)

    def set_tag(self, run_id: str, key: str, value: object, synchronous: bool | None = None) -> RunOperation:
        """Sets a tag, anew or over its old value. ``mlflow.runName`` renames the run."""
        return self._do(synchronous, record.tag, run_id, key, value)

    def delete_tag(self, run_id: str, key: str, synchronous: bool | None = None) -> RunOperation:
        """Deletes a tag; one that does not exist is no error."""
        return self._do(synchronous, record.untag, run_id, key)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs metrics, params and tags, in this order. All of it is checked before any of it is logged."""
        return self._do(synchronous, record.batch, run_id, metrics, params, tags)

    def log_inputs(
        self,
        run_id: str,
        datasets: Sequence[DatasetInput] | None = None,
        models: Sequence[LoggedModelInput] | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs which datasets and models a run uses.

        Args:
            run_id: the run.
            datasets: the datasets with their tags. The first of a name and digest counts.
            models: the models.
            synchronous: wait until it is durable and visible.
        """
        return self._do(
            synchronous, record.inputs, run_id, list(datasets or ()), [one.model_id for one in models or ()]
        )

    def log_outputs(
        self, run_id: str, models: Sequence[LoggedModelOutput], synchronous: bool | None = None
    ) -> RunOperation:
        """Logs which models a run made, each at a step."""
        return self._do(synchronous, record.outputs, run_id, models)

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
        waits = self._waits(synchronous)
        log = self._core.run_log(values.run_id(run_id), uuid4().hex)
        return _finished(record.termination(log, self._core.process_id, ended, end_time), waits)

    def update_run(
        self,
        run_id: str,
        status: str | None = None,
        name: str | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Changes a run's status, whichever process began it, its name, or both.

        Args:
            run_id: the run.
            status: one that ends it, or RUNNING.
            name: 1 to 500 characters.
            synchronous: wait until it is durable and visible.
        """
        named = {} if name is None else {run_tags.RUN_NAME: values.name("name", name)}
        if status is not None and status != RunStatus.RUNNING:
            status = values.end_status(status)
        waits = self._waits(synchronous)
        log = self._core.run_log(values.run_id(run_id), uuid4().hex)
        parts = [record.tags(log, named)]
        if status == RunStatus.RUNNING:
            parts.append(record.attempt(log, self._core.process_id))
        elif status is not None:
            parts.append(record.termination(log, self._core.process_id, RunStatus(status)))
        return _finished(together(parts), waits)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.tracking_uri}>"

    def _waits(self, synchronous: bool | None) -> bool:
        """Whether a logging call waits."""
        return waiting.wanted(synchronous)

    def _do(
        self,
        synchronous: bool | None,
        write: Callable[Concatenate[RunLog, P], RunOperation],
        run_id: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> RunOperation:
        waits = self._waits(synchronous)
        log = self._core.run_log(values.run_id(run_id), active.attempt_of(self._core, run_id))
        return _finished(write(log, *args, **kwargs), waits)


def _finished(operation: RunOperation, waits: bool) -> RunOperation:
    if waits:
        operation.wait()
    return operation
