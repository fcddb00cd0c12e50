"""Questions about the model registry."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from headrace import values
from headrace.calls import model_messages as messages
from headrace.calls.call import Call, Question, Steps, Talk
from headrace.calls.messages import page_size
from headrace.entities import PagedList
from headrace.errors import AlreadyExistsError, InvalidArgumentError, NotFoundError
from headrace.model_entities import ModelVersion, RegisteredModel
from headrace.surroundings import labels
from headrace_proto import limits
from headrace_proto.v1 import models_pb2 as pb

STAGES = ("None", "Staging", "Production", "Archived")

_MAX_TAG_LENGTH = 100_000
"""Characters of a tag of the registry: MLflow's bound."""


def create_registered_model(
    name: str,
    tags: Mapping[str, object] | None = None,
    description: str | None = None,
    deployment_job_id: str | None = None,
) -> Question[RegisteredModel]:
    """Makes a registered model.

    Args:
        name: without ``/`` and ``:``.
        tags: values become text.
        description: of at most 5000 characters.
        deployment_job_id: of MLflow on Databricks; ignored.

    Raises:
        AlreadyExistsError: the name is taken.
    """
    del deployment_job_id
    request = pb.CreateRegisteredModelRequest(
        name=values.said("name", name),
        description=values.said("description", description),
        tags=_tags(tags),
    )
    return Call("CreateRegisteredModel", request, messages.registered_model)


def get_registered_model(name: str) -> Question[RegisteredModel]:
    """The registered model with this name. ``NotFoundError`` when there is none."""
    return _model(name)


def rename_registered_model(name: str, new_name: str) -> Question[RegisteredModel]:
    """Gives a registered model another name. ``AlreadyExistsError`` when that is taken."""
    return _change(name, pb.ChangeRegisteredModelRequest(new_name=values.said("new_name", new_name)))


def update_registered_model(
    name: str, description: str | None = None, deployment_job_id: str | None = None
) -> Question[RegisteredModel]:
    """Writes the description of a registered model; ``deployment_job_id`` is ignored."""
    del deployment_job_id
    told = values.said("description", description)
    return _change(name, pb.ChangeRegisteredModelRequest(description=told))


def delete_registered_model(name: str) -> Question[None]:
    """Deletes a registered model with all of its versions, for good. The logged models stay."""
    return _done(_change(name, pb.ChangeRegisteredModelRequest(deleted=True)))


def search_registered_models(
    filter_string: str | None = None,
    max_results: int = 100,
    order_by: Sequence[str] | None = None,
    page_token: str | None = None,
) -> Question[PagedList[RegisteredModel]]:
    """A page of the registered models that match, in order.

    Args:
        filter_string: as ``"name LIKE 'digits%' AND tags.team = 'vision'"``; default: all. Fields are
            ``name``, ``creation_timestamp``, ``last_updated_timestamp`` and ``tags.KEY``.
        max_results: the size of the page.
        order_by: as ``["last_updated_timestamp DESC"]``, of the same fields but tags; default: by name.
        page_token: the ``token`` of the page before, found with the same order.
    """
    request = _search(filter_string, max_results, order_by, page_token)

    def read(response: pb.SearchRegisteredModelsResponse) -> PagedList[RegisteredModel]:
        return PagedList(map(messages.registered_model, response.models), response.next_page_token or None)

    return Call("SearchRegisteredModels", request, read)


def get_latest_versions(name: str, stages: Sequence[str] | None = None) -> Question[list[ModelVersion]]:
    """The latest version of each stage, or of these stages. ``NotFoundError``: there is no such model."""
    wanted = {_stage(stage) for stage in stages or STAGES}
    request = pb.GetRegisteredModelRequest(name=values.said("name", name))

    def read(message: pb.RegisteredModel) -> list[ModelVersion]:
        found = map(messages.version, message.latest_versions)
        return [version for version in found if version.current_stage in wanted]

    return Call("GetRegisteredModel", request, read)


def set_registered_model_tag(name: str, key: str, value: object) -> Question[None]:
    """Sets a tag of a registered model; the value becomes text of at most 100,000 characters."""
    given = pb.ChangeRegisteredModelRequest.Texts(texts=_tags({key: value}))
    return _done(_change(name, pb.ChangeRegisteredModelRequest(set_tags=given)))


def delete_registered_model_tag(name: str, key: str) -> Question[None]:
    """Deletes a tag of a registered model; one that does not exist is no error."""
    return _done(_change(name, pb.ChangeRegisteredModelRequest(delete_tag=values.key(key))))


def set_registered_model_alias(name: str, alias: str, version: str | int) -> Question[None]:
    """Has an alias mean a version: ``models:/NAME@ALIAS``. It means one at a time."""
    given = pb.ChangeRegisteredModelRequest.Alias(alias=values.said("alias", alias), version=_number(version))
    return _done(_change(name, pb.ChangeRegisteredModelRequest(set_alias=given)))


def delete_registered_model_alias(name: str, alias: str) -> Question[None]:
    """Deletes an alias; one that does not exist is no error."""
    return _done(_change(name, pb.ChangeRegisteredModelRequest(delete_alias=values.key(alias, "alias"))))


