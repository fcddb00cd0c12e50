"""Questions about experiments."""

from collections.abc import Mapping, Sequence

from headrace import values
from headrace.calls.call import Call, Question, Steps, Talk
from headrace.calls.messages import experiment, page_size
from headrace.entities import Experiment, PagedList, ViewType
from headrace.errors import NotFoundError
from headrace_proto.v1 import tracking_pb2 as pb


def create_experiment(
    name: str, artifact_location: str | None = None, tags: Mapping[str, object] | None = None
) -> Question[str]:
    """Creates an experiment and returns its id.

    Args:
        name: 1 to 500 characters.
        artifact_location: where its runs keep their files; default: Headrace's own store.
        tags: set on the experiment; values become text.

    Raises:
        AlreadyExistsError: the name is taken, maybe by a deleted experiment.
    """
    return new_experiment(name, artifact_location, tags)


def new_experiment(
    name: str, artifact_location: str | None = None, tags: Mapping[str, object] | None = None
) -> Call[str]:
    """As :func:`create_experiment`."""
    request = pb.CreateExperimentRequest(
        name=values.name("name", name), artifact_location=artifact_location or "", tags=values.tags(tags)
    )
    return Call("CreateExperiment", request, lambda message: str(message.experiment_id))


def get_experiment(experiment_id: str) -> Question[Experiment]:
    """The experiment with this id, deleted or not. ``NotFoundError`` when there is none."""
    return experiment_with_id(experiment_id)


def experiment_with_id(experiment_id: str) -> Call[Experiment]:
    """As :func:`get_experiment`."""
    request = pb.GetExperimentRequest(experiment_id=values.experiment_id(experiment_id))
    return Call("GetExperiment", request, experiment)


def experiment_named(name: str) -> Call[Experiment]:
    """The experiment with a name. ``NotFoundError`` when there is none."""
    return Call("GetExperiment", pb.GetExperimentRequest(name=values.name("name", name)), experiment)


def get_experiment_by_name(name: str) -> Question[Experiment | None]:
    """The experiment with this name, deleted or not; ``None`` when there is none."""
    call = experiment_named(name)

    def steps() -> Steps[Experiment | None]:
        try:
            found: Experiment = yield call
        except NotFoundError:
            return None
        return found

    return Talk(steps)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = 1000,
    filter_string: str | None = None,
    order_by: Sequence[str] | None = None,
    page_token: str | None = None,
) -> Question[PagedList[Experiment]]:
    """A page of the experiments that match, in order.

    Args:
        view_type: active experiments, deleted ones, or all.
        max_results: the size of the page, up to 50,000.
        filter_string: as ``"name LIKE 'digits%' AND tags.team = 'vision'"``; default: all. Fields are
            ``name``, ``experiment_id``, ``creation_time``, ``last_update_time`` (ms since the epoch) and
            ``tags.KEY``; the language is that of :func:`search_runs`.
        order_by: as ``["name DESC"]``, of the same fields but tags; default: the newest first.
        page_token: the ``token`` of the page before, found with the same order.

    Raises:
        InvalidArgumentError: the filter or the order is wrong; it says at which character, and why.
    """
    texts = values.texts("filter_string", filter_string), values.texts("order_by", order_by)
    request = pb.ListExperimentsRequest(
        view_type=pb.ViewType.Name(values.view_type("view_type", view_type)),
        max_results=page_size(1000 if max_results is None else max_results),
        filter="".join(texts[0]),
        order_by=texts[1],
        page_token=values.said("page_token", page_token),
    )

    def read(response: pb.ListExperimentsResponse) -> PagedList[Experiment]:
        return PagedList(map(experiment, response.experiments), response.next_page_token or None)

    return Call("ListExperiments", request, read)


def rename_experiment(experiment_id: str, new_name: str) -> Question[None]:
    """Gives an active experiment another name. ``AlreadyExistsError`` when that is taken."""
    return _change(experiment_id, pb.ChangeExperimentRequest(name=values.name("new_name", new_name)))


def delete_experiment(experiment_id: str) -> Question[None]:
    """Deletes an experiment and its runs, until :func:`restore_experiment` or ``headrace gc``.

    Raises:
        NotFoundError: there is no active experiment with this id.
    """
    return _change(experiment_id, pb.ChangeExperimentRequest(lifecycle_stage="deleted"))


def restore_experiment(experiment_id: str) -> Question[None]:
    """Restores a deleted experiment, and the runs that were deleted with it.

    Raises:
        NotFoundError: there is no deleted experiment with this id.
    """
    return _change(experiment_id, pb.ChangeExperimentRequest(lifecycle_stage="active"))


def set_experiment_tag(experiment_id: str, key: str, value: object) -> Question[None]:
    """Sets a tag of an active experiment, anew or over its old value; the value becomes text."""
    return set_experiment_tags(experiment_id, {key: value})


def set_experiment_tags(experiment_id: str, tags: Mapping[str, object]) -> Question[None]:
    """Sets tags of an active experiment, at once."""
    given = pb.ChangeExperimentRequest.Tags(tags=values.tags(tags))
    return _change(experiment_id, pb.ChangeExperimentRequest(set_tags=given))


def delete_experiment_tag(experiment_id: str, key: str) -> Question[None]:
    """Deletes a tag of an active experiment. ``NotFoundError`` when it has none with this key."""
    return _change(experiment_id, pb.ChangeExperimentRequest(delete_tag=values.key(key)))


def _change(experiment_id: str, request: pb.ChangeExperimentRequest) -> Question[None]:
    request.experiment_id = values.experiment_id(experiment_id)
    return Call("ChangeExperiment", request, lambda _: None)
