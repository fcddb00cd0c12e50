"""Versions of registered models: made, found, changed and deleted."""

import json
from typing import Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.model_shapes import version
from headrace_ingest.http.mlflow.names import checked_source
from headrace_ingest.http.mlflow.shapes import answer, given_only, our_uri, their_uri
from headrace_ingest.models import MAX_RESULTS, ModelsService
from headrace_proto.v1 import models_pb2 as pb

_DEFAULT_RESULTS: Final = 200_000
"""Of a page: MLflow's number."""

_VERSIONS: Final = "mlflow.modelVersions"

_Request = pb.ChangeModelVersionRequest


class ModelVersionRoutes:
    """``model-versions/...``."""

    def __init__(self, models: ModelsService) -> None:
        self._models = models

    async def create(self, given: Given) -> Response:
        """The next version of a model."""
        request = pb.CreateModelVersionRequest(
            name=_name(given),
            source=checked_source(our_uri(given.text("source", required=True))),
            run_id=given.text("run_id"),
            run_link=given.text("run_link"),
            description=given.text("description"),
            model_id=given.text("model_id"),
            tags=given.pairs("tags"),
        )
        made = await self._models.create_model_version(request)
        if request.model_id:
            await self._note(made, request.model_id)
        return _told(made)

    async def get(self, given: Given) -> Response:
        """A version."""
        return _told(await self._get(given))

    async def get_download_uri(self, given: Given) -> Response:
        """Where its files are."""
        found = await self._get(given)
        return answer({"artifact_uri": their_uri(found.storage_location)})

    async def update(self, given: Given) -> Response:
        """Another description."""
        name, number = _key(given)
        described = _Request(name=name, version=number, description=given.text("description"))
        return _told(await self._models.change_model_version(described))

    async def delete(self, given: Given) -> Response:
        """Deletes it."""
        name, number = _key(given)
        await self._models.change_model_version(_Request(name=name, version=number, deleted=True))
        return answer({})

    async def transition_stage(self, given: Given) -> Response:
        """Puts it into a stage."""
        name, number = _key(given)
        stage = _Request.Stage(
            stage=given.text("stage", required=True),
            archive_existing_versions=given.flag("archive_existing_versions"),
        )
        changed = await self._models.change_model_version(_Request(name=name, version=number, stage=stage))
        return _told(changed)

    async def set_tag(self, given: Given) -> Response:
        """Writes a tag."""
        name, number = _key(given)
        tags = _Request.Texts(texts={given.text("key", required=True): given.text("value")})
        await self._models.change_model_version(_Request(name=name, version=number, set_tags=tags))
        return answer({})

    async def delete_tag(self, given: Given) -> Response:
        """Takes a tag away."""
        name, number = _key(given)
        key = given.text("key", required=True)
        await self._models.change_model_version(_Request(name=name, version=number, delete_tag=key))
        return answer({})

    async def search(self, given: Given) -> Response:
        """A page of versions."""
        request = pb.SearchRegistryRequest(
            filter=given.text("filter"),
            order_by=given.texts("order_by"),
            max_results=given.page_size(_DEFAULT_RESULTS, MAX_RESULTS),
            page_token=given.text("page_token"),
        )
        found = await self._models.search_model_versions(request)
        versions = list(map(version, found.versions))
        return answer(given_only(model_versions=versions, next_page_token=found.next_page_token))

    async def _note(self, made: pb.ModelVersion, model_id: str) -> None:
        """The logged model tells of which versions it is, as MLflow's pages show."""
        logged = await self._models.get_logged_model(pb.GetLoggedModelRequest(model_id=model_id))
        try:
            versions = json.loads(logged.tags.get(_VERSIONS, "[]"))
        except ValueError:
            versions = []  # somebody else's
        version = {"name": made.name, "version": made.version}
        versions = [*(versions if isinstance(versions, list) else []), version]
        texts = pb.ChangeLoggedModelRequest.Texts(texts={_VERSIONS: json.dumps(versions)})
        change = pb.ChangeLoggedModelRequest(model_id=model_id, set_tags=texts)
        await self._models.change_logged_model(change)

    async def _get(self, given: Given) -> pb.ModelVersion:
        name, number = _key(given)
        return await self._models.get_model_version(pb.GetModelVersionRequest(name=name, version=number))


def _name(given: Given) -> str:
    return given.text("name", required=True)


def _key(given: Given) -> tuple[str, int]:
    return _name(given), given.version()


def _told(found: pb.ModelVersion) -> Response:
    return answer({"model_version": version(found)})
