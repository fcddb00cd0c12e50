"""Runs: made, found, changed, deleted and restored."""

import asyncio
from typing import Final

from starlette.responses import Response

from headrace_ingest import messages
from headrace_ingest.http.mlflow.experiments import VIEWS
from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.names import checked_key
from headrace_ingest.http.mlflow.shapes import answer, found_runs, run, run_info
from headrace_ingest.http.mlflow.stages import Stages
from headrace_ingest.tracking import DEFAULT_RESULTS, MAX_RESULTS, TrackingService
from headrace_proto.limits import MAX_NAME_LENGTH, MAX_TAG_LENGTH, MAX_TIMESTAMP, text_problem
from headrace_proto.names import default_run_name
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.catalog.changes import RUN_NAME_TAG
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.model import RunStatus

_STATUSES: Final = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")

_MANY_RUNS: Final = 50
"""So many are written in a thread, which leaves the loop to others."""


class RunRoutes:
    """``runs/...``, but for what is logged (``logging.py``)."""

    def __init__(self, tracking: TrackingService, runs: Runs, stages: Stages) -> None:
        self._tracking = tracking
        self._runs = runs
        self._stages = stages

    async def create(self, given: Given) -> Response:
        """A new run."""
        tags = {
            checked_key(tag.text("key"), f"tags[{number}].key"): tag.text("value")[:MAX_TAG_LENGTH]
            for number, tag in enumerate(given.items("tags"))
        }
        name, tagged = given.text("run_name"), tags.get(RUN_NAME_TAG, "")
        if name and tagged and name != tagged:
            raise InvalidArgumentError("run_name", f"is {name!r}, but the tag {RUN_NAME_TAG} is {tagged!r}")
        name = name or tagged or default_run_name()
        create = pb.CreateRun(
            experiment_id=given.experiment_id() if given.text("experiment_id") else "0",
            run_name=name,
            user_id=given.text("user_id"),
            start_time=_time(given, "start_time") or 0,
            tags={**tags, RUN_NAME_TAG: name},
        )
        made = run(await self._tracking.create_run(pb.CreateRunRequest(run=create)))
        del made["outputs"]
        return answer({"run": made})

    async def get(self, given: Given) -> Response:
        """A run, with the latest point of each metric."""
        return answer({"run": run(await self._tracking.get_run(pb.GetRunRequest(run_id=given.run_id())))})

    async def update(self, given: Given) -> Response:
        """Another status, end or name."""
        status, end_time = given.choice("status", _STATUSES), _time(given, "end_time")
        name = given.text("run_name") or None
        if problem := text_problem(name or "", MAX_NAME_LENGTH):
            raise InvalidArgumentError("run_name", problem)
        changed = await self._runs.update(
            given.run_id(), RunStatus(status) if status else None, end_time, name
        )
        return answer({"run_info": run_info(messages.run(changed, ()).info)})

    async def search(self, given: Given) -> Response:
        """A page of runs."""
        request = pb.SearchRunsRequest(
            experiment_ids=given.experiment_ids(),
            filter=given.text("filter"),
            order_by=given.texts("order_by"),
            view_type=given.choice("run_view_type", VIEWS, "ACTIVE_ONLY"),
            max_results=given.page_size(DEFAULT_RESULTS, MAX_RESULTS),
            page_token=given.text("page_token"),
        )
        if not request.experiment_ids:  # of none, not of all
            return answer({})
        found = await self._tracking.search_runs(request)
        if len(found.runs) < _MANY_RUNS:
            return answer(found_runs(found))
        return await asyncio.to_thread(lambda: answer(found_runs(found)))

    async def delete(self, given: Given) -> Response:
        """Hides it."""
        return await self._mark(given, "deleted")

    async def restore(self, given: Given) -> Response:
        """Shows it again."""
        return await self._mark(given, "active")

    async def _mark(self, given: Given, stage: str) -> Response:
        run_id = given.run_id()
        await self._tracking.change_run(pb.ChangeRunRequest(run_id=run_id, lifecycle_stage=stage))
        self._stages.forget()
        return answer({})


def _time(given: Given, name: str) -> int | None:
    time = given.integer(name)
    if time is not None and not 0 <= time <= MAX_TIMESTAMP:
        raise InvalidArgumentError(name, f"is {time} ms, the bounds are 0 and {MAX_TIMESTAMP}")
    return time
