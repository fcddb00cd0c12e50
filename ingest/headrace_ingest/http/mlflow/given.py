"""What a request says: MLflow's proto3 JSON, and the query of a GET. Unknown fields are ignored.

Every value that is none of its type is refused with its place (``metrics[3].step``), also where MLflow 3.17
answers 200 and drops the rest of the request.
"""

import asyncio
import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Self

import orjson
from starlette.requests import Request

from headrace_ingest.http.gate import BODY_BYTES
from headrace_ingest.http.problems import Problem
from headrace_proto.limits import text_problem
from headrace_storage.errors import InvalidArgumentError

SILENCE_SECONDS: Final = 60.0
"""For so long a body may take."""

SMALL: Final = 64 << 10
"""Bytes of a body that is not counted: so many are in memory for each connection anyway."""

_IN_THREAD: Final = 256 << 10
"""Bytes of a body from which on it is read in a thread, while others go on."""

_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_INT64: Final = 1 << 63
_VERSION: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def announced(request: Request) -> int:
    """Bytes that the body of ``request`` will take in memory, as far as they count."""
    length = request.headers.get("content-length")
    if length is None:
        return BODY_BYTES if "transfer-encoding" in request.headers else 0
    size = int(length) if length.isdecimal() and len(length) < 20 else BODY_BYTES
    return min(size, BODY_BYTES) if size > SMALL else 0


