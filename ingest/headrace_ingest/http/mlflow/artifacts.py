"""The list of a run's artifacts, and its files as MLflow's web pages ask for them."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from headrace_ingest.artifacts import Artifacts, checked
from headrace_ingest.http.artifacts import send_file, take_file
from headrace_ingest.http.gate import LIMIT
from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.shapes import Fields, answer, given_only, their_uri
from headrace_proto.paths import path_problem
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.objects import Place

_LARGEST: Final = 10 << 20
"""Bytes of a file that a page uploads: MLflow's bound."""


class ArtifactRoutes:
    """``artifacts/list``, ``/get-artifact``, ``upload-artifact``, and the like of a model."""

    def __init__(self, artifacts: Artifacts, runs: Runs) -> None:
        self._artifacts = artifacts
        self._runs = runs

    async def list(self, given: Given) -> Response:
        """What is in a folder of a run."""
        run_id, path = given.run_id(), given.text("path")
        run = await self._runs.get_run(run_id)
        place = await self._artifacts.place("runs", run.run_id)
        return await listed(place, path, run.artifact_uri)

    async def download(self, request: Request) -> Response:
        """A file of a run."""
        query = request.query_params
        path = checked(query.get("path", ""))
        run = await self._runs.get_run(query.get("run_id") or query.get("run_uuid", ""))
        return await send_file(await self._artifacts.place("runs", run.run_id), path)

    async def download_of_model(self, request: Request) -> Response:
        """A file of a logged model."""
        path = checked(request.query_params.get("artifact_file_path", ""), "artifact_file_path")
        place = await self._artifacts.place("models", request.path_params["model_id"])
        return await send_file(place, path)

    async def upload(self, request: Request) -> Response:
        """Stores a file, which is not empty."""
        query = request.query_params
        path = checked(query.get("path", ""))
        if not query.get("run_uuid"):
            raise InvalidArgumentError("run_uuid", "is missing")
        run = await self._runs.get_run(query["run_uuid"])
        if request.headers.get("content-length") == "0":
            raise InvalidArgumentError("data", "is missing")
        request.scope[LIMIT] = _LARGEST
        await take_file(request, await self._artifacts.place("runs", run.run_id), path)
        return answer({})


async def listed(place: Place, path: str, root: str) -> Response:
    """What is in the folder ``path`` of a place, which has the URI ``root``."""
    found = await place.store.list(place.at(checked(path) if path else ""), deep=False)
    files: list[Fields] = []
    for entry in found:
        name = place.below(entry.path)
        if not path_problem(name):
            size = {} if entry.is_folder else {"file_size": entry.size}
            files.append({"path": name, "is_dir": entry.is_folder, **size})
    return answer({"root_uri": their_uri(root)} | given_only(files=files))
