"""Changes of runs: from the protocol's messages to the engine's, every bound checked. No I/O."""

import re
from collections.abc import Mapping
from typing import Final

from headrace_ingest import lineage
from headrace_proto.limits import (
    MAX_NAME_LENGTH,
    MAX_PARAM_LENGTH,
    MAX_RUN_TAGS,
    MAX_TAG_LENGTH,
    MAX_TIMESTAMP,
    MAX_TOKEN_LENGTH,
    key_problem,
    text_problem,
)
from headrace_proto.v1 import tracking_pb2
from headrace_storage import model
from headrace_storage.errors import InvalidArgumentError

_RUN_ID: Final = re.compile("[0-9a-f]{32}")
_LEAST_STEP: Final = -(2**63)

_ENDED: Final = {
    tracking_pb2.FINISHED: model.RunStatus.FINISHED,
    tracking_pb2.FAILED: model.RunStatus.FAILED,
    tracking_pb2.KILLED: model.RunStatus.KILLED,
    tracking_pb2.SCHEDULED: model.RunStatus.SCHEDULED,
}


def run_change(message: tracking_pb2.RunChange) -> model.RunChange:  # noqa: PLR0911 - a table
    """The change that ``message`` asks for. :class:`InvalidArgumentError` names the field and its bound."""
    match message.WhichOneof("change"):
        case "create":
            return create_run(message.create)
        case "start_attempt":
            return _start_attempt(message.start_attempt)
        case "end":
            return _end_run(message.end)
        case "param":
            _check_pair("param", message.param.key, message.param.value, MAX_PARAM_LENGTH)
            return model.SetParam(message.param.key, message.param.value)
        case "tag":
            _check_pair("tag", message.tag.key, message.tag.value, MAX_TAG_LENGTH)
            return model.SetTag(message.tag.key, message.tag.value)
        case "delete_tag":
            _check("tag key", key_problem(message.delete_tag.key))
            return model.DeleteTag(message.delete_tag.key)
        case "dataset" | "models" | "link_metric":
            return lineage.change(message)
        case _:
            raise InvalidArgumentError("change", "is of a kind that this daemon does not know; upgrade it")


def create_run(message: tracking_pb2.CreateRun) -> model.CreateRun:
    """The run that ``message`` describes. :class:`InvalidArgumentError` names the field and its bound."""
    _check("experiment_id", text_problem(message.experiment_id, MAX_NAME_LENGTH))
    _check("experiment_name", text_problem(message.experiment_name, MAX_NAME_LENGTH))
    _check("run_name", text_problem(message.run_name, MAX_NAME_LENGTH))
    _check("user_id", text_problem(message.user_id, MAX_NAME_LENGTH))
    check_time("start_time", message.start_time)
    if message.fork_from and not _RUN_ID.fullmatch(message.fork_from):
        raise InvalidArgumentError("fork_from", "is not 32 lower-case hexadecimal digits")
    return model.CreateRun(
        message.experiment_id,
        message.experiment_name,
        message.run_name,
        message.user_id,
        message.start_time,
        tags(message.tags),
        message.fork_from,
        message.fork_step if message.HasField("fork_step") else None,
    )


def tags(given: Mapping[str, str]) -> Mapping[str, str]:
    """A copy of ``given``, each key and value within its bounds. :class:`InvalidArgumentError` if not."""
    if len(given) > MAX_RUN_TAGS:
        raise InvalidArgumentError("tags", f"are {len(given)}, the bound is {MAX_RUN_TAGS}")
    for key, value in given.items():
        _check_pair("tag", key, value, MAX_TAG_LENGTH)
    return dict(given)


def tag_key(key: str) -> str:
    """``key``, if it can be a tag's. :class:`InvalidArgumentError` if not."""
    _check("tag key", key_problem(key))
    return key


def experiment_name(name: str) -> str:
    """``name``, if it can be an experiment's. :class:`InvalidArgumentError` if not."""
    _check("name", text_problem(name, MAX_NAME_LENGTH) if name else "is empty; give 1 to 500 characters")
    return name


def _start_attempt(message: tracking_pb2.StartAttempt) -> model.StartAttempt:
    _check("token", text_problem(message.token, MAX_TOKEN_LENGTH) if message.token else "is empty")
    _check("process_id", text_problem(message.process_id, MAX_TOKEN_LENGTH))
    check_time("start_time", message.start_time)
    step = message.resume_from_step if message.HasField("resume_from_step") else None
    if step == _LEAST_STEP:
        raise InvalidArgumentError("resume_from_step", "is the least step there is: start a new run instead")
    return model.StartAttempt(message.token, message.process_id, message.start_time, step)


def _end_run(message: tracking_pb2.EndRun) -> model.EndRun:
    if message.status not in _ENDED:
        raise InvalidArgumentError("status", f"is {message.status}, which ends no run")
    _check("token", text_problem(message.token, MAX_TOKEN_LENGTH))
    _check("process_id", text_problem(message.process_id, MAX_TOKEN_LENGTH))
    check_time("end_time", message.end_time)
    return model.EndRun(_ENDED[message.status], message.end_time, message.token, message.process_id)


def _check_pair(kind: str, key: str, value: str, bound: int) -> None:
    _check(f"{kind} key {key[:50]!r}", key_problem(key))
    _check(f"{kind} {key!r}", text_problem(value, bound))


def check_time(argument: str, value: int) -> None:
    """Ms since the epoch. :class:`InvalidArgumentError` if ``value`` is none."""
    if not 0 <= value <= MAX_TIMESTAMP:
        raise InvalidArgumentError(argument, f"is {value} ms, the bounds are 0 and {MAX_TIMESTAMP}")


def _check(argument: str, problem: str | None) -> None:
    if problem:
        raise InvalidArgumentError(argument, problem)
