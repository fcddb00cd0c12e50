"""``headrace.artifacts``: reading what runs stored, by run id or URI. As ``mlflow.artifacts``.

URIs are ``runs:/RUN_ID/PATH`` and what ``get_artifact_uri`` gives.
"""

import json
import os
import re
from typing import Any

from headrace.calls import artifacts as questions
from headrace.core import Core, core_for
from headrace.entities import FileInfo
from headrace.errors import InvalidArgumentError
from headrace.faces import ask
from headrace.tracking_uri import get_tracking_uri

__all__ = ["download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"]

_RUNS = re.compile(r"runs:/+([^/]+)(?:/(.*))?", re.DOTALL)
_STORED = re.compile(
    r"(?:headrace-artifacts:|mlflow-artifacts:|file:|/).*?/([0-9a-f]{32})/artifacts(?:/(.*))?", re.DOTALL
)


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | os.PathLike[str] | None = None,
    tracking_uri: str | None = None,
) -> str:
    """Downloads a file or a folder; where it is now.

    Args:
        artifact_uri: as ``runs:/RUN_ID/model``; or
        run_id: the run, with
        artifact_path: a path among its artifacts; default: all.
        dst_path: a folder, made if need be; default: a new temporary one.
        tracking_uri: default: the one that is set.

    Raises:
        NotFoundError: there is no such run, file or folder.
    """
    run, path = _meant(artifact_uri, run_id, artifact_path)
    return ask(_core(tracking_uri), questions.download_artifacts(run, path, dst_path))


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """What is directly in a folder of a run's artifacts. Arguments as in :func:`download_artifacts`."""
    run, path = _meant(artifact_uri, run_id, artifact_path)
    return ask(_core(tracking_uri), questions.list_artifacts(run, path))


def load_text(artifact_uri: str) -> str:
    """The content of a file as text."""
    return _read(artifact_uri).decode()


def load_dict(artifact_uri: str) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(_read(artifact_uri))
    except ValueError as error:
        raise InvalidArgumentError("artifact_uri", f"{artifact_uri!r} is no JSON: {error}") from None


def load_image(artifact_uri: str) -> Any:
    """An image file as a PIL image."""
    import io  # noqa: PLC0415 - rarely needed

    try:
        from PIL import Image  # noqa: PLC0415 - an extra of the user's
    except ImportError:
        raise InvalidArgumentError(
            "artifact_uri", "is an image, which needs Pillow: pip install Pillow"
        ) from None
    return Image.open(io.BytesIO(_read(artifact_uri)))


def _read(artifact_uri: str) -> bytes:
    run, path = _meant(artifact_uri, None, None)
    return ask(_core(None), questions.read_artifact(run, path))


def _core(tracking_uri: str | None) -> Core:
    return core_for(tracking_uri or get_tracking_uri())


def _meant(artifact_uri: str | None, run_id: str | None, artifact_path: str | None) -> tuple[str, str]:
    if (artifact_uri is None) == (run_id is None):
        raise InvalidArgumentError("artifact_uri or run_id", "must be given, and not both")
    if run_id is not None:
        return run_id, artifact_path or ""
    if artifact_path is not None:
        raise InvalidArgumentError("artifact_path", "belongs to run_id; append it to artifact_uri")
    match = _RUNS.fullmatch(artifact_uri or "") or _STORED.fullmatch(artifact_uri or "")
    if match is None:
        raise InvalidArgumentError("artifact_uri", f"is {artifact_uri!r}; expected runs:/RUN_ID/PATH")
    return match[1], match[2] or ""
