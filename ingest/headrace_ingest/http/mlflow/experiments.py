"""Experiments: made, found, changed, deleted and restored."""

from typing import Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.names import checked_key
from headrace_ingest.http.mlflow.shapes import answer, experiment, given_only, our_uri
from headrace_ingest.tracking import MAX_RESULTS, TrackingService
from headrace_proto.v1 import tracking_pb2 as pb

VIEWS: Final = ("ACTIVE_ONLY", "DELETED_ONLY", "ALL")


class ExperimentRoutes:
    """``experiments/...``."""

    def __init__(self, tracking: TrackingService) -> None:
        self._tracking = tracking

    async def create(self, given: Given) -> Response:
        """A new experiment."""
        request = pb.CreateExperimentRequest(
            name=given.text("name", required=True),
            artifact_location=our_uri(given.text("artifact_location")),
            tags={
                checked_key(tag.text("key"), f"tags[{number}].key"): tag.text("value")
                for number, tag in enumerate(given.items("tags"))
            },
        )
        made = await self._tracking.create_experiment(request)
        return answer({"experiment_id": made.experiment_id})

    async def get(self, given: Given) -> Response:
        """An experiment by its id."""
        request = pb.GetExperimentRequest(experiment_id=given.experiment_id())
        return answer({"experiment": experiment(await self._tracking.get_experiment(request))})

    async def get_by_name(self, given: Given) -> Response:
        """An experiment by its name."""
        request = pb.GetExperimentRequest(name=given.text("experiment_name", required=True))
        return answer({"experiment": experiment(await self._tracking.get_experiment(request))})

    async def search(self, given: Given) -> Response:
        """A page of experiments."""
        request = pb.ListExperimentsRequest(
            max_results=given.page_size(None, MAX_RESULTS),
            page_token=given.text("page_token"),
            view_type=given.choice("view_type", VIEWS, "ACTIVE_ONLY"),
            filter=given.text("filter"),
            order_by=given.texts("order_by"),
        )
        found = await self._tracking.list_experiments(request)
        experiments = list(map(experiment, found.experiments))
        return answer(given_only(experiments=experiments, next_page_token=found.next_page_token))

    async def update(self, given: Given) -> Response:
        """Another name."""
        return await self._change(given, name=given.text("new_name", required=True))

    async def delete(self, given: Given) -> Response:
        """Hides it, with its runs."""
        return await self._change(given, lifecycle_stage="deleted")

    async def restore(self, given: Given) -> Response:
        """Shows it again."""
        return await self._change(given, lifecycle_stage="active")

    async def set_tag(self, given: Given) -> Response:
        """Writes a tag."""
        key = checked_key(given.text("key", required=True))
        tags = pb.ChangeExperimentRequest.Tags(tags={key: given.text("value")})
        return await self._change(given, set_tags=tags)

    async def delete_tag(self, given: Given) -> Response:
        """Takes a tag away."""
        return await self._change(given, delete_tag=given.text("key", required=True))

    async def _change(self, given: Given, **change: str | pb.ChangeExperimentRequest.Tags) -> Response:
        request = pb.ChangeExperimentRequest(experiment_id=given.experiment_id(), **change)  # type: ignore[arg-type]
        await self._tracking.change_experiment(request)
        return answer({})
