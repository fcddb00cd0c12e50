"""The models service: datasets, logged models, registry. Translation only: the rules are the catalog's."""

from typing import Any, Final

import grpc

from headrace_ingest import model_messages as messages
from headrace_ingest import unary
from headrace_ingest.activity import Activity
from headrace_ingest.bounds import DEFAULTS, Bounds
from headrace_proto.v1 import models_pb2 as pb
from headrace_storage.catalog.lineage import Datasets
from headrace_storage.catalog.logged_models import LoggedModels
from headrace_storage.catalog.logged_models_search import ModelOrder, ModelQuery, ModelSearch
from headrace_storage.catalog.registry import Registry
from headrace_storage.catalog.registry_search import RegistryQuery, RegistrySearch
from headrace_storage.errors import InvalidArgumentError

DEFAULT_RESULTS: Final = 100
MAX_RESULTS: Final = 200_000


class ModelsService:
    """``headrace.v1.Models``."""

    NAME = "headrace.v1.Models"

    def __init__(
        self,
        datasets: Datasets,
        logged: LoggedModels,
        search: ModelSearch,
        registry: Registry,
        registry_search: RegistrySearch,
        *,
        activity: Activity,
        bounds: Bounds = DEFAULTS,
    ) -> None:
        self._datasets = datasets
        self._logged = logged
        self._search = search
        self._registry = registry
        self._registry_search = registry_search
        self._activity = activity
        self._bounds = bounds

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server serves."""
        methods: dict[str, tuple[type[Any], unary.Unary]] = {
            "ListDatasets": (pb.ListDatasetsRequest, self.list_datasets),
            "CreateLoggedModel": (pb.CreateLoggedModelRequest, self.create_logged_model),
            "GetLoggedModel": (pb.GetLoggedModelRequest, self.get_logged_model),
            "ChangeLoggedModel": (pb.ChangeLoggedModelRequest, self.change_logged_model),
            "SearchLoggedModels": (pb.SearchLoggedModelsRequest, self.search_logged_models),
            "CreateRegisteredModel": (pb.CreateRegisteredModelRequest, self.create_registered_model),
            "GetRegisteredModel": (pb.GetRegisteredModelRequest, self.get_registered_model),
            "ChangeRegisteredModel": (pb.ChangeRegisteredModelRequest, self.change_registered_model),
            "SearchRegisteredModels": (pb.SearchRegistryRequest, self.search_registered_models),
            "CreateModelVersion": (pb.CreateModelVersionRequest, self.create_model_version),
            "GetModelVersion": (pb.GetModelVersionRequest, self.get_model_version),
            "ChangeModelVersion": (pb.ChangeModelVersionRequest, self.change_model_version),
            "SearchModelVersions": (pb.SearchRegistryRequest, self.search_model_versions),
        }
        return grpc.method_handlers_generic_handler(self.NAME, unary.handlers(methods, self._activity))

    async def list_datasets(self, request: pb.ListDatasetsRequest) -> pb.ListDatasetsResponse:
        """The datasets of experiments."""
        found = await self._datasets.of_experiments(request.experiment_ids)
        return pb.ListDatasetsResponse(
            datasets=[pb.ListDatasetsResponse.Entry(**used._asdict()) for used in found]
        )

    async def create_logged_model(self, request: pb.CreateLoggedModelRequest) -> pb.LoggedModel:
        """A new model."""
        return messages.logged_model(await self._logged.create(messages.new_model(request)))

    async def get_logged_model(self, request: pb.GetLoggedModelRequest) -> pb.LoggedModel:
        """A model with its points."""
        found = await self._logged.get(request.model_id, allow_deleted=request.allow_deleted)
        return messages.logged_model(found)

    async def change_logged_model(self, request: pb.ChangeLoggedModelRequest) -> pb.LoggedModel:
        """A model after a change."""
        model_id, logged = request.model_id, self._logged
        match request.WhichOneof("change"):
            case "status":
                status = messages.status_of(request.status)
                changed = await logged.finalize(model_id, status, request.status_message)
            case "params":
                changed = await logged.log_params(model_id, dict(request.params.texts))
            case "set_tags":
                changed = await logged.set_tags(model_id, dict(request.set_tags.texts))
            case "delete_tag":
                changed = await logged.delete_tag(model_id, request.delete_tag)
            case "deleted":
                changed = await (logged.delete if request.deleted else logged.restore)(model_id)
            case _:
                raise _unknown_change()
        return messages.logged_model(changed)

    async def search_logged_models(
        self, request: pb.SearchLoggedModelsRequest
    ) -> pb.SearchLoggedModelsResponse:
        """A page of the models that match."""
        unary.check_filter(self._bounds, request.filter, *(order.field_name for order in request.order_by))
        query = ModelQuery(
            list(request.experiment_ids) or None,
            request.filter,
            [(dataset.name, dataset.digest) for dataset in request.datasets],
            [
                ModelOrder(order.field_name, not order.descending, (order.dataset_name, order.dataset_digest))
                for order in request.order_by
            ],
            _limit(request.max_results),
            request.page_token,
        )
        found, token = await self._search.find(query)
        return pb.SearchLoggedModelsResponse(models=map(messages.logged_model, found), next_page_token=token)

    async def create_registered_model(self, request: pb.CreateRegisteredModelRequest) -> pb.RegisteredModel:
        """A new registered model."""
        created = messages.created(request.creation_time)
        made = await self._registry.create(request.name, request.description, dict(request.tags), created)
        return messages.registered_model(made)

    async def get_registered_model(self, request: pb.GetRegisteredModelRequest) -> pb.RegisteredModel:
        """A registered model."""
        return messages.registered_model(await self._registry.get(request.name))

    async def change_registered_model(self, request: pb.ChangeRegisteredModelRequest) -> pb.RegisteredModel:
        """A registered model after a change; one that was deleted as it was."""
        name, registry = request.name, self._registry
        match request.WhichOneof("change"):
            case "new_name":
                changed = await registry.rename(name, request.new_name)
            case "description":
                changed = await registry.describe(name, request.description)
            case "set_tags":
                changed = await registry.set_tags(name, dict(request.set_tags.texts))
            case "delete_tag":
                changed = await registry.delete_tag(name, request.delete_tag)
            case "set_alias":
                changed = await registry.set_alias(name, request.set_alias.alias, request.set_alias.version)
            case "delete_alias":
                changed = await registry.delete_alias(name, request.delete_alias)
            case "deleted" if request.deleted:
                changed = await registry.delete(name)
            case _:
                raise _unknown_change()
        return messages.registered_model(changed)

    async def search_registered_models(
        self, request: pb.SearchRegistryRequest
    ) -> pb.SearchRegisteredModelsResponse:
        """A page of the registered models that match."""
        found, token = await self._registry_search.models(self._query(request))
        return pb.SearchRegisteredModelsResponse(
            models=map(messages.registered_model, found), next_page_token=token
        )

    async def create_model_version(self, request: pb.CreateModelVersionRequest) -> pb.ModelVersion:
        """The next version of a model."""
        return messages.version(await self._registry.create_version(messages.new_version(request)))

    async def get_model_version(self, request: pb.GetModelVersionRequest) -> pb.ModelVersion:
        """A version, by number or alias."""
        if request.WhichOneof("by") == "alias":
            found = await self._registry.get_version_by_alias(request.name, request.alias)
        else:
            found = await self._registry.get_version(request.name, request.version)
        return messages.version(found)

    async def change_model_version(self, request: pb.ChangeModelVersionRequest) -> pb.ModelVersion:
        """A version after a change; one that was deleted as it was."""
        key, registry = (request.name, request.version), self._registry
        match request.WhichOneof("change"):
            case "description":
                changed = await registry.describe_version(*key, request.description)
            case "set_tags":
                changed = await registry.set_version_tags(*key, dict(request.set_tags.texts))
            case "delete_tag":
                changed = await registry.delete_version_tag(*key, request.delete_tag)
            case "stage":
                wanted = request.stage
                archive = wanted.archive_existing_versions
                changed = await registry.stage(*key, wanted.stage, archive=archive)
            case "deleted" if request.deleted:
                changed = await registry.delete_version(*key)
            case _:
                raise _unknown_change()
        return messages.version(changed)

    async def search_model_versions(
        self, request: pb.SearchRegistryRequest
    ) -> pb.SearchModelVersionsResponse:
        """A page of the versions that match."""
        found, token = await self._registry_search.versions(self._query(request))
        return pb.SearchModelVersionsResponse(versions=map(messages.version, found), next_page_token=token)

    def _query(self, request: pb.SearchRegistryRequest) -> RegistryQuery:
        unary.check_filter(self._bounds, request.filter, *request.order_by)
        limit = _limit(request.max_results)
        return RegistryQuery(request.filter, request.order_by, limit, request.page_token)


def _limit(max_results: int) -> int:
    return unary.limit(max_results, DEFAULT_RESULTS, MAX_RESULTS)


def _unknown_change() -> InvalidArgumentError:
    return InvalidArgumentError("change", "is of a kind that this daemon does not know; upgrade it")
