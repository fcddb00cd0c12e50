"""The tags that a run is created with: MLflow's own, and those that the caller gives."""

from collections.abc import Mapping

from headrace import source, surroundings, values
from headrace.errors import InvalidArgumentError
from headrace_proto.names import default_run_name

USER = "mlflow.user"
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
RUN_NAME = "mlflow.runName"
ENTRY_POINT = "mlflow.project.entryPoint"
GIT_COMMIT = "mlflow.source.git.commit"
HOST = "headrace.host"
RANK = "headrace.rank"
PARENT_RUN_ID = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
NOT_INHERITED = "headrace.notInherited"
RECOVERED = "headrace.recovered"
"""Set by the daemon: why the run is in another experiment than the one it was meant for."""


def with_note(tags: dict[str, str], description: str | None) -> dict[str, str]:
    """``tags`` and a run's description, which is a tag as well."""
    if description is None:
        return tags
    if NOTE in tags:
        raise InvalidArgumentError(
            "description", f"is given, and so is the tag {NOTE}; leave one of them out"
        )
    return values.tags({**tags, NOTE: description})


def with_name(tags: dict[str, str], run_name: str | None) -> dict[str, str]:
    """``tags`` and the name that a run is given, which is a tag as well."""
    if run_name is None:
        return tags
    if tags.get(RUN_NAME, run_name) != run_name:
        problem = f"is {run_name!r}, but the tag {RUN_NAME} is {tags[RUN_NAME]!r}; leave one of them out"
        raise InvalidArgumentError("run_name", problem)
    return {**tags, RUN_NAME: values.name("run_name", run_name)}


def complete(
    given: Mapping[str, str], run_name: str | None, parent_run_id: str | None = None
) -> dict[str, str]:
    """All tags of a new run: the automatic ones, its name (a random one by default), and those given."""
    named = with_name(dict(given), run_name or given.get(RUN_NAME) or default_run_name())
    nested = {PARENT_RUN_ID: parent_run_id} if parent_run_id else {}
    return values.tags({**automatic(), **nested, **named})


def automatic() -> dict[str, str]:
    """What a process can tell of the runs that it starts: who, where, and from which code."""
    labels = surroundings.labels()
    known = {
        USER: labels["user"],
        SOURCE_NAME: source.name(),
        SOURCE_TYPE: source.kind(),
        ENTRY_POINT: source.entry_point(),
        GIT_COMMIT: source.git_commit(),
        HOST: labels["host"],
        RANK: labels.get("rank"),
    }
    return {key: value for key, value in known.items() if value}
