"""The files of logged models: on their way to the daemon, and back."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from headrace import active, progress, record
from headrace.calls.fetch import Fetch
from headrace.calls.models import model_with_id
from headrace.calls.registry import version_of_uri
from headrace.calls.runs import run_with_id
from headrace.core import Core, core_for
from headrace.entities import LoggedModelOutput, ModelVersion
from headrace.errors import InvalidArgumentError
from headrace.faces import ask
from headrace.files import incoming, outgoing
from headrace.fluent_models import finalize_logged_model, initialize_logged_model, register_model
from headrace.model_entities import LoggedModelStatus
from headrace.models.flavor import Flavor
from headrace.models.folder import Description
from headrace.models.signature import ModelSignature
from headrace.operation import RunOperation
from headrace.tracking_uri import get_tracking_uri


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What :func:`log_model` of a flavour returns."""

    model_id: str
    name: str
    model_uri: str
    run_id: str | None
    signature: ModelSignature | None
    registered_model_version: str | None

    @property
    def artifact_path(self) -> str:
        """Where the files are; as ``model_uri``."""
        return self.model_uri


def store_folder(core: Core, model_id: str, local_dir: str | os.PathLike[str]) -> RunOperation:
    """Uploads what is in a folder as the files of a logged model. The bytes are secured when it returns."""
    return outgoing.upload(core, f"models/{model_id}", local_dir)


def log(
    flavor: Flavor,
    model: Any,
    description: Description,
    *,
    name: str | None = None,
    registered_model_name: str | None = None,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
    model_type: str | None = None,
    step: int = 0,
    **options: Any,
) -> ModelInfo:
    """Logs a model: makes it, stores its folder, has the active run output it, and says that it is READY.

    Returns when the files are stored. When that fails, the model is FAILED.
    """
    core = core_for(get_tracking_uri())
    session = active.find()
    run_id = None if session is None else session.run.info.run_id
    made = initialize_logged_model(name, run_id, tags, params, model_type)
    told = replace(description, model_id=made.model_id, run_id=run_id)
    try:
        with tempfile.TemporaryDirectory(prefix="headrace-model-") as folder:
            flavor.save(model, folder, told, **options)
            stored = store_folder(core, made.model_id, folder)
        if session is not None:
            record.outputs(session.log, [LoggedModelOutput(made.model_id, step)])
        stored.wait()
    except BaseException:
        finalize_logged_model(made.model_id, LoggedModelStatus.FAILED)
        raise
    finalize_logged_model(made.model_id, LoggedModelStatus.READY)
    version = None
    if registered_model_name is not None:
        version = register_model(made.model_uri, registered_model_name).version
    return ModelInfo(made.model_id, made.name, made.model_uri, run_id, description.signature, version)


def fetched(model_uri: str | os.PathLike[str], dst_path: str | os.PathLike[str] | None = None) -> Path:
    """The folder of a model, downloaded if need be.

    Args:
        model_uri: ``models:/<model_id>``, ``models:/NAME/VERSION``, ``models:/NAME@ALIAS``,
            ``runs:/RUN_ID/PATH`` or a local folder.
        dst_path: where to download to; default: a new temporary folder.
    """
    text = os.fspath(model_uri)
    kind, _, rest = text.partition(":")
    path = rest.strip("/")
    core = core_for(get_tracking_uri())
    if kind == "models":
        if "/" not in path and "@" not in path:
            return _download(core, path, "", dst_path)
        version = ask(core, version_of_uri(text))
        return _of_version(core, version, dst_path)
    if kind == "runs":
        run_id, _, inside = path.partition("/")
        ask(core, run_with_id(run_id))
        return _download(core, run_id, inside, dst_path)
    return Path(text.removeprefix("file://"))


def _of_version(core: Core, version: ModelVersion, dst_path: str | os.PathLike[str] | None) -> Path:
    if version.model_id is not None:
        return _download(core, version.model_id, "", dst_path)
    source = version.storage_location or version.source or ""
    owner, _, path = source.partition("/artifacts")
    owner = owner.rpartition("/")[2]
    if source.startswith("headrace-artifacts:") and owner:
        return _download(core, owner, path.strip("/"), dst_path)
    folder = Path(source.removeprefix("file://"))
    if not folder.is_dir():
        problem = f"names files at {source!r}, which cannot be read from here"
        raise InvalidArgumentError(f"version {version.version} of {version.name!r}", problem)
    return folder


def _download(core: Core, owner: str, path: str, dst_path: str | os.PathLike[str] | None) -> Path:
    if owner.startswith("m-"):
        ask(core, model_with_id(owner))  # says so if there is none
        owner = f"models/{owner}"
    target = Path(dst_path) if dst_path is not None else Path(tempfile.mkdtemp(prefix="headrace-model-"))
    fetch: Fetch[Path] = Fetch(
        lambda http: incoming.Download(http, owner, incoming.into(target), progress.wanted()).get(path)
    )
    return ask(core, fetch)
