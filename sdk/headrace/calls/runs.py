"""Questions about runs."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from headrace import record, run_tags, values
from headrace.calls import messages
from headrace.calls.call import Call, Question, Steps, Talk
from headrace.calls.messages import page_size
from headrace.entities import Erased, PagedList, Run, ViewType
from headrace_proto.v1 import tracking_pb2 as pb

Experiments = Sequence[str | int] | str | int | None
"""Ids of experiments, or one; ``None``: all."""


def create_run(
    experiment_id: str,
    start_time: int | None = None,
    tags: Mapping[str, object] | None = None,
    run_name: str | None = None,
) -> Question[Run]:
    """Creates a run at the daemon, at once. :func:`headrace.start_run` also works without a daemon.

    Args:
        experiment_id: of an experiment that exists.
        start_time: milliseconds since the Unix epoch; default: now.
        tags: values become text.
        run_name: default: a random one.

    Raises:
        NotFoundError: there is no such experiment.
        InvalidArgumentError: the experiment is deleted, or an argument breaks a rule.
    """
    complete = run_tags.complete(values.tags(tags), run_name)
    create = pb.CreateRun(
        experiment_id=values.experiment_id(experiment_id),
        run_name=complete[run_tags.RUN_NAME],
        user_id=complete[run_tags.USER],
        start_time=record.now() if start_time is None else values.milliseconds("start_time", start_time),
        tags=complete,
    )
    # With an id, so that the same request, sent twice, makes one run.
    return Call("CreateRun", pb.CreateRunRequest(run_id=uuid4().hex, run=create), messages.run)


def get_run(run_id: str) -> Question[Run]:
    """The run with this id: info, latest metrics, params, tags. ``NotFoundError`` when there is none."""
    return run_with_id(run_id)


def run_with_id(run_id: str) -> Call[Run]:
    """As :func:`get_run`."""
    return Call("GetRun", pb.GetRunRequest(run_id=values.run_to_ask(run_id)), messages.run)


def get_parent_run(run_id: str) -> Question[Run | None]:
    """The run that this one is nested in, ``None`` when it is in none. ``NotFoundError``: there is no run."""
    call = run_with_id(run_id)

    def steps() -> Steps[Run | None]:
        child: Run = yield call
        parent_id = child.data.tags.get(run_tags.PARENT_RUN_ID)
        if parent_id is None:
            return None
        parent: Run = yield run_with_id(parent_id)
        return parent

    return Talk(steps)


def delete_run(run_id: str) -> Question[None]:
    """Hides a run, until :func:`restore_run` or ``headrace gc``. What is still logged to it is kept."""
    return _change(run_id, "deleted")


def restore_run(run_id: str) -> Question[None]:
    """Shows a deleted run again."""
    return _change(run_id, "active")


def _change(run_id: str, lifecycle_stage: str) -> Question[None]:
    request = pb.ChangeRunRequest(run_id=values.run_to_ask(run_id), lifecycle_stage=lifecycle_stage)
    return Call("ChangeRun", request, lambda _: None)


def erase_deleted(
    run_ids: Sequence[str] | None = None,
    experiment_ids: Sequence[str] | None = None,
    *,
    older_than: float = 0.0,
    dry_run: bool = False,
) -> Question[Erased]:
    """Erases deleted runs, and deleted experiments that have no others, for good: what ``headrace gc`` does.

    What is not deleted stays, whatever is named. Nothing brings an erased run back; what journals still
    deliver of it is refused.

    Args:
        run_ids: only these runs; default: all that are deleted.
        experiment_ids: only these experiments and the runs in them.
        older_than: only what was deleted at least so many seconds ago.
        dry_run: only say what it would be.
    """
    request = pb.EraseDeletedRequest(
        run_ids=[values.run_id(each, "run_ids") for each in run_ids or ()],
        experiment_ids=[values.experiment_id(each, "experiment_ids") for each in experiment_ids or ()],
        deleted_before=record.now() - round(older_than * 1000) if older_than else 0,
        dry_run=dry_run,
        max_runs=messages.MAX_RESULTS if dry_run else 0,
    )

    def steps() -> Steps[Erased]:
        erased = Erased([], [])
        # Naming none is naming all.
        if (run_ids is not None or experiment_ids is not None) and not run_ids and not experiment_ids:
            return erased
        while True:
            response: pb.EraseDeletedResponse = yield Call("EraseDeleted", request, lambda message: message)
            erased.run_ids.extend(response.run_ids)
            erased.experiment_ids.extend(response.experiment_ids)
            if dry_run or not response.more:
                return erased

    return Talk(steps)


def search_runs(  # noqa: PLR0917 - MLflow's order
    experiment_ids: Experiments = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 1000,
    order_by: Sequence[str] | None = None,
    page_token: str | None = None,
) -> Question[PagedList[Run]]:
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
    if isinstance(experiment_ids, str | int):
        experiment_ids = [experiment_ids]
    request = pb.SearchRunsRequest(
        experiment_ids=[values.experiment_id(one, "experiment_ids") for one in experiment_ids or ()],
        filter="".join(values.texts("filter_string", filter_string)),
        order_by=values.texts("order_by", order_by),
        view_type=pb.ViewType.Name(values.view_type("run_view_type", run_view_type)),
        max_results=page_size(max_results),
        page_token=values.said("page_token", page_token),
    )
    nowhere = experiment_ids is not None and not experiment_ids

    def steps() -> Steps[PagedList[Run]]:
        """A daemon's page may be shorter than was asked for."""
        found: list[Run] = []
        token = request.page_token
        while not nowhere:
            asked = pb.SearchRunsRequest()
            asked.CopyFrom(request)
            asked.page_token, asked.max_results = token, max_results - len(found)
            runs, token = yield Call("SearchRuns", asked, _found)
            found += runs
            if not token or len(found) >= max_results:
                break
        return PagedList(found, token or None)

    return Talk(steps)


def _found(response: pb.SearchRunsResponse) -> tuple[list[Run], str]:
    keys = list(response.metric_keys)
    runs = []
    for message, latest in zip(response.runs, response.latest, strict=True):
        metrics = dict(zip([keys[place] for place in latest.keys], latest.values, strict=True))
        runs.append(messages.run(message, metrics))
    return runs, response.next_page_token
