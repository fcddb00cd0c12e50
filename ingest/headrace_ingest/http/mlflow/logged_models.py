"""Logged models: made, finalized, found, tagged and deleted; the list of their files."""

from typing import Final

from starlette.responses import Response

from headrace_ingest.artifacts import Artifacts
from headrace_ingest.http.mlflow.artifacts import listed
from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.model_shapes import STATUSES, logged_model
from headrace_ingest.http.mlflow.shapes import answer, given_only
from headrace_ingest.models import DEFAULT_RESULTS, ModelsService
from headrace_proto.v1 import models_pb2 as pb

_MAX_RESULTS: Final = 1000
"""Of a page; MLflow's server has no bound."""


class LoggedModelRoutes:
    """``logged-models...``."""

    def __init__(self, models: ModelsService, artifacts: Artifacts) -> None:
        self._models = models
        self._artifacts = artifacts

    async def create(self, given: Given) -> Response:
        """A new model, PENDING."""
        request = pb.CreateLoggedModelRequest(
            experiment_id=given.experiment_id(),
            name=given.text("name"),
            model_type=given.text("model_type"),
            source_run_id=given.text("source_run_id"),
            params=given.pairs("params"),
            tags=given.pairs("tags"),
        )
        return _told(await self._models.create_logged_model(request))

    async def get(self, given: Given) -> Response:
        """A model with its points."""
        request = pb.GetLoggedModelRequest(
            model_id=given.text("model_id"), allow_deleted=given.flag("allow_deleted")
        )
        return _told(await self._models.get_logged_model(request))

    async def finalize(self, given: Given) -> Response:
        """The model has another status."""
        status = given.required("status", given.choice("status", STATUSES))
        request = pb.ChangeLoggedModelRequest(
            model_id=given.text("model_id"),
            status=STATUSES.index(status) + 1,  # type: ignore[arg-type]
        )
        return _told(await self._models.change_logged_model(request))

    async def delete(self, given: Given) -> Response:
        """Hides it."""
        request = pb.ChangeLoggedModelRequest(model_id=given.text("model_id"), deleted=True)
        return await self._change(request)

    async def set_tags(self, given: Given) -> Response:
        """Writes tags."""
        tags = pb.ChangeLoggedModelRequest.Texts(texts=given.pairs("tags"))
        return await self._change(pb.ChangeLoggedModelRequest(model_id=given.text("model_id"), set_tags=tags))

    async def delete_tag(self, given: Given) -> Response:
        """Takes a tag away."""
        key = given.text("tag_key", required=True)
        return await self._change(
            pb.ChangeLoggedModelRequest(model_id=given.text("model_id"), delete_tag=key)
        )

    async def log_params(self, given: Given) -> Response:
        """Params, which are written once."""
        params = pb.ChangeLoggedModelRequest.Texts(texts=given.pairs("params"))
        return await self._change(pb.ChangeLoggedModelRequest(model_id=given.text("model_id"), params=params))

    async def search(self, given: Given) -> Response:
        """A page of models."""
        request = pb.SearchLoggedModelsRequest(
            experiment_ids=given.texts("experiment_ids"),
            filter=given.text("filter"),
            datasets=[
                pb.SearchLoggedModelsRequest.Dataset(
                    name=each.text("dataset_name", required=True), digest=each.text("dataset_digest")
                )
                for each in given.items("datasets")
            ],
            order_by=[
                pb.SearchLoggedModelsRequest.OrderBy(
                    field_name=each.text("field_name", required=True),
                    descending=not each.flag("ascending", default=True),
                    dataset_name=each.text("dataset_name"),
                    dataset_digest=each.text("dataset_digest"),
                )
                for each in given.items("order_by")
            ],
            max_results=given.page_size(DEFAULT_RESULTS, _MAX_RESULTS),
            page_token=given.text("page_token"),
        )
        if not request.experiment_ids:  # of none, not of all
            return answer({})
        found = await self._models.search_logged_models(request)
        models = list(map(logged_model, found.models))
        return answer(given_only(models=models, next_page_token=found.next_page_token))

    async def list_files(self, given: Given) -> Response:
        """What is in a folder of a model."""
        model_id, path = given.text("model_id"), given.text("artifact_directory_path")
        found = await self._models.get_logged_model(pb.GetLoggedModelRequest(model_id=model_id))
        place = await self._artifacts.place("models", model_id)
        return await listed(place, path, found.artifact_uri)

    async def _change(self, request: pb.ChangeLoggedModelRequest) -> Response:
        await self._models.change_logged_model(request)
        return answer({})


def _told(found: pb.LoggedModel) -> Response:
    return answer({"model": logged_model(found)})
