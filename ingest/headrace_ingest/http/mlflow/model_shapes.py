"""Logged models, registered models and versions, as MLflow's server answers them."""

from typing import Final

from headrace_ingest.http.mlflow.shapes import Fields, given_only, pairs, their_uri, value
from headrace_proto.v1 import models_pb2 as pb

STATUSES: Final = ("LOGGED_MODEL_PENDING", "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")
"""MLflow's names, in the order of ``LoggedModelStatus`` from 1 on."""


def logged_model(found: pb.LoggedModel) -> Fields:
    """A logged model, with its points."""
    info: Fields = {
        "model_id": found.model_id,
        "experiment_id": found.experiment_id,
        "name": found.name,
        "creation_timestamp_ms": found.creation_time,
        "last_updated_timestamp_ms": found.last_update_time,
        "artifact_uri": their_uri(found.artifact_uri),
        "status": STATUSES[found.status - 1],
        "model_type": found.model_type,
        "source_run_id": found.source_run_id,
    }
    info |= given_only(status_message=found.status_message, tags=pairs(found.tags))
    metrics = [_metric(each, found.model_id) for each in found.metrics]
    return {"info": info, "data": given_only(params=pairs(found.params), metrics=metrics)}


def registered_model(found: pb.RegisteredModel) -> Fields:
    """A registered model, with its latest version of each stage."""
    fields: Fields = {
        "name": found.name,
        "creation_timestamp": found.creation_time,
        "last_updated_timestamp": found.last_update_time,
    }
    aliases = [{"alias": alias, "version": str(found.aliases[alias])} for alias in sorted(found.aliases)]
    return fields | given_only(
        description=found.description,
        latest_versions=[version(each) for each in found.latest_versions],
        tags=pairs(found.tags),
        aliases=aliases,
    )


def version(found: pb.ModelVersion) -> Fields:
    """A version of a registered model."""
    fields: Fields = {
        "name": found.name,
        "version": str(found.version),
        "creation_timestamp": found.creation_time,
        "last_updated_timestamp": found.last_update_time,
        "current_stage": found.current_stage,
        "description": found.description,
        "source": their_uri(found.source),
        "run_id": found.run_id,
        "status": found.status,
        "run_link": found.run_link,
    }
    return fields | given_only(user_id=found.user_id, tags=pairs(found.tags), aliases=sorted(found.aliases))


def _metric(found: pb.ModelMetric, model_id: str) -> Fields:
    fields: Fields = {
        "key": found.key,
        "value": value(found.value),
        "timestamp": found.timestamp,
        "step": found.step,
        "model_id": model_id,
        "run_id": found.run_id,
    }
    return fields | given_only(dataset_name=found.dataset_name, dataset_digest=found.dataset_digest)
