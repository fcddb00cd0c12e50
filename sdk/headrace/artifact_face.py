"""The logging calls of both clients that store files, by run id."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace import record, values
from headrace.core import Core
from headrace.errors import InvalidArgumentError
from headrace.faces import Face
from headrace.files import images, names, outgoing, render
from headrace.operation import RunOperation
from headrace.together import together
from headrace.utils.mlflow_tags import MLFLOW_LOGGED_IMAGES


class ArtifactFace(Face):
    """Each call returns when the bytes are secured, so that nothing that happens to the file changes them."""

    def log_artifact(
        self,
        run_id: str,
        local_path: str | os.PathLike[str],
        artifact_path: str | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs a file, or what is in a folder as a folder of its name.

        Args:
            run_id: the run.
            local_path: the file.
            artifact_path: the folder among the artifacts; default: the topmost.
            synchronous: wait until it is uploaded.
        """
        return self._log(synchronous, run_id, artifact(local_path, artifact_path))

    def log_artifacts(
        self,
        run_id: str,
        local_dir: str | os.PathLike[str],
        artifact_path: str | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs what is in a folder, into the folder ``artifact_path`` (default: the topmost)."""
        return self._log(synchronous, run_id, artifacts(local_dir, artifact_path))

    def log_text(
        self, run_id: str, text: str, artifact_file: str, synchronous: bool | None = None
    ) -> RunOperation:
        """Logs a text as a file."""
        return self._log(synchronous, run_id, text_file(text, artifact_file))

    def log_dict(
        self, run_id: str, dictionary: Any, artifact_file: str, synchronous: bool | None = None
    ) -> RunOperation:
        """Logs a dict or list as JSON, or as YAML where the name ends in ``.yml`` or ``.yaml``."""
        return self._log(synchronous, run_id, dict_file(dictionary, artifact_file))

    def log_figure(
        self,
        run_id: str,
        figure: Any,
        artifact_file: str,
        *,
        save_kwargs: Mapping[str, Any] | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs a figure of matplotlib or plotly; ``save_kwargs`` go to the function that writes it."""
        return self._log(synchronous, run_id, figure_file(figure, artifact_file, save_kwargs))

    def log_image(  # noqa: PLR0917 - MLflow's order
        self,
        run_id: str,
        image: Any,
        artifact_file: str | None = None,
        key: str | None = None,
        step: values.Whole | None = None,
        timestamp: values.Whole | None = None,
        synchronous: bool | None = None,
    ) -> RunOperation:
        """Logs an image, as :func:`headrace.log_image` does."""
        return self._log(synchronous, run_id, image_files(image, artifact_file, key, step, timestamp))

    def _log(self, synchronous: bool | None, run_id: str, files: "Files") -> RunOperation:
        waits, checked = self._waits(synchronous), values.run_id(run_id)
        operation = files(self._core, checked)
        if waits:
            operation.wait()
        return operation


class Files:
    """Files that are ready for a run: their arguments are checked, and objects have become bytes."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def __call__(self, core: Core, run_id: str) -> RunOperation:
        """Secures them for the run."""
        operation: RunOperation = self._log(core, run_id)
        return operation


def artifact(local_path: str | os.PathLike[str], artifact_path: str | None) -> Files:
    """A file, or a folder under its own name."""
    folder = names.folder(artifact_path)
    source = Path(local_path)
    if source.is_dir():
        folder = names.below(folder, source.absolute().name)
    elif not source.is_file():
        raise InvalidArgumentError("local_path", f"{os.fspath(local_path)!r} is neither a file nor a folder")
    return Files(lambda core, run_id: outgoing.upload(core, run_id, local_path, folder))


def artifacts(local_dir: str | os.PathLike[str], artifact_path: str | None) -> Files:
    """What is in a folder."""
    folder = names.folder(artifact_path)
    if not Path(local_dir).is_dir():
        raise InvalidArgumentError("local_dir", f"{os.fspath(local_dir)!r} is no folder")
    return Files(lambda core, run_id: outgoing.upload(core, run_id, local_dir, folder))


def text_file(text: str, artifact_file: str) -> Files:
    """A text."""
    return _data(render.text(text), artifact_file)


def dict_file(dictionary: Any, artifact_file: str) -> Files:
    """A dictionary."""
    return _data(render.dictionary(dictionary, names.checked(artifact_file)), artifact_file)


def figure_file(figure: Any, artifact_file: str, save_kwargs: Mapping[str, Any] | None) -> Files:
    """A figure."""
    return _data(render.figure(figure, names.checked(artifact_file), save_kwargs), artifact_file)


def image_files(
    image: Any,
    artifact_file: str | None,
    key: str | None,
    step: values.Whole | None,
    timestamp: values.Whole | None,
) -> Files:
    """An image as one file, or the two of a step: PNG, and a small WebP for lists."""
    if (artifact_file is None) == (key is None):
        raise InvalidArgumentError("artifact_file or key", "must be given, and not both")
    if artifact_file is not None:
        if step is not None or timestamp is not None:
            raise InvalidArgumentError("step and timestamp", "belong to key; leave them out for one file")
        return _data(images.encoded(images.pillow(image), names.checked(artifact_file)), artifact_file)
    at = record.now() if timestamp is None else values.milliseconds("timestamp", timestamp)
    name = images.name_of_step(key or "", 0 if step is None else values.whole("step", step), at)
    picture = images.pillow(image)
    full, compressed = (f"{name}.png", picture), (f"{name}%compressed.webp", images.small(picture))
    files = [(names.checked(path, "key"), images.encoded(each, path)) for path, each in (full, compressed)]

    def log(core: Core, run_id: str) -> RunOperation:
        parts = [outgoing.upload_data(core, run_id, data, path) for path, data in files]
        parts.append(record.tag(core.run_log(run_id), MLFLOW_LOGGED_IMAGES, "True"))
        return together(parts)

    return Files(log)


def _data(data: bytes, artifact_file: str) -> Files:
    path = names.checked(artifact_file)
    return Files(lambda core, run_id: outgoing.upload_data(core, run_id, data, path))
