"""Registered models: made, found, changed and deleted; their tags and aliases."""

from typing import Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.model_shapes import registered_model, version
from headrace_ingest.http.mlflow.shapes import answer, given_only
from headrace_ingest.models import DEFAULT_RESULTS, ModelsService
from headrace_proto.v1 import models_pb2 as pb
from headrace_storage.catalog import model_rules as rules

_MAX_RESULTS: Final = 1000
"""Of a page: MLflow's bound."""

_Request = pb.ChangeRegisteredModelRequest


class RegisteredModelRoutes:
    """``registered-models/...``."""

    def __init__(self, models: ModelsService) -> None:
        self._models = models

    async def create(self, given: Given) -> Response:
        """A new registered model."""
        request = pb.CreateRegisteredModelRequest(
            name=_name(given), description=given.text("description"), tags=given.pairs("tags")
        )
        return _told(await self._models.create_registered_model(request))

    async def get(self, given: Given) -> Response:
        """A registered model."""
        return _told(await self._get(given))

    async def rename(self, given: Given) -> Response:
        """Another name."""
        new_name = given.text("new_name", required=True)
        return _told(await self._change(_Request(name=_name(given), new_name=new_name)))

    async def update(self, given: Given) -> Response:
        """Another description."""
        described = _Request(name=_name(given), description=given.text("description"))
        return _told(await self._change(described))

    async def delete(self, given: Given) -> Response:
        """Deletes it with its versions."""
        await self._change(_Request(name=_name(given), deleted=True))
        return answer({})

    async def search(self, given: Given) -> Response:
        """A page of registered models."""
        request = pb.SearchRegistryRequest(
            filter=given.text("filter"),
            order_by=given.texts("order_by"),
            max_results=given.page_size(DEFAULT_RESULTS, _MAX_RESULTS),
            page_token=given.text("page_token"),
        )
        found = await self._models.search_registered_models(request)
        models = list(map(registered_model, found.models))
        return answer(given_only(registered_models=models, next_page_token=found.next_page_token))

    async def latest_versions(self, given: Given) -> Response:
        """The latest version of each stage, or of these."""
        stages = list(map(rules.stage, given.texts("stages"))) or rules.STAGES
        found = (await self._get(given)).latest_versions
        versions = [version(each) for each in found if each.current_stage in stages]
        return answer(given_only(model_versions=versions))

    async def set_tag(self, given: Given) -> Response:
        """Writes a tag."""
        tags = {given.text("key", required=True): given.text("value")}
        await self._change(_Request(name=_name(given), set_tags=_Request.Texts(texts=tags)))
        return answer({})

    async def delete_tag(self, given: Given) -> Response:
        """Takes a tag away."""
        await self._change(_Request(name=_name(given), delete_tag=given.text("key", required=True)))
        return answer({})

    async def set_alias(self, given: Given) -> Response:
        """Has an alias mean a version."""
        alias = _Request.Alias(alias=given.text("alias", required=True), version=given.version())
        await self._change(_Request(name=_name(given), set_alias=alias))
        return answer({})

    async def delete_alias(self, given: Given) -> Response:
        """Takes an alias away."""
        await self._change(_Request(name=_name(given), delete_alias=given.text("alias", required=True)))
        return answer({})

    async def get_by_alias(self, given: Given) -> Response:
        """The version that an alias means."""
        alias = given.text("alias", required=True)
        found = await self._models.get_model_version(
            pb.GetModelVersionRequest(name=_name(given), alias=alias)
        )
        return answer({"model_version": version(found)})

    async def _get(self, given: Given) -> pb.RegisteredModel:
        return await self._models.get_registered_model(pb.GetRegisteredModelRequest(name=_name(given)))

    async def _change(self, request: _Request) -> pb.RegisteredModel:
        return await self._models.change_registered_model(request)


def _name(given: Given) -> str:
    return given.text("name", required=True)


def _told(found: pb.RegisteredModel) -> Response:
    return answer({"registered_model": registered_model(found)})
