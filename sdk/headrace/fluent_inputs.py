"""What the active run uses and makes: datasets and models, as MLflow's functions have it."""

from collections.abc import Mapping, Sequence
from typing import Any

from headrace import lineage, record
from headrace.entities import LoggedModelInput, LoggedModelOutput
from headrace.errors import InvalidArgumentError
from headrace.fluent import _finished, _log
from headrace.operation import RunOperation


def log_input(
    dataset: Any = None,
    context: str | None = None,
    tags: Mapping[str, object] | None = None,
    model: LoggedModelInput | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs a dataset, or a model, that the active run uses; never the data itself.

    Args:
        dataset: what a function of :mod:`headrace.data` made (or of ``mlflow.data``).
        context: what it is for, as "training" or "testing".
        tags: of the dataset in this run; values become text of at most 500 characters.
        model: a model that the run uses.
        synchronous: wait until it is durable and visible.
    """
    used = [] if dataset is None else [lineage.dataset_input(dataset, context, tags)]
    model_ids = [] if model is None else [model.model_id]
    return _finished(record.inputs(_log(None), used, model_ids), synchronous)


def log_inputs(
    datasets: Sequence[Any] | None = None,
    contexts: Sequence[str | None] | None = None,
    tags_list: Sequence[Mapping[str, object] | None] | None = None,
    models: Sequence[LoggedModelInput | None] | None = None,
    synchronous: bool | None = None,
) -> RunOperation:
    """Logs several datasets, each with its context and tags, and models. See :func:`log_input`.

    Raises:
        InvalidArgumentError: ``datasets``, ``contexts`` and ``tags_list`` are not of one length.
    """
    lists = [list(each or ()) for each in (datasets, contexts, tags_list)]
    if len({len(each) for each in lists}) > 1:
        raise InvalidArgumentError("datasets, contexts and tags_list", "have different lengths")
    used = [lineage.dataset_input(*each) for each in zip(*lists, strict=True) if each[0] is not None]
    model_ids = [model.model_id for model in models or () if model is not None]
    return _finished(record.inputs(_log(None), used, model_ids), synchronous)


def log_outputs(
    models: Sequence[LoggedModelOutput] | None = None, synchronous: bool | None = None
) -> RunOperation:
    """Logs models that the active run made, each at a step."""
    return _finished(record.outputs(_log(None), list(models or ())), synchronous)
