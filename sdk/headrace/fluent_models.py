"""Logged models and the registry, as MLflow's functions have them."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from headrace import active, active_model, experiment, frames, run_tags, values
from headrace.calls import models, registry
from headrace.calls.call import Question
from headrace.calls.models import model_with_id
from headrace.calls.runs import run_with_id
from headrace.core import Core, core_for
from headrace.entities import PagedList
from headrace.errors import AlreadyExistsError, InvalidArgumentError
from headrace.faces import ask, asked
from headrace.model_entities import LoggedModel, LoggedModelStatus, ModelVersion, RegisteredModel
from headrace.tracking_uri import get_tracking_uri
from headrace.utils.mlflow_tags import MLFLOW_MODEL_IS_EXTERNAL

T = TypeVar("T")

_PAGE = 1000

_last: ContextVar[str | None] = ContextVar("headrace_last_model", default=None)

finalize_logged_model = asked(models.finalize_logged_model)
get_logged_model = asked(models.get_logged_model)
delete_logged_model = asked(models.delete_logged_model)
set_logged_model_tags = asked(models.set_logged_model_tags)
delete_logged_model_tag = asked(models.delete_logged_model_tag)


class ActiveModel:
    """The model that was made the active one. As a context manager: until the end of the block."""

    def __init__(self, model: LoggedModel, before: str | None) -> None:
        self._model = model
        self._before = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _activate(self._before)


def initialize_logged_model(  # noqa: PLR0917 - MLflow's order
    name: str | None = None,
    source_run_id: str | None = None,
    tags: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Makes a model whose files are to come: PENDING until :func:`finalize_logged_model`.

    Args:
        name: default: a random one.
        source_run_id: the run that makes it; default: the active one.
        tags: values become text. The model also has the automatic tags of a run.
        params: values become text.
        model_type: anything that tells models of one kind from others.
        experiment_id: default: that of the active run, else the one that new runs go to.
    """
    core = core_for(get_tracking_uri())
    session = active.find()
    if source_run_id is None and session is not None:
        source_run_id = session.run.info.run_id
    if experiment_id is None and session is not None:
        experiment_id = session.run.info.experiment_id
    if not experiment_id and source_run_id is not None:
        experiment_id = ask(core, run_with_id(source_run_id)).info.experiment_id
    own = {key: value for key, value in run_tags.automatic().items() if key.startswith("mlflow.")}
    model = ask(
        core,
        models.create_logged_model(
            experiment_id or experiment.chosen_id(core),
            name,
            source_run_id,
            {**own, **values.tags(tags)},
            params,
            model_type,
        ),
    )
    _last.set(model.model_id)
    return model


