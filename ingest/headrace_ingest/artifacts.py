"""Where the artifacts of a run are: the one place of the daemon that turns names from outside into places."""

import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from headrace_proto.paths import path_problem
from headrace_storage.errors import InvalidArgumentError, NotFoundError
from headrace_storage.objects import Locations, Place

_TYPE: Final = re.compile(
    r"[A-Za-z0-9][\w.+!#$&^-]{0,99}/[\w.+!#$&^-]{1,100}(; ?charset=[\w-]{1,40})?", re.ASCII
)

_TYPES: Final = mimetypes.MimeTypes()
"""Python's own table: that of the machine would make daemons differ."""

UNKNOWN: Final = "application/octet-stream"


Find = Callable[[str], Awaitable[str]]
"""The artifact URI of what has an id; NotFoundError when there is none."""


class Artifacts:
    """The artifacts of runs, and of whatever else has some."""

    def __init__(self, locations: Locations, owners: Mapping[str, Find]) -> None:
        """``owners``: by kind, as routes name them: ``runs``, ``models``."""
        self._locations = locations
        self._owners = owners

    async def place(self, kind: str, id_: str) -> Place:
        """The folder of a run.

        Raises:
            NotFoundError: there is no such kind, or no such run.
            InvalidArgumentError: its experiment's location is none that this daemon may use.
        """
        find = self._owners.get(kind)
        if find is None:
            raise NotFoundError("kind of artifacts", kind)
        return self._locations.place(await find(id_))


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
