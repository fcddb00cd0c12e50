"""All routes of MLflow's REST API that work. Whatever is not here answers 404 ENDPOINT_NOT_FOUND."""

from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from headrace_ingest.artifacts import Artifacts
from headrace_ingest.http.mlflow.artifacts import ArtifactRoutes
from headrace_ingest.http.mlflow.experiments import ExperimentRoutes
from headrace_ingest.http.mlflow.files import FileRoutes
from headrace_ingest.http.mlflow.inputs import InputRoutes
from headrace_ingest.http.mlflow.logged_models import LoggedModelRoutes
from headrace_ingest.http.mlflow.logging import LoggingRoutes
from headrace_ingest.http.mlflow.metrics import MetricRoutes
from headrace_ingest.http.mlflow.model_versions import ModelVersionRoutes
from headrace_ingest.http.mlflow.recorded_models import RecordedModelRoutes
from headrace_ingest.http.mlflow.registered_models import RegisteredModelRoutes
from headrace_ingest.http.mlflow.run_log import RunLog
from headrace_ingest.http.mlflow.runs import RunRoutes
from headrace_ingest.http.mlflow.served import ALL, Endpoints, Method, Serves, not_implemented
from headrace_ingest.http.mlflow.stages import Stages
from headrace_ingest.models import ModelsService
from headrace_ingest.own_writer import OwnWriter
from headrace_ingest.tracking import TrackingService
from headrace_storage.catalog.runs import Runs
from headrace_storage.history import History
from headrace_storage.scan import Scans

VERSION: Final = "3.17.2"
"""The version of MLflow whose API this is."""

API: Final = "/api/2.0/mlflow/"
PAGES: Final = "/ajax-api/2.0/mlflow/"
"""The same, as MLflow's web pages call it."""

_FILES: Final = "-artifacts/artifacts"
ARTIFACTS: Final = API.removesuffix("/") + _FILES

SERVER_INFO: Final = {
    "store_type": None,
    "workspaces_enabled": False,
    "trace_archival_enabled": False,
    "multipart_uploads_enabled": False,
    "multipart_downloads_enabled": False,
    "presigned_upload_run_id_supported": False,
    "presigned_upload_model_id_supported": False,
    "features_enabled": {"gateway": False},
}
"""What MLflow's clients ask before they use it: only what works."""


class Parts(NamedTuple):
    """What the routes use of the daemon."""

    tracking: TrackingService
    runs: Runs
    history: History
    writer: OwnWriter
    artifacts: Artifacts
    models: ModelsService
    largest: int
    """Bytes that an artifact may have."""
    scans: Scans


def mlflow_routes(parts: Parts, serves: Serves = ALL) -> list[BaseRoute]:
    """What ``app.application`` serves."""
    routes: list[BaseRoute] = [Route("/health", _health), Route("/version", _version)]
    endpoints = Endpoints(serves)
    for prefix in (API, PAGES):
        info = prefix.replace("2.0", "3.0") + "server-info"
        routes.append(Route(info, _server_info))
        routes += [
            Route(prefix + path, endpoints.of(method), methods=[verb])
            for verb, path, method in _table(parts)
            if prefix == PAGES or path not in _PAGES_ONLY
        ]
        path = prefix.removesuffix("/") + _FILES
        routes += files_routes(parts.artifacts, parts.largest, path, endpoints)
        routes += not_implemented(prefix, endpoints)
    return routes + _of_pages(parts, endpoints)


def files_routes(
    artifacts: Artifacts, largest: int, path: str = ARTIFACTS, endpoints: Endpoints | None = None
) -> list[BaseRoute]:
    """The routes of files, which need no more of a daemon."""
    files, endpoints = FileRoutes(artifacts, largest), endpoints or Endpoints(ALL)
    one = path + "/{path:path}"
    return [
        Route(path, endpoints.files(files.list), methods=["GET"]),
        Route(one, endpoints.files(files.download), methods=["GET"]),
        Route(one, endpoints.files(files.upload), methods=["PUT"]),
        Route(one, endpoints.files(files.remove), methods=["DELETE"]),
    ]


def _of_pages(parts: Parts, endpoints: Endpoints) -> list[BaseRoute]:
    """Files by run or model, as MLflow's web pages ask for them."""
    artifacts = ArtifactRoutes(parts.artifacts, parts.runs)
    of_model = PAGES + "logged-models/{model_id}/artifacts/files"
    return [
        Route("/get-artifact", endpoints.tracking(artifacts.download), methods=["GET"]),
        Route(of_model, endpoints.tracking(artifacts.download_of_model), methods=["GET"]),
        Route(f"{PAGES}upload-artifact", endpoints.tracking(artifacts.upload), methods=["POST"]),
    ]


_PAGES_ONLY: Final = frozenset({"metrics/get-history-bulk", "experiments/search-datasets"})


