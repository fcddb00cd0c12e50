"""Files of runs and models: listed at both ends, and those that are missing here stored.

A file of a local folder goes from there; one of a server or an object store by way of a temporary one. None
is in memory whole. A file that is here with the same size is taken for the same: no upload stores a part of
one.
"""

import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from headrace.errors import HeadraceError
from headrace.files.outgoing import upload_files
from headrace.importing.destination import Destination
from headrace.importing.file_store import folder_of
from headrace.importing.report import Report
from headrace_proto.paths import path_problem

_TOGETHER: Final = 200
"""Files that are handed over in one go: small ones travel together."""

_BYTES: Final = 64 << 20
"""Bytes of files that wait for being handed over."""


class Files:
    """See the module."""

    def __init__(self, destination: Destination, tracking_uri: str, report: Report) -> None:
        """``tracking_uri``: of the source, whose server may hand out the files."""
        self._to = destination
        self._tracking_uri = tracking_uri
        self._report = report

    def store(self, owner: str, what: str, uri: str, *, anew: bool) -> "Counter[str]":
        """Stores what is missing of a run (or ``models/ID``); what there is in the source.

        ``anew``: nothing can be there yet. What cannot be stored is told, and counts.
        """
        counted: Counter[str] = Counter()
        try:
            listed, fetch = self._opened(uri)
            there = {} if anew else self._to.files(owner)
            chosen: dict[str, Path] = {}
            total = 0
            for path, size in listed:
                counted += Counter({"files": 1, "bytes of files": size})
                if problem := path_problem(path):
                    self._report.problem(f"file {path!r} of {what}", problem)
                elif there.get(path) != size:
                    self._fetch(chosen, path, fetch, what)
                    total += size
                if len(chosen) >= _TOGETHER or total >= _BYTES:
                    self._upload(owner, what, chosen)
                    total = 0
            self._upload(owner, what, chosen)
        except Exception as error:  # noqa: BLE001 - whatever a repository of MLflow's raises
            self._report.problem(f"files of {what}", f"cannot be read at {uri}: {error}")
        return counted

    def stored(self, owner: str) -> "Counter[str]":
        """How many files of a run (or ``models/ID``) there are here."""
        sizes = self._to.files(owner)
        return Counter({"files": len(sizes), "bytes of files": sum(sizes.values())})

    def _fetch(self, chosen: dict[str, Path], path: str, fetch: "Callable[[str], Path]", what: str) -> None:
        try:
            chosen[path] = fetch(path)
        except Exception as error:  # noqa: BLE001 - the others may be there
            self._report.problem(f"file {path!r} of {what}", error)

    def _upload(self, owner: str, what: str, chosen: dict[str, Path]) -> None:
        readable = {path: local for path, local in chosen.items() if os.access(local, os.R_OK)}
        for path in chosen.keys() - readable.keys():
            self._report.problem(f"file {path!r} of {what}", f"{chosen[path]} cannot be read")
        try:
            upload_files(self._to.core, owner, readable)
        except HeadraceError as error:
            self._report.problem(f"{len(readable)} files of {what}", error)
        for local in chosen.values():
            if local.is_relative_to(self._to.scratch):
                local.unlink(missing_ok=True)
        chosen.clear()

    def _opened(self, uri: str) -> tuple[Iterator[tuple[str, int]], Callable[[str], Path]]:
        """What files there are, with their sizes, and what brings one to this machine."""
        folder = folder_of(uri)
        if folder is not None:
            return _local(folder), folder.joinpath
        registry: Any = importlib.import_module("mlflow.store.artifact.artifact_repository_registry")
        repository = registry.get_artifact_repository(uri, tracking_uri=self._tracking_uri)

        def fetch(path: str) -> Path:
            return Path(repository.download_artifacts(path, str(self._to.scratch)))

        return _remote(repository, ""), fetch


def _local(folder: Path) -> Iterator[tuple[str, int]]:
    """Links that lead to folders are left out, as MLflow does."""
    for at, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(at, name)
            size = path.stat().st_size if path.is_file() else 0
            yield path.relative_to(folder).as_posix(), size


def _remote(repository: Any, folder: str) -> Iterator[tuple[str, int]]:
    for entry in repository.list_artifacts(folder or None):
        if entry.is_dir:
            yield from _remote(repository, entry.path)
        else:
            yield entry.path, entry.file_size or 0
