"""Questions about logged models."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from headrace import values
from headrace.calls import model_messages as messages
from headrace.calls.call import Call, Question, Steps, Talk
from headrace.calls.messages import page_size
from headrace.calls.runs import Experiments
from headrace.entities import PagedList
from headrace.errors import InvalidArgumentError
from headrace.model_entities import LoggedModel, LoggedModelStatus
from headrace_proto import limits
from headrace_proto.names import default_run_name
from headrace_proto.v1 import models_pb2 as pb

_FINAL = {"READY": pb.LOGGED_MODEL_READY, "FAILED": pb.LOGGED_MODEL_FAILED}


def create_logged_model(  # noqa: PLR0917 - MLflow's order
    experiment_id: str,
    name: str | None = None,
    source_run_id: str | None = None,
    tags: Mapping[str, object] | None = None,
    params: Mapping[str, object] | None = None,
    model_type: str | None = None,
) -> Question[LoggedModel]:
    """Makes a model, whose files are to come: it is PENDING until :meth:`Client.finalize_logged_model`.

    Args:
        experiment_id: of an experiment that exists.
        name: without any of ``/ : . % " '``; default: a random one.
        source_run_id: the run that makes it.
        tags: values become text of at most 8000 characters.
        params: values become text of at most 6000 characters.
        model_type: anything that tells models of one kind from others.

    Raises:
        NotFoundError: there is no such experiment, or run.
    """
    request = pb.CreateLoggedModelRequest(
        model_id=f"m-{uuid4().hex}",  # the same request, sent twice, makes one model
        experiment_id=values.experiment_id(experiment_id),
        name=default_run_name() if name is None else values.name("name", name),
        source_run_id=values.run_id(source_run_id, "source_run_id") if source_run_id else "",
        model_type=values.said("model_type", model_type),
        params=_params(params),
        tags=values.tags(tags),
    )
    return Call("CreateLoggedModel", request, messages.logged_model)


def get_logged_model(model_id: str) -> Question[LoggedModel]:
    """The model with all of its metrics. ``NotFoundError`` when there is none, or it was deleted."""
    return model_with_id(model_id)


def model_with_id(model_id: str) -> Call[LoggedModel]:
    """As :func:`get_logged_model`."""
    request = pb.GetLoggedModelRequest(model_id=values.key(model_id, "model_id"))
    return Call("GetLoggedModel", request, messages.logged_model)


def finalize_logged_model(model_id: str, status: str) -> Question[LoggedModel]:
    """Says that a model's files are there ("READY"), or will not come ("FAILED")."""
    if status not in _FINAL:
        raise InvalidArgumentError("status", f"is {status!r}; expected READY or FAILED")
    request = pb.ChangeLoggedModelRequest(status=_FINAL[LoggedModelStatus(status)])
    return _change(model_id, request)


def log_model_params(model_id: str, params: Mapping[str, object]) -> Question[None]:
    """Logs params of a model; values become text. A param that has another value already is an error."""
    given = pb.ChangeLoggedModelRequest.Texts(texts=_params(params))
    return _done(_change(model_id, pb.ChangeLoggedModelRequest(params=given)))


def set_logged_model_tags(model_id: str, tags: Mapping[str, object]) -> Question[None]:
    """Sets tags of a model, anew or over their old values; values become text."""
    given = pb.ChangeLoggedModelRequest.Texts(texts=values.tags(tags))
    return _done(_change(model_id, pb.ChangeLoggedModelRequest(set_tags=given)))


def delete_logged_model_tag(model_id: str, key: str) -> Question[None]:
    """Deletes a tag of a model. ``NotFoundError`` when it has none with this key."""
    return _done(_change(model_id, pb.ChangeLoggedModelRequest(delete_tag=values.key(key))))


def delete_logged_model(model_id: str) -> Question[None]:
    """Hides a model, from searches too."""
    return _done(_change(model_id, pb.ChangeLoggedModelRequest(deleted=True)))