def create_model_version(  # noqa: PLR0917 - MLflow's order
    name: str,
    source: str,
    run_id: str | None = None,
    tags: Mapping[str, object] | None = None,
    run_link: str | None = None,
    description: str | None = None,
    await_creation_for: int | None = None,
    model_id: str | None = None,
) -> Question[ModelVersion]:
    """Makes the next version of a registered model. It is ready at once.

    Args:
        name: the registered model.
        source: where the files are: a URI, ``models:/<model_id>`` or ``models:/NAME/VERSION``.
        run_id: the run that made the files; default: that of the logged model.
        tags: values become text.
        run_link: a link to that run, elsewhere.
        description: of at most 5000 characters.
        await_creation_for: of MLflow; there is nothing to wait for.
        model_id: the logged model.
    """
    del await_creation_for
    request = pb.CreateModelVersionRequest(
        name=values.said("name", name),
        source=values.said("source", source),
        run_id=values.said("run_id", run_id),
        run_link=values.said("run_link", run_link),
        description=values.said("description", description),
        model_id=values.said("model_id", model_id),
        tags=_tags(tags),
        user_id=labels()["user"],
    )
    return Call("CreateModelVersion", request, messages.version)


def copy_model_version(src_model_uri: str, dst_name: str) -> Question[ModelVersion]:
    """Makes a version of another registered model from ``models:/NAME/VERSION`` (or ``@ALIAS``).

    Args:
        src_model_uri: the version to copy.
        dst_name: the registered model that gets it; made if there is none.
    """
    get, name = version_of_uri(src_model_uri), values.said("dst_name", dst_name)

    def steps() -> Steps[ModelVersion]:
        found: ModelVersion = yield get
        with contextlib.suppress(AlreadyExistsError):
            yield Call("CreateRegisteredModel", pb.CreateRegisteredModelRequest(name=name), _nothing)
        request = pb.CreateModelVersionRequest(
            name=name,
            source=f"models:/{found.name}/{found.version}",
            run_id=found.run_id or "",
            run_link=found.run_link or "",
            description=found.description or "",
            model_id=found.model_id or "",
            tags=found.tags,
            user_id=labels()["user"],
        )
        made: ModelVersion = yield Call("CreateModelVersion", request, messages.version)
        return made

    return Talk(steps)


def get_model_version(name: str, version: str | int) -> Question[ModelVersion]:
    """A version of a registered model. ``NotFoundError`` when there is none."""
    return _version(pb.GetModelVersionRequest(name=values.said("name", name), version=_number(version)))


def get_model_version_by_alias(name: str, alias: str) -> Question[ModelVersion]:
    """The version that an alias means. ``InvalidArgumentError`` when it means none, as in MLflow."""
    request = pb.GetModelVersionRequest(name=values.said("name", name), alias=values.said("alias", alias))
    return _version(request)


def get_model_version_download_uri(name: str, version: str | int) -> Question[str]:
    """Where the files of a version are."""
    request = pb.GetModelVersionRequest(name=values.said("name", name), version=_number(version))
    return Call("GetModelVersion", request, lambda message: str(message.storage_location))


def get_model_version_stages(name: str, version: str | int) -> Question[list[str]]:
    """The stages that a version can be in: always the same."""
    request = pb.GetModelVersionRequest(name=values.said("name", name), version=_number(version))
    return Call("GetModelVersion", request, lambda _: list(STAGES))


def update_model_version(
    name: str, version: str | int, description: str | None = None
) -> Question[ModelVersion]:
    """Writes the description of a version."""
    told = values.said("description", description)
    return _change_version(name, version, pb.ChangeModelVersionRequest(description=told))


def transition_model_version_stage(
    name: str, version: str | int, stage: str, archive_existing_versions: bool = False
) -> Question[ModelVersion]:
    """Puts a version into a stage.

    Args:
        name: the registered model.
        version: its version.
        stage: None, Staging, Production or Archived. New code uses aliases.
        archive_existing_versions: the versions that are in it (Staging or Production) become Archived.
    """
    if not isinstance(archive_existing_versions, bool):
        problem = f"is {archive_existing_versions!r}; expected True or False"
        raise InvalidArgumentError("archive_existing_versions", problem)
    wanted = pb.ChangeModelVersionRequest.Stage(
        stage=values.said("stage", stage), archive_existing_versions=archive_existing_versions
    )
    return _change_version(name, version, pb.ChangeModelVersionRequest(stage=wanted))


def delete_model_version(name: str, version: str | int) -> Question[None]:
    """Deletes a version and its aliases, for good. Its number does not come again."""
    return _done(_change_version(name, version, pb.ChangeModelVersionRequest(deleted=True)))


def set_model_version_tag(
    name: str,
    version: str | int | None = None,
    key: str | None = None,
    value: Any = None,
    stage: str | None = None,
) -> Question[None]:
    """Sets a tag of a version, or of the latest version of a stage; the value becomes text."""
    given = pb.ChangeModelVersionRequest.Texts(texts=_tags({str(key or ""): value}))
    return _on_version(name, version, stage, pb.ChangeModelVersionRequest(set_tags=given))