def _table(parts: Parts) -> list[tuple[str, str, Method]]:
    stages = Stages(parts.runs)
    experiments = ExperimentRoutes(parts.tracking)
    runs = RunRoutes(parts.tracking, parts.runs, stages)
    log = RunLog(parts.writer, stages)
    logging, inputs = LoggingRoutes(log, parts.runs, stages), InputRoutes(log, parts.models)
    metrics = MetricRoutes(parts.history, parts.scans)
    artifacts = ArtifactRoutes(parts.artifacts, parts.runs)
    return [
        ("POST", "experiments/create", experiments.create),
        ("GET", "experiments/get", experiments.get),
        ("GET", "experiments/get-by-name", experiments.get_by_name),
        ("POST", "experiments/search", experiments.search),
        ("GET", "experiments/search", experiments.search),
        ("POST", "experiments/update", experiments.update),
        ("POST", "experiments/delete", experiments.delete),
        ("POST", "experiments/restore", experiments.restore),
        ("POST", "experiments/set-experiment-tag", experiments.set_tag),
        ("POST", "experiments/delete-experiment-tag", experiments.delete_tag),
        ("POST", "runs/create", runs.create),
        ("GET", "runs/get", runs.get),
        ("POST", "runs/update", runs.update),
        ("POST", "runs/search", runs.search),
        ("POST", "runs/delete", runs.delete),
        ("POST", "runs/restore", runs.restore),
        ("POST", "runs/log-metric", logging.log_metric),
        ("POST", "runs/log-parameter", logging.log_param),
        ("POST", "runs/set-tag", logging.set_tag),
        ("POST", "runs/delete-tag", logging.delete_tag),
        ("POST", "runs/log-batch", logging.log_batch),
        ("POST", "runs/log-model", RecordedModelRoutes(log, parts.runs, stages).log_model),
        ("GET", "metrics/get-history", metrics.get_history),
        ("GET", "metrics/get-history-bulk", metrics.get_history_bulk),
        ("GET", "metrics/get-history-bulk-interval", metrics.get_history_bulk_interval),
        ("GET", "artifacts/list", artifacts.list),
        ("POST", "runs/log-inputs", inputs.log_inputs),
        ("POST", "runs/outputs", inputs.log_outputs),
        ("POST", "experiments/search-datasets", inputs.search_datasets),
        *_logged_models(LoggedModelRoutes(parts.models, parts.artifacts)),
        *_registered_models(RegisteredModelRoutes(parts.models)),
        *_model_versions(ModelVersionRoutes(parts.models)),
    ]


def _logged_models(models: LoggedModelRoutes) -> list[tuple[str, str, Method]]:
    one = "logged-models/{model_id}"
    return [
        ("POST", "logged-models", models.create),
        ("POST", "logged-models/search", models.search),
        ("GET", one, models.get),
        ("PATCH", one, models.finalize),
        ("DELETE", one, models.delete),
        ("PATCH", f"{one}/tags", models.set_tags),
        ("DELETE", one + "/tags/{tag_key}", models.delete_tag),
        ("POST", f"{one}/params", models.log_params),
        ("GET", f"{one}/artifacts/directories", models.list_files),
    ]


def _registered_models(models: RegisteredModelRoutes) -> list[tuple[str, str, Method]]:
    return [
        ("POST", "registered-models/create", models.create),
        ("GET", "registered-models/get", models.get),
        ("POST", "registered-models/rename", models.rename),
        ("PATCH", "registered-models/update", models.update),
        ("DELETE", "registered-models/delete", models.delete),
        ("GET", "registered-models/search", models.search),
        ("POST", "registered-models/get-latest-versions", models.latest_versions),
        ("GET", "registered-models/get-latest-versions", models.latest_versions),
        ("POST", "registered-models/set-tag", models.set_tag),
        ("DELETE", "registered-models/delete-tag", models.delete_tag),
        ("POST", "registered-models/alias", models.set_alias),
        ("DELETE", "registered-models/alias", models.delete_alias),
        ("GET", "registered-models/alias", models.get_by_alias),
    ]


def _model_versions(versions: ModelVersionRoutes) -> list[tuple[str, str, Method]]:
    return [
        ("POST", "model-versions/create", versions.create),
        ("GET", "model-versions/get", versions.get),
        ("PATCH", "model-versions/update", versions.update),
        ("DELETE", "model-versions/delete", versions.delete),
        ("GET", "model-versions/search", versions.search),
        ("GET", "model-versions/get-download-uri", versions.get_download_uri),
        ("POST", "model-versions/transition-stage", versions.transition_stage),
        ("POST", "model-versions/set-tag", versions.set_tag),
        ("DELETE", "model-versions/delete-tag", versions.delete_tag),
    ]


async def _health(_: Request) -> Response:
    return PlainTextResponse("OK")


async def _version(_: Request) -> Response:
    return PlainTextResponse(VERSION)


async def _server_info(_: Request) -> Response:
    return JSONResponse(SERVER_INFO)
