"""What names, tags and stages of models may be: MLflow's rules, in one place for all that may ask."""

import re
from collections.abc import Mapping
from typing import Final

from headrace_storage.catalog.text import is_storable
from headrace_storage.errors import InvalidArgumentError

STAGES: Final = ("None", "Staging", "Production", "Archived")
ACTIVE_STAGES: Final = ("Staging", "Production")

_MOST_TAGS: Final = 1000
_KEY: Final = 250
_NAME: Final = 500
_DESCRIPTION: Final = 5000
_LOGGED_TAG: Final = 8000
_LOGGED_PARAM: Final = 6000
_REGISTRY_TAG: Final = 100_000
_SOURCE: Final = 4096

_ALIAS: Final = re.compile(r"[\w\-]{1,255}")
_VERSION_ALIAS: Final = re.compile(r"v\d+", re.IGNORECASE)
_MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}")


def model_id(text: str) -> str:
    """The id of a logged model."""
    if not _MODEL_ID.fullmatch(text):
        raise InvalidArgumentError("model_id", 'is none: "m-" and 32 hex digits')
    return text


def logged_name(name: str) -> str:
    """The name of a logged model."""
    if any(mark in name for mark in "/:.%\"'"):
        problem = f"is {name[:100]!r}, and cannot contain any of / : . % \" '"
        raise InvalidArgumentError("name", problem)
    return _text("name", name, _NAME)


def registered_name(name: str, argument: str = "name") -> str:
    """The name of a registered model."""
    if not name.strip():
        raise InvalidArgumentError(argument, "is empty; give the name of a registered model")
    if any(mark in name for mark in "/:"):
        raise InvalidArgumentError(argument, f"is {name[:100]!r}, and cannot contain / or :")
    if name in {".", ".."}:
        raise InvalidArgumentError(argument, f"is {name!r}, which is no name of a folder")
    return _text(argument, name, _NAME)


def description(text: str) -> str:
    """What is said of a model or version."""
    return _text("description", text, _DESCRIPTION)


def source(text: str) -> str:
    """Where the files of a version are."""
    if not text:
        raise InvalidArgumentError("source", "is empty; give the URI of the model's files")
    return _text("source", text, _SOURCE)


def label(argument: str, text: str) -> str:
    """A short text."""
    return _text(argument, text, _NAME)


def logged_params(given: Mapping[str, str]) -> Mapping[str, str]:
    """Params of a logged model."""
    return _pairs("param", given, _LOGGED_PARAM)


def logged_tags(given: Mapping[str, str]) -> Mapping[str, str]:
    """Tags of a logged model."""
    return _pairs("tag", given, _LOGGED_TAG)


def registry_tags(given: Mapping[str, str]) -> Mapping[str, str]:
    """Tags of a registered model or a version."""
    return _pairs("tag", given, _REGISTRY_TAG)


def key(text: str) -> str:
    """The key of a tag."""
    if not text:
        raise InvalidArgumentError("key", "is empty; give the key of a tag")
    return _text("key", text, _KEY)


def alias(text: str) -> str:
    """An alias of a version."""
    if not _ALIAS.fullmatch(text):
        problem = f"is {text[:100]!r}; give 1 to 255 letters, digits, underscores and dashes"
        raise InvalidArgumentError("alias", problem)
    if text.lower() == "latest" or _VERSION_ALIAS.fullmatch(text):
        raise InvalidArgumentError("alias", f"is {text!r}, which is reserved")
    return text


def stage(text: str) -> str:
    """A stage, as it is written."""
    found = next((one for one in STAGES if one.lower() == text.lower()), None)
    if found is None:
        raise InvalidArgumentError("stage", f"is {text[:100]!r}; give one of {', '.join(STAGES)}")
    return found


def _pairs(what: str, given: Mapping[str, str], bound: int) -> Mapping[str, str]:
    if len(given) > _MOST_TAGS:
        raise InvalidArgumentError(f"{what}s", f"are {len(given)}, the bound is {_MOST_TAGS}")
    for name, value in given.items():
        key(name)
        _text(f"{what} {name[:100]!r}", value, bound)
    return dict(given)


def _text(argument: str, text: str, bound: int) -> str:
    if len(text) > bound:
        raise InvalidArgumentError(argument, f"has {len(text)} characters, the bound is {bound}; shorten it")
    if not is_storable(text):
        raise InvalidArgumentError(argument, "holds a NUL or half of a character, which no text has")
    return text