def delete_model_version_tag(
    name: str, version: str | int | None = None, key: str | None = None, stage: str | None = None
) -> Question[None]:
    """Deletes a tag of a version, or of the latest version of a stage; one that is not there is no error."""
    return _on_version(name, version, stage, pb.ChangeModelVersionRequest(delete_tag=values.key(key or "")))


def search_model_versions(
    filter_string: str | None = None,
    max_results: int = 10_000,
    order_by: Sequence[str] | None = None,
    page_token: str | None = None,
) -> Question[PagedList[ModelVersion]]:
    """A page of the versions that match, in order.

    Args:
        filter_string: as ``"name = 'digits' AND tags.checked = 'yes'"``; default: all. Fields are ``name``,
            ``version_number``, ``run_id``, ``source_path``, ``creation_timestamp``,
            ``last_updated_timestamp`` and ``tags.KEY``.
        max_results: the size of the page.
        order_by: as ``["version_number DESC"]``, of the same fields but tags; default: changed last first.
        page_token: the ``token`` of the page before, found with the same order.
    """
    request = _search(filter_string, max_results, order_by, page_token)

    def read(response: pb.SearchModelVersionsResponse) -> PagedList[ModelVersion]:
        return PagedList(map(messages.version, response.versions), response.next_page_token or None)

    return Call("SearchModelVersions", request, read)


def version_of_uri(uri: str) -> Call[ModelVersion]:
    """The version that ``models:/NAME/VERSION`` or ``models:/NAME@ALIAS`` means."""
    uri = values.said("model URI", uri)
    path = uri.removeprefix("models:").strip("/")
    name, at, alias = path.rpartition("@")
    if at and name and "/" not in alias:
        return _version(pb.GetModelVersionRequest(name=name, alias=alias))
    name, _, version = path.rpartition("/")
    if not uri.startswith("models:") or not name:
        raise InvalidArgumentError(
            "model URI", f"is {uri!r}; expected models:/NAME/VERSION or models:/NAME@ALIAS"
        )
    return _version(pb.GetModelVersionRequest(name=name, version=_number(version)))


def _on_version(
    name: str, version: str | int | None, stage: str | None, request: pb.ChangeModelVersionRequest
) -> Question[None]:
    if (version is None) == (stage is None):
        raise InvalidArgumentError("version or stage", "must be given, and not both")
    if stage is None:
        return _done(_change_version(name, version or "", request))
    wanted = _stage(stage)

    def steps() -> Steps[None]:
        model: RegisteredModel = yield _model(name)
        latest = [one.version for one in model.latest_versions if one.current_stage == wanted]
        if not latest:
            raise NotFoundError(f"there is no version of {name!r} in the stage {wanted}")
        yield _change_version(name, latest[0], request)

    return Talk(steps)


def _search(
    filter_string: str | None, max_results: int, order_by: Sequence[str] | None, page_token: str | None
) -> pb.SearchRegistryRequest:
    return pb.SearchRegistryRequest(
        filter="".join(values.texts("filter_string", filter_string)),
        order_by=values.texts("order_by", order_by),
        max_results=page_size(max_results),
        page_token=values.said("page_token", page_token),
    )


def _model(name: str) -> Call[RegisteredModel]:
    request = pb.GetRegisteredModelRequest(name=values.said("name", name))
    return Call("GetRegisteredModel", request, messages.registered_model)


def _change(name: str, request: pb.ChangeRegisteredModelRequest) -> Call[RegisteredModel]:
    request.name = values.said("name", name)
    return Call("ChangeRegisteredModel", request, messages.registered_model)


def _version(request: pb.GetModelVersionRequest) -> Call[ModelVersion]:
    return Call("GetModelVersion", request, messages.version)


def _change_version(
    name: str, version: str | int, request: pb.ChangeModelVersionRequest
) -> Call[ModelVersion]:
    request.name, request.version = values.said("name", name), _number(version)
    return Call("ChangeModelVersion", request, messages.version)


def _done(call: Call[Any]) -> Call[None]:
    return Call(call.method, call.request, _nothing)


def _nothing(_: Any) -> None:
    pass


def _number(version: str | int) -> int:
    if not str(version).isdecimal() or len(str(version)) > 18:
        raise InvalidArgumentError("version", f"is {version!r}; expected a decimal number")
    return int(version)


def _stage(stage: str) -> str:
    found = next((one for one in STAGES if one.lower() == str(stage).lower()), None)
    if found is None:
        raise InvalidArgumentError("stage", f"is {stage!r}; expected one of {', '.join(STAGES)}")
    return found


def _tags(given: Mapping[str, object] | None) -> dict[str, str]:
    tags = values.by_name("tags", given)
    if len(tags) > limits.MAX_RUN_TAGS:
        raise InvalidArgumentError("tags", f"holds {len(tags)}, the bound is {limits.MAX_RUN_TAGS}")
    return {
        values.key(key, "tag key"): values.text(f"tag {key!r}", value, _MAX_TAG_LENGTH)
        for key, value in tags.items()
    }
