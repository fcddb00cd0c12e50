"""Logged models and the registry: between the engine's values and the protocol's messages. No I/O."""

from typing import Final

from headrace_proto.limits import MAX_TIMESTAMP
from headrace_proto.v1 import models_pb2 as pb
from headrace_storage import registered
from headrace_storage.errors import InvalidArgumentError

_STATUS: Final = {
    registered.ModelStatus.PENDING: pb.LOGGED_MODEL_PENDING,
    registered.ModelStatus.READY: pb.LOGGED_MODEL_READY,
    registered.ModelStatus.FAILED: pb.LOGGED_MODEL_FAILED,
}
_STATUS_OF: Final = {message: status for status, message in _STATUS.items()}


_LARGEST_VERSION: Final = 2**31 - 1
"""Of the versions that come from elsewhere: MLflow's databases hold no larger one."""


def status_of(message: pb.LoggedModelStatus) -> registered.ModelStatus:
    """The status that a model gets."""
    if message not in _STATUS_OF:
        raise InvalidArgumentError("status", f"is {message}, which is none")
    return _STATUS_OF[message]


def created(time: int) -> int | None:
    """When something was made, in ms since the epoch; ``None``: now."""
    if not 0 <= time <= MAX_TIMESTAMP:
        raise InvalidArgumentError("creation_time", f"is {time} ms, the bounds are 0 and {MAX_TIMESTAMP}")
    return time or None


def _number(version: int) -> int:
    if not 0 <= version <= _LARGEST_VERSION:
        raise InvalidArgumentError("version", f"is {version}, the bounds are 1 and {_LARGEST_VERSION}")
    return version


def new_model(message: pb.CreateLoggedModelRequest) -> registered.NewModel:
    """A model to be made."""
    return registered.NewModel(
        experiment_id=message.experiment_id,
        name=message.name,
        model_id=message.model_id,
        source_run_id=message.source_run_id,
        model_type=message.model_type,
        creator_id=message.creator_id,
        params=dict(message.params),
        tags=dict(message.tags),
        creation_time=created(message.creation_time),
    )


def logged_model(found: registered.LoggedModel) -> pb.LoggedModel:
    """A logged model."""
    return pb.LoggedModel(
        model_id=found.model_id,
        experiment_id=found.experiment_id,
        name=found.name,
        creation_time=found.creation_time,
        last_update_time=found.last_update_time,
        artifact_uri=found.artifact_uri,
        status=_STATUS[found.status],
        model_type=found.model_type,
        source_run_id=found.source_run_id,
        status_message=found.status_message,
        params=found.params,
        tags=found.tags,
        metrics=[pb.ModelMetric(**metric._asdict()) for metric in found.metrics],
        lifecycle_stage=found.lifecycle_stage,
        creator_id=found.creator_id,
    )


def new_version(message: pb.CreateModelVersionRequest) -> registered.NewVersion:
    """A version to be made."""
    return registered.NewVersion(
        name=message.name,
        source=message.source,
        run_id=message.run_id,
        run_link=message.run_link,
        description=message.description,
        model_id=message.model_id,
        user_id=message.user_id,
        tags=dict(message.tags),
        number=_number(message.version),
        creation_time=created(message.creation_time),
    )


def registered_model(found: registered.RegisteredModel) -> pb.RegisteredModel:
    """A registered model."""
    return pb.RegisteredModel(
        name=found.name,
        creation_time=found.creation_time,
        last_update_time=found.last_update_time,
        description=found.description,
        tags=found.tags,
        aliases=found.aliases,
        latest_versions=map(version, found.latest_versions),
    )


def version(found: registered.ModelVersion) -> pb.ModelVersion:
    """A version of a registered model."""
    return pb.ModelVersion(
        name=found.name,
        version=found.version,
        creation_time=found.creation_time,
        last_update_time=found.last_update_time,
        description=found.description,
        current_stage=found.stage,
        source=found.source,
        run_id=found.run_id,
        run_link=found.run_link,
        status="READY",
        tags=found.tags,
        aliases=found.aliases,
        model_id=found.model_id,
        user_id=found.user_id,
        storage_location=found.storage_location,
    )
