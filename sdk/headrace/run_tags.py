"""The tags that a run is created with: MLflow's own, and those that the caller gives."""

import sys
from collections.abc import Mapping

from headrace import surroundings, values
from headrace.errors import InvalidArgumentError
from headrace.names import default_run_name

USER = "mlflow.user"
SOURCE_NAME = "mlflow.source.name"
SOURCE_TYPE = "mlflow.source.type"
RUN_NAME = "mlflow.runName"
PARENT_RUN_ID = "mlflow.parentRunId"
NOTE = "mlflow.note.content"
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


def complete(
    given: Mapping[str, str], run_name: str | None, parent_run_id: str | None = None
) -> dict[str, str]:
    """All tags of a new run: the automatic ones, its name (a random one by default), and those given."""
    tagged = given.get(RUN_NAME)
    if run_name and tagged and run_name != tagged:
        problem = f"is {run_name!r}, but the tag {RUN_NAME} is {tagged!r}; leave one of them out"
        raise InvalidArgumentError("run_name", problem)
    automatic = {
        USER: surroundings.user(),
        SOURCE_NAME: sys.argv[0] or "<console>",
        SOURCE_TYPE: "LOCAL",
        RUN_NAME: values.name("run_name", run_name or tagged or default_run_name()),
    }
    if parent_run_id:
        automatic[PARENT_RUN_ID] = parent_run_id
    return values.tags({**automatic, **given})
