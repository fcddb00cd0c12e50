"""The list of a run's artifacts."""

from starlette.responses import Response

from headrace_ingest.artifacts import Artifacts, checked
from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.shapes import Fields, answer, given_only, their_uri
from headrace_proto.paths import path_problem
from headrace_storage.catalog.runs import Runs
from headrace_storage.objects import Place


class ArtifactRoutes:
    """``artifacts/list``."""

    def __init__(self, artifacts: Artifacts, runs: Runs) -> None:
        self._artifacts = artifacts
        self._runs = runs

    async def list(self, given: Given) -> Response:
        """What is in a folder of a run."""
        run_id, path = given.run_id(), given.text("path")
        run = await self._runs.get_run(run_id)
        place = await self._artifacts.place("runs", run.run_id)
        return await listed(place, path, run.artifact_uri)


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
