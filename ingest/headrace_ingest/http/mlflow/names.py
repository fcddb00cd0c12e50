"""What MLflow's API asks of names and values beyond Headrace's own rules (``headrace_proto.limits``)."""

import posixpath
import re
from typing import Final
from urllib.parse import unquote_plus, urlsplit

from headrace_proto.limits import MAX_PARAM_LENGTH, MAX_TAG_LENGTH, key_problem
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_storage.errors import InvalidArgumentError

MAX_METRICS: Final = 1000
MAX_PARAMS: Final = 100
MAX_TAGS: Final = 100
MAX_ITEMS: Final = 1000
"""What a batch may have of each, and of all together."""

_ENCODED: Final = 8
"""So often at most a path is encoded by percent signs."""

_NAME: Final = re.compile(r"[/\w.\- :]*")


def checked_key(key: str, place: str = "key") -> str:
    """``key``, if it can be that of a metric, param or tag in MLflow; InvalidArgumentError if not."""
    if problem := key_problem(key):
        raise InvalidArgumentError(place, problem)
    if not _NAME.fullmatch(key):
        raise InvalidArgumentError(
            place,
            f"is {key[:100]!r}; names have letters, digits, underscores, dashes, periods, spaces, colons and "
            "slashes",
        )
    normal = posixpath.normpath(key)
    if normal != key or normal == "." or normal.startswith(("..", "/")):
        raise InvalidArgumentError(place, f"is {key[:100]!r}, which as a path would be {normal[:100]!r}")
    return key


def checked_source(source: str) -> str:
    """``source`` of a version, if it can be that in MLflow: a URI, not a folder of one machine."""
    plain = source
    for _ in range(_ENCODED):
        plain = unquote_plus(plain)
    try:
        scheme, path = urlsplit(source).scheme, re.sub("/+", "/", urlsplit(plain).path.rstrip("/"))
    except ValueError:
        scheme = path = ""
    if scheme in {"", "file"}:
        raise InvalidArgumentError("source", f"is {source[:100]!r}, a path of one machine; give a URI")
    if ".." in plain.split("/") or "\0" in plain or path[:1] != "/" or posixpath.normpath(path) != path:
        raise InvalidArgumentError("source", f"is {source[:100]!r}, which is no absolute path of a store")
    return source


def param(key: str, value: str, place: str = "") -> RunChange:
    """A param to set, its value cut as MLflow's server does."""
    change = RunChange()
    change.param.key, change.param.value = checked_key(key, f"{place}key"), value[:MAX_PARAM_LENGTH]
    return change


def tag(key: str, value: str, place: str = "") -> RunChange:
    """A tag to set, its value cut as MLflow's server does."""
    change = RunChange()
    change.tag.key, change.tag.value = checked_key(key, f"{place}key"), value[:MAX_TAG_LENGTH]
    return change


def check_batch(metrics: int, params: int, tags: int) -> None:
    """InvalidArgumentError: a batch is larger than MLflow's bounds."""
    for what, count, bound in (
        ("metrics", metrics, MAX_METRICS),
        ("params", params, MAX_PARAMS),
        ("tags", tags, MAX_TAGS),
        ("metrics, params and tags", metrics + params + tags, MAX_ITEMS),
    ):
        if count > bound:
            raise InvalidArgumentError(what, f"are {count}, the bound of a batch is {bound}; split it")
