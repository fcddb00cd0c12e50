"""The files of runs and of logged models, as MLflow's clients store and read them.

Paths are ``EXPERIMENT/RUN/artifacts/...`` and ``EXPERIMENT/models/MODEL/artifacts/...``; they are resolved by
the id in them, never as paths in a store.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from headrace_ingest.artifacts import Artifacts, checked
from headrace_ingest.http.artifacts import send_file, take_file
from headrace_ingest.http.gate import LIMIT
from headrace_ingest.http.mlflow.shapes import Fields, answer, given_only
from headrace_proto.paths import path_problem
from headrace_storage.errors import NotFoundError
from headrace_storage.objects import Place

_PATH: Final = re.compile(
    r"(?P<folder>[0-9]+/(?:(?P<runs>[0-9a-f]{32})|models/(?P<models>m-[0-9a-f]{32}))/artifacts)"
    r"(?:/(?P<within>.*))?",
    re.DOTALL,
)
"""A group for each kind of what has artifacts, by its name in ``Artifacts``."""


class FileRoutes:
    """``mlflow-artifacts/artifacts...``."""

    def __init__(self, artifacts: Artifacts, largest: int) -> None:
        """``largest``: bytes that a file may have."""
        self._artifacts = artifacts
        self._largest = largest

    async def list(self, request: Request) -> Response:
        """What is in a folder, by names within it."""
        place, path = await self._place(request.query_params.get("path", ""))
        found = await place.store.list(place.at(path), deep=False)
        files: list[Fields] = []
        for entry in found:
            name = entry.path.rpartition("/")[2]
            if not path_problem(name):
                size = {} if entry.is_folder else {"file_size": entry.size}
                files.append({"path": name, "is_dir": entry.is_folder, **size})
        return answer(given_only(files=files))

    async def download(self, request: Request) -> Response:
        """A file, or a range of it."""
        place, path = await self._place(request.path_params["path"])
        if not path:  # how clients download a folder that has nothing in it
            raise NotFoundError("artifact", request.path_params["path"][:200])
        return await send_file(place, checked(path))

    async def upload(self, request: Request) -> Response:
        """Stores a file that comes in one body."""
        place, path = await self._place(request.path_params["path"])
        checked(path)
        request.scope[LIMIT] = self._largest
        await take_file(request, place, path)
        return answer({})

    async def remove(self, request: Request) -> Response:
        """Deletes a file or a folder, if it is there."""
        place, path = await self._place(request.path_params["path"])
        await place.store.delete(place.at(path))
        return answer({})

    async def _place(self, path: str) -> tuple[Place, str]:
        """The folder of the run or model in ``path``, and the path within."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise NotFoundError("artifact", path[:200])
        kind = "runs" if match["runs"] else "models"
        place = await self._artifacts.place(kind, match[kind])
        within = (match["within"] or "").rstrip("/")
        if place.folder != match["folder"]:
            raise NotFoundError("artifact", path[:200])
        return place, checked(within) if within else ""
