"""Questions about the artifacts of runs."""

import os
from pathlib import Path

from headrace import progress, values
from headrace.calls.call import Question
from headrace.calls.fetch import Fetch
from headrace.entities import FileInfo
from headrace.files import incoming, names
from headrace.shipping.http import Http, run_path


def list_artifacts(run_id: str, path: str | None = None) -> Question[list[FileInfo]]:
    """The files and folders directly in a folder of a run's artifacts (default: the topmost), by name.

    Empty where nothing is, and for a file. ``NotFoundError``: there is no such run.
    """
    run, folder = values.run_to_ask(run_id), names.folder(path, "path")
    return Fetch(lambda http: incoming.listing(http, run, folder))


def download_artifacts(
    run_id: str, path: str = "", dst_path: str | os.PathLike[str] | None = None
) -> Question[str]:
    """Downloads a file or a folder of a run's artifacts, or all of them.

    What was cut goes on where it was cut. Every file is checked against its SHA-256 before it has its name.

    Args:
        run_id: the run.
        path: the file or folder; default: all.
        dst_path: a folder, made if need be; default: a new temporary one.

    Returns:
        Where it is now: ``dst_path/path``.

    Raises:
        NotFoundError: there is no such run, file or folder.
    """
    run, wanted = values.run_to_ask(run_id), names.folder(path, "path")
    target = None if dst_path is None else Path(dst_path)

    def work(http: Http) -> str:
        return str(incoming.Download(http, run, incoming.into(target), progress.wanted()).get(wanted))

    return Fetch(work)


def download_archive(run_id: str, dst_path: str | os.PathLike[str], path: str = "") -> Question[str]:
    """Downloads a run's artifacts, or a folder of them, as one tar archive.

    Args:
        run_id: the run.
        dst_path: the archive's file, or a folder for ``RUN_ID.tar``.
        path: the folder; default: all.

    Returns:
        Where the archive is.
    """
    run, wanted, target = values.run_to_ask(run_id), names.folder(path, "path"), Path(dst_path)

    def work(http: Http) -> str:
        download = incoming.Download(http, run, target.parent, progress.wanted())
        return str(download.archive(wanted, target))

    return Fetch(work)


def read_artifact(run_id: str, path: str) -> Question[bytes]:
    """The bytes of a small file. ``NotFoundError``: there is none."""
    run, wanted = values.run_to_ask(run_id), names.checked(path, "path")
    return Fetch(lambda http: http.call("GET", run_path(run, "artifacts", wanted))[1])


def delete_artifacts(run_id: str, artifact_path: str | None = None) -> Question[None]:
    """Deletes a file or a folder of a run's artifacts; default: all of them. There may be none."""
    run, wanted = values.run_to_ask(run_id), names.folder(artifact_path)

    def work(http: Http) -> None:
        http.call("DELETE", run_path(run, "artifacts", wanted))

    return Fetch(work)