class Given:
    """The fields of a message. A field that is ``null`` is not given; ``runId`` says ``run_id``."""

    def __init__(self, fields: Mapping[str, Any], path: str = "", lists: Any = None) -> None:
        """``lists``: how a query tells a list."""
        self._fields = fields
        self._path = path
        self._lists = lists

    @classmethod
    async def of(cls, request: Request) -> Self:
        """What ``request`` says: the query of a GET, else its body; and its path, over both."""
        query, named = request.query_params, request.path_params
        if request.method == "GET" and query:
            return cls({**query, **named}, lists=query.getlist)
        if request.method == "POST":
            kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if kind != "application/json":
                raise InvalidArgumentError("Content-Type", f"is {kind[:100]!r}, not 'application/json'")
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                body = await request.body()
        except TimeoutError:
            raise Problem(408, "REQUEST_TIMEOUT", "the body does not come") from None
        fields = await asyncio.to_thread(_parsed, body) if len(body) > _IN_THREAD else _parsed(body)
        return cls({**fields, **named} if named else fields)

    def text(self, name: str, *, required: bool = False) -> str:
        """A text; "" when it is not given."""
        value = self._value(name)
        if value is None or value == "":
            if required:
                raise self._missing(name)
            return ""
        return self._checked_text(name, value)

    def run_id(self) -> str:
        """The run, by either of its names."""
        return self.text("run_id") or self.text("run_uuid") or self.text("run_id", required=True)

    def experiment_id(self) -> str:
        """The experiment, which must be a number."""
        return self._checked_experiment("experiment_id", self.text("experiment_id", required=True))

    def experiment_ids(self) -> list[str]:
        """The experiments, which must be numbers."""
        return [self._checked_experiment("experiment_ids", each) for each in self.texts("experiment_ids")]

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        return [
            self._checked_text(f"{name}[{number}]", value) for number, value in enumerate(self._list(name))
        ]

    @classmethod
    def item(cls, place: str, value: Any) -> Self:
        """A message inside of another one."""
        if not isinstance(value, dict):
            raise _wrong(place, value, "an object")
        return cls(value, f"{place}.")

    def items(self, name: str) -> list[Self]:
        """A list of messages."""
        return [self.item(f"{name}[{number}]", value) for number, value in enumerate(self._list(name))]

    def message(self, name: str) -> Self:
        """A message, which must be given."""
        return self.item(self._path + name, self.required(name, self._value(name)))

    def has(self, name: str) -> bool:
        """Whether a field is given."""
        return self._value(name) is not None

    def pairs(self, name: str) -> dict[str, str]:
        """A list of keys with values; of one key twice the last counts."""
        return {each.text("key", required=True): each.text("value") for each in self.items(name)}

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false, which a query says as texts."""
        value = self._value(name)
        if self._lists is not None and isinstance(value, str):
            value = {"true": True, "false": False}.get(value.lower(), value)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self._wrong(name, value, "true or false")
        return value

    def version(self) -> int:
        """The number of a version, which is a text."""
        text = self.text("version", required=True)
        if not _VERSION.fullmatch(text):
            raise self._wrong("version", text, "the number of a version")
        return int(text)

    def raw(self, name: str) -> Sequence[Any]:
        """A list, of whatever; ``items`` has it as messages."""
        return self._list(name)

    def integer(self, name: str, default: int | None = None) -> int | None:
        """An integer of 64 bits; ``default`` when it is not given."""
        value = self._value(name)
        if value is None:
            return default
        number = _integer(value)
        if number is None:
            raise self._wrong(name, value, "a 64-bit integer")
        return number

    def number(self, name: str) -> float | None:
        """A number; NaN and infinities as ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``, too."""
        value = self._value(name)
        if value is None:
            return None
        number = number_of(value)
        if number is None:
            raise self._wrong(name, value, "a 64-bit floating point number")
        return number

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> str | None:
        """One of ``choices``, by its name or its number, from 1."""
        value = self._value(name)
        if value is None:
            return default
        number = _integer(value) if not isinstance(value, float) else None
        if number is not None and 1 <= number <= len(choices):
            return choices[number - 1]
        if value in choices:
            return str(value)
        raise self._wrong(name, value, "one of " + ", ".join(choices))

    def page_size(self, default: int | None, most: int) -> int:
        """``max_results``: from 1 to ``most``; ``default`` when it is not given."""
        size = self.integer("max_results", default)
        if size is None or not 1 <= size <= most:
            raise self._wrong("max_results", size or 0, f"from 1 to {most}")
        return size

    def _value(self, name: str) -> Any:
        value, other = self._fields.get(name), self._fields.get(_camel(name)) if "_" in name else None
        if value is not None and other is not None:
            raise InvalidArgumentError(self._path + name, f"is given as {_camel(name)}, too")
        return other if value is None else value

    def _list(self, name: str) -> list[Any]:
        if self._lists is not None:
            return list(self._lists(name))
        value = self._value(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._wrong(name, value, "a list")
        return value

    def _checked_text(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            raise self._wrong(name, value, "a text")
        if problem := text_problem(value):
            raise InvalidArgumentError(self._path + name, problem)
        return value

    def _checked_experiment(self, name: str, value: str) -> str:
        if not value.isdecimal():
            raise self._wrong(name, value, "the number of an experiment")
        return value

    def _missing(self, name: str) -> InvalidArgumentError:
        return InvalidArgumentError(self._path + name, "is missing")

    def required(self, name: str, value: Any) -> Any:
        """``value``, unless it is not given."""
        if value is None:
            raise self._missing(name)
        return value

    def _wrong(self, name: str, value: Any, wanted: str) -> InvalidArgumentError:
        return _wrong(self._path + name, value, wanted)


def _wrong(place: str, value: Any, wanted: str) -> InvalidArgumentError:
    shown = reprlib.repr(value)[:100].encode("ascii", "backslashreplace").decode()
    return InvalidArgumentError(place, f"is {shown}, and must be {wanted}")


def _parsed(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        value = _read(body)
        if isinstance(value, str):  # old clients encode twice
            value = json.loads(value)
    except (ValueError, RecursionError):
        raise InvalidArgumentError("body", "is no JSON") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidArgumentError("body", "is no JSON object")
    return value


def _read(body: bytes) -> Any:
    """The standard library takes more (NaN, integers of any size), so it has the last word."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def _integer(value: Any) -> int | None:
    if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (
        isinstance(value, float) and value.is_integer()
    ):
        value = int(value)
    if type(value) is not int or not -_INT64 <= value < _INT64:
        return None
    return value


def number_of(value: Any) -> float | None:
    """What JSON says as a number, or MLflow as a text; ``None``: no number."""
    if isinstance(value, str):
        if value.strip() != value or value.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
            return _SPECIAL.get(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


_SPECIAL: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))
