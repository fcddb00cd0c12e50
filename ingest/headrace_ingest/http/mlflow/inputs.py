"""What runs used and made: ``runs/log-inputs``, ``runs/outputs``, ``experiments/search-datasets``."""

from typing import Final

from starlette.responses import Response

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.run_log import RunLog
from headrace_ingest.http.mlflow.shapes import answer, given_only
from headrace_ingest.models import ModelsService
from headrace_proto.v1 import models_pb2 as pb
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_storage.errors import InvalidArgumentError

_MOST_EXPERIMENTS: Final = 20
"""Whose datasets are asked for: MLflow's number."""

_MOST: Final = 1000
"""Datasets, and models, of a request."""


class InputRoutes:
    """See the module."""

    def __init__(self, log: RunLog, models: ModelsService) -> None:
        self._log = log
        self._models = models

    async def log_inputs(self, given: Given) -> Response:
        """The run used datasets and models."""
        run_id = given.run_id()
        datasets, models = given.items("datasets"), given.items("models")
        for what, items in (("datasets", datasets), ("models", models)):
            _check_count(what, len(items))
        changes = [_dataset(each) for each in datasets]
        if models:
            change = RunChange()
            change.models.inputs.extend(pb.ModelStep(model_id=_model_id(each)) for each in models)
            changes.append(change)
        return await self._log.write(run_id, after=changes)

    async def log_outputs(self, given: Given) -> Response:
        """The run made models."""
        run_id, models = given.run_id(), given.items("models")
        _check_count("models", len(models))
        if not given.has("models"):
            raise InvalidArgumentError("models", "is missing")
        change = RunChange()
        change.models.outputs.extend(
            pb.ModelStep(model_id=_model_id(each), step=each.integer("step", 0) or 0) for each in models
        )
        return await self._log.write(run_id, after=[change])

    async def search_datasets(self, given: Given) -> Response:
        """The datasets of experiments."""
        ids = given.texts("experiment_ids")
        if not 1 <= len(ids) <= _MOST_EXPERIMENTS:
            raise InvalidArgumentError("experiment_ids", f"are {len(ids)}; give 1 to {_MOST_EXPERIMENTS}")
        found = await self._models.list_datasets(pb.ListDatasetsRequest(experiment_ids=ids))
        summaries = [
            {"experiment_id": one.experiment_id, "name": one.name, "digest": one.digest}
            | given_only(context=one.context)
            for one in found.datasets
        ]
        return answer(given_only(dataset_summaries=summaries))


def _dataset(given: Given) -> RunChange:
    change, dataset = RunChange(), given.message("dataset")
    for name in ("name", "digest", "source_type", "source"):
        setattr(change.dataset.input.dataset, name, dataset.text(name, required=True))
    for name in ("schema", "profile"):
        setattr(change.dataset.input.dataset, name, dataset.text(name))
    for tag in given.items("tags"):
        change.dataset.input.tags[tag.text("key", required=True)] = tag.text("value")
    return change


def _model_id(given: Given) -> str:
    return given.text("model_id", required=True)


def _check_count(what: str, count: int) -> None:
    if count > _MOST:
        raise InvalidArgumentError(what, f"are {count}, the bound is {_MOST}; split them")
