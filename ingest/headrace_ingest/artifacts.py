"""Where the artifacts of a run are: the one place of the daemon that turns names from outside into places."""

import mimetypes
import re
from typing import Final

from headrace_proto.paths import path_problem
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.objects import Locations, Place

_TYPE: Final = re.compile(
    r"[A-Za-z0-9][\w.+!#$&^-]{0,99}/[\w.+!#$&^-]{1,100}(; ?charset=[\w-]{1,40})?", re.ASCII
)

_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table: that of the machine would make daemons differ."""

UNKNOWN: Final = "application/octet-stream"


class Artifacts:
    """The artifacts of runs."""

    def __init__(self, runs: Runs, locations: Locations) -> None:
        self._runs = runs
        self._locations = locations

    async def of_run(self, run_id: str) -> Place:
        """The folder of a run.

        Raises:
            NotFoundError: there is no such run.
            InvalidArgumentError: its experiment's location is none that this daemon may use.
        """
        return self._locations.place(await self._runs.artifact_uri(run_id))


def checked(path: str, argument: str = "path") -> str:
    """``path``, if it can be that of an artifact; else InvalidArgumentError says why not."""
    if problem := path_problem(path):
        raise InvalidArgumentError(argument, f"{path[:200]!r} {problem}")
    return path


def type_of(path: str, told: str = "") -> str:
    """The content type of a file: what was told with it, else what its name says."""
    if _TYPE.fullmatch(told):
        return told
    return _TYPES.guess_type(path)[0] or UNKNOWN
