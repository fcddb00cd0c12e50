"""Reads what the models service's messages hold."""

from headrace.entities import Metric
from headrace.model_entities import LoggedModel, LoggedModelStatus, ModelVersion, RegisteredModel
from headrace_proto.v1 import models_pb2 as pb

STATUS = {
    pb.LOGGED_MODEL_PENDING: LoggedModelStatus.PENDING,
    pb.LOGGED_MODEL_READY: LoggedModelStatus.READY,
    pb.LOGGED_MODEL_FAILED: LoggedModelStatus.FAILED,
}


def logged_model(message: pb.LoggedModel) -> LoggedModel:
    """A logged model."""
    return LoggedModel(
        experiment_id=message.experiment_id,
        model_id=message.model_id,
        name=message.name,
        artifact_location=message.artifact_uri,
        creation_timestamp=message.creation_time,
        last_updated_timestamp=message.last_update_time,
        model_type=message.model_type or None,
        source_run_id=message.source_run_id or None,
        status=STATUS.get(message.status, LoggedModelStatus.UNSPECIFIED),
        status_message=message.status_message or None,
        tags=dict(message.tags),
        params=dict(message.params),
        metrics=[_metric(metric, message.model_id) for metric in message.metrics],
    )


def registered_model(message: pb.RegisteredModel) -> RegisteredModel:
    """A registered model."""
    return RegisteredModel(
        message.name,
        message.creation_time,
        message.last_update_time,
        message.description or None,
        [version(latest) for latest in message.latest_versions],
        dict(message.tags),
        {alias: str(number) for alias, number in message.aliases.items()},
    )


def version(message: pb.ModelVersion) -> ModelVersion:
    """A version of a registered model."""
    return ModelVersion(
        name=message.name,
        version=str(message.version),
        creation_timestamp=message.creation_time,
        last_updated_timestamp=message.last_update_time,
        description=message.description or None,
        user_id=message.user_id or None,
        current_stage=message.current_stage,
        source=message.source,
        run_id=message.run_id or None,
        status=message.status,
        status_message=message.status_message or None,
        tags=dict(message.tags),
        run_link=message.run_link or None,
        aliases=list(message.aliases),
        model_id=message.model_id or None,
        storage_location=message.storage_location,
    )


def _metric(message: pb.ModelMetric, model_id: str) -> Metric:
    return Metric(
        message.key,
        message.value,
        message.timestamp,
        message.step,
        model_id,
        message.dataset_name or None,
        message.dataset_digest or None,
        message.run_id,
    )