def create_external_model(  # noqa: PLR0917 - MLflow's order
    name: str | None = None,
    source_run_id: str | None = None,
    tags: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Makes a model whose files are elsewhere: READY at once. See :func:`initialize_logged_model`."""
    tags = {**(tags or {}), MLFLOW_MODEL_IS_EXTERNAL: "true"}
    model = initialize_logged_model(name, source_run_id, tags, params, model_type, experiment_id)
    return finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def last_logged_model() -> LoggedModel | None:
    """The model that was made last in this context (thread or task), as it is now."""
    model_id = _last.get()
    return None if model_id is None else get_logged_model(model_id)


def log_model_params(params: Mapping[str, object], model_id: str | None = None) -> None:
    """Logs params of a model, by default the active one; values become text."""
    chosen = model_id or active_model.chosen()
    if chosen is None:
        raise InvalidArgumentError("model_id", "is missing, and there is no active model")
    ask(core_for(get_tracking_uri()), models.log_model_params(chosen, params))


def search_logged_models(  # noqa: PLR0917 - MLflow's order
    experiment_ids: Sequence[str] | None = None,
    filter_string: str | None = None,
    datasets: Sequence[Mapping[str, str]] | None = None,
    max_results: int | None = None,
    order_by: Sequence[Mapping[str, Any]] | None = None,
    output_format: Literal["pandas", "list"] = "pandas",
) -> Any:
    """The models that match, in order, as a pandas data frame or a list of :class:`LoggedModel`.

    Arguments as of :meth:`Client.search_logged_models`; ``experiment_ids``: default the one that
    :func:`start_run` would put a run into; ``max_results``: default all. ``output_format``: "pandas" (needs
    pandas) has a row for each model, "list" the models.
    """
    if output_format not in {"pandas", "list"}:
        raise InvalidArgumentError("output_format", f"is {output_format!r}; expected 'pandas' or 'list'")
    if output_format == "pandas":
        frames.need_pandas()
    core = core_for(get_tracking_uri())
    where = experiment_ids or [experiment.chosen_id(core)]
    found = _all(
        core,
        max_results,
        lambda size, token: models.search_logged_models(
            where, filter_string, datasets, size, order_by, token
        ),
    )
    return found if output_format == "list" else frames.model_frame(found)


def set_active_model(*, name: str | None = None, model_id: str | None = None) -> ActiveModel:
    """Has metrics of this process belong to a model, unless a call says another.

    Args:
        name: of the model: the newest of the current experiment, made (external) if there is none.
        model_id: of the model.
    """
    core = core_for(get_tracking_uri())
    if model_id is not None:
        model = ask(core, model_with_id(model_id))
        if name not in (None, model.name):
            raise InvalidArgumentError("name", f"is {name!r}, but {model_id} is {model.name!r}")
    elif name is not None:
        quoted = name.replace("'", "''")
        found = search_logged_models(filter_string=f"name = '{quoted}'", max_results=1, output_format="list")
        model = found[0] if found else create_external_model(name)
    else:
        raise InvalidArgumentError("name or model_id", "must be given")
    before = active_model.chosen()
    _activate(model.model_id)
    return ActiveModel(model, before)


def get_active_model_id() -> str | None:
    """The id of the model that :func:`set_active_model` set, or ``HEADRACE_ACTIVE_MODEL_ID``."""
    return active_model.chosen()


def clear_active_model() -> None:
    """Has metrics belong to no model again."""
    _activate(None)


def register_model(
    model_uri: str,
    name: str,
    await_registration_for: int | None = None,
    *,
    tags: Mapping[str, object] | None = None,
) -> ModelVersion:
    """Makes a version of a registered model, which is made if there is none.

    Args:
        model_uri: ``models:/<model_id>``, ``models:/NAME/VERSION``, ``runs:/RUN_ID/PATH`` or any other URI.
        name: of the registered model.
        await_registration_for: of MLflow; there is nothing to wait for.
        tags: of the version; values become text.
    """
    del await_registration_for
    core = core_for(get_tracking_uri())
    with contextlib.suppress(AlreadyExistsError):
        ask(core, registry.create_registered_model(name))
    kind, _, rest = model_uri.partition(":")
    parts = rest.strip("/").split("/")
    run_id = parts[0] if kind == "runs" else None
    model_id = parts[0] if kind == "models" and len(parts) == 1 and "@" not in parts[0] else None
    source = model_uri
    if kind == "runs":
        source = "/".join([ask(core, run_with_id(parts[0])).info.artifact_uri, *parts[1:]])
    elif kind == "models" and "@" in parts[-1]:
        version = ask(core, registry.version_of_uri(model_uri))
        source, model_id = f"models:/{version.name}/{version.version}", version.model_id
    return ask(core, registry.create_model_version(name, source, run_id, tags, None, None, model_id=model_id))


def search_registered_models(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[RegisteredModel]:
    """The registered models that match, in order; arguments as of :meth:`Client.search_registered_models`."""
    return _all(
        core_for(get_tracking_uri()),
        max_results,
        lambda size, token: registry.search_registered_models(filter_string, size, order_by, token),
    )


def search_model_versions(
    max_results: int | None = None, filter_string: str | None = None, order_by: Sequence[str] | None = None
) -> list[ModelVersion]:
    """The model versions that match, in order; arguments as of :meth:`Client.search_model_versions`."""
    return _all(
        core_for(get_tracking_uri()),
        max_results,
        lambda size, token: registry.search_model_versions(filter_string, size, order_by, token),
    )


def _all(
    core: Core, max_results: int | None, make: Callable[[int, str | None], Question[PagedList[T]]]
) -> list[T]:
    found: list[T] = []
    token: str | None = None
    while True:
        size = _PAGE if max_results is None else min(max_results - len(found), _PAGE)
        page = ask(core, make(size, token))
        found += page
        token = page.token
        if not token or len(found) == max_results:
            return found


def _activate(model_id: str | None) -> None:
    active_model.choose(model_id)
    for session in active.open_sessions():
        session.log = active_model.linked(session.log)
