"""Which store an artifact URI means, and where in it. Only folders that the daemon was told of are used."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from headrace_storage.errors import InvalidArgumentError
from headrace_storage.objects.contract import FileStore
from headrace_storage.objects.files import LocalFiles
from headrace_storage.objects.uploads import UPLOADS

SCHEME: Final = "headrace-artifacts:/"
"""Headrace's own store; the path follows."""


class Place(NamedTuple):
    """A folder in a store."""

    store: FileStore
    folder: str

    def at(self, path: str) -> str:
        """Where a file of the folder is in the store; "": the folder itself."""
        return f"{self.folder}/{path}" if path else self.folder

    def below(self, path: str) -> str:
        """The inverse of :meth:`at`."""
        return path.removeprefix(f"{self.folder}/")


class Locations:
    """The stores of a daemon: its own, and one for each root that experiments may name a folder of."""

    def __init__(self, own: Path, roots: Sequence[Path] = ()) -> None:
        self._own = LocalFiles(own)
        others = [LocalFiles(root) for root in roots]
        self._stores: list[FileStore] = [self._own, *others]
        # Under the name that the operator said, too: links may be on the way to it. The longest first, so
        # that a root inside another one is itself.
        names = {files.root: files for files in others} | {
            root.absolute(): files for root, files in zip(roots, others, strict=True)
        }
        self._others = sorted(names.items(), key=lambda named: -len(named[0].parts))

    @property
    def stores(self) -> list[FileStore]:
        """All of them."""
        return self._stores

    def place(self, uri: str, argument: str = "artifact_uri") -> Place:
        """The folder that ``uri`` names: ``headrace-artifacts:/PATH``, ``file:///PATH`` or ``/PATH``.

        InvalidArgumentError: it is in no folder that this daemon may use.
        """
        if uri.startswith(SCHEME):
            return Place(self._own, _inside(uri.removeprefix(SCHEME).lstrip("/"), argument))
        path = local_path(uri)
        if path is None:
            scheme = uri.partition(":")[0][:50]
            raise InvalidArgumentError(
                argument, f"is in {scheme!r}, which this daemon cannot store in; it can in local folders"
            )
        for root, store in self._others:
            if path.is_relative_to(root):
                return Place(store, _inside(str(path.relative_to(root)), argument))
        raise InvalidArgumentError(
            argument,
            f"is {uri!r}, outside of the folders that this daemon may use; start it with --artifact-root DIR",
        )

    def check(self, location: str) -> None:
        """InvalidArgumentError: a local folder that experiments may not use, as their artifact location."""
        if local_path(location) is not None:
            self.place(location, "artifact_location")


def local_path(uri: str) -> PurePosixPath | None:
    """The folder of this machine that a URI names; ``None`` when it names none."""
    if uri.startswith("/"):
        return PurePosixPath(uri)
    if uri.startswith("file:"):
        return PurePosixPath(unquote(urlsplit(uri).path) or "/")
    return None


def _inside(path: str, argument: str) -> str:
    names = [name for name in path.split("/") if name not in {"", "."}]
    if ".." in names or "\0" in path or names[:1] == [UPLOADS]:
        raise InvalidArgumentError(argument, "is no folder that artifacts can be in")
    return "/".join(names)