def search_logged_models(  # noqa: PLR0917 - MLflow's order
    experiment_ids: Experiments = None,
    filter_string: str | None = None,
    datasets: Sequence[Mapping[str, str]] | None = None,
    max_results: int | None = None,
    order_by: Sequence[Mapping[str, Any]] | None = None,
    page_token: str | None = None,
) -> Question[PagedList[LoggedModel]]:
    """A page of the models that match, in order.

    Args:
        experiment_ids: ids, or one; default: all experiments. An empty list: no experiment, no models.
        filter_string: as ``"metrics.accuracy > 0.9 AND params.kind = 'forest'"``; default: all. Fields are
            ``name``, ``model_id``, ``model_type``, ``status``, ``source_run_id``, ``creation_timestamp``,
            ``last_updated_timestamp``, ``metrics.KEY`` (any of its points), ``params.KEY``, ``tags.KEY``; the
            language is that of :meth:`Client.search_runs`.
        datasets: as ``[{"dataset_name": "test", "dataset_digest": "abc"}]``, digests optional: only metrics
            on one of these count, and a model must have one.
        max_results: the size of the page, default 100; one of models with very many points is shorter.
        order_by: as ``[{"field_name": "metrics.accuracy", "ascending": False}]``, maybe with ``dataset_name``
            and ``dataset_digest``. A metric's latest point counts. Then the newest model comes first.
        page_token: the ``token`` of the page before, found with the same order.

    Raises:
        InvalidArgumentError: the filter or the order is wrong; it says at which character, and why.
    """
    if isinstance(experiment_ids, str | int):
        experiment_ids = [experiment_ids]
    request = pb.SearchLoggedModelsRequest(
        experiment_ids=[values.experiment_id(one, "experiment_ids") for one in experiment_ids or ()],
        filter="".join(values.texts("filter_string", filter_string)),
        datasets=[
            pb.SearchLoggedModelsRequest.Dataset(
                name=_item("datasets", one, "dataset_name"),
                digest=values.said("dataset_digest", one.get("dataset_digest")),
            )
            for one in datasets or ()
        ],
        order_by=[
            pb.SearchLoggedModelsRequest.OrderBy(
                field_name=_item("order_by", one, "field_name"),
                descending=not one.get("ascending", True),
                dataset_name=one.get("dataset_name") or "",
                dataset_digest=values.said("dataset_digest", one.get("dataset_digest")),
            )
            for one in order_by or ()
        ],
        max_results=page_size(100 if max_results is None else max_results),
        page_token=values.said("page_token", page_token),
    )

    def read(response: pb.SearchLoggedModelsResponse) -> PagedList[LoggedModel]:
        return PagedList(map(messages.logged_model, response.models), response.next_page_token or None)

    def steps() -> Steps[PagedList[LoggedModel]]:
        if experiment_ids is not None and not experiment_ids:
            return PagedList([], None)
        found: PagedList[LoggedModel] = yield Call("SearchLoggedModels", request, read)
        return found

    return Talk(steps)


def _change(model_id: str, request: pb.ChangeLoggedModelRequest) -> Call[LoggedModel]:
    request.model_id = values.key(model_id, "model_id")
    return Call("ChangeLoggedModel", request, messages.logged_model)


def _done(call: Call[LoggedModel]) -> Call[None]:
    return Call(call.method, call.request, lambda _: None)


def _params(given: Mapping[str, object] | None) -> dict[str, str]:
    return {
        values.key(key): values.text(f"param {key!r}", value, limits.MAX_PARAM_LENGTH)
        for key, value in values.by_name("params", given).items()
    }


def _item(argument: str, given: Mapping[str, Any], name: str) -> str:
    if not isinstance(given, Mapping) or not isinstance(given.get(name), str) or not given[name]:
        raise InvalidArgumentError(argument, f"holds {given!r}, which has no {name}")
    return str(given[name])
