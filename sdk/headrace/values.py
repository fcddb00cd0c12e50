"""What an argument must be, checked at the call: each error names the argument, the bound and the remedy.

Metric values are anything that is one number: int, float, bool, NumPy scalars, tensors and arrays of one
element, ``Decimal``. NaN and the infinities are data.
"""

import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsFloat, SupportsIndex

from headrace.entities import RunStatus, ViewType
from headrace.errors import InvalidArgumentError
from headrace_proto import limits

_RUN_ID = re.compile("[0-9a-f]{32}")
_ANY_RUN_ID = re.compile(r"[a-zA-Z0-9][\w\-]{0,255}")  # MLflow's; the daemon knows none but its own
_EXPERIMENT_ID = re.compile("[0-9]{1,18}")

Number = SupportsFloat
Whole = SupportsIndex | float
"""Steps and times: integers of any library, and floats that are whole."""


def number(argument: str, value: Number) -> float:
    """``value`` as a float."""
    if not isinstance(value, int | float) and callable(item := getattr(value, "item", None)):
        try:
            value = item()
        except (TypeError, ValueError, RuntimeError) as error:
            raise InvalidArgumentError(
                argument, f"does not hold one number ({error}); reduce it, or use log_series for many points"
            ) from None
    if isinstance(value, str | bytes) or not hasattr(value, "__float__"):
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected one number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidArgumentError(
            argument, f"is {_shown(value)}, which no 64-bit float holds ({error})"
        ) from None


def whole(argument: str, value: Whole) -> int:
    """``value`` as an int; integral floats are taken."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        is_integer = getattr(value, "is_integer", None)
        if callable(is_integer) and is_integer():
            return int(value)
    raise InvalidArgumentError(argument, f"is {_shown(value)}; expected an integer")


def milliseconds(argument: str, value: Whole) -> int:
    """``value`` as a time: milliseconds since the Unix epoch."""
    remedy = "give milliseconds since the epoch as an integer, e.g. int(time.time() * 1000)"
    if isinstance(value, bool):
        raise InvalidArgumentError(argument, f"is {value}; {remedy}")
    try:
        time = whole(argument, value)
    except InvalidArgumentError:
        raise InvalidArgumentError(argument, f"is {_shown(value)}; {remedy}") from None
    if not 0 <= time <= limits.MAX_TIMESTAMP:
        raise InvalidArgumentError(
            argument, f"is {time}, the bounds are 0 and {limits.MAX_TIMESTAMP}; {remedy}"
        )
    return time


def all_milliseconds(argument: str, given: Iterable[Whole]) -> Any:
    """``given`` as a sequence, its bounds checked as by :func:`milliseconds`, without a look at each."""
    times: Any = given if hasattr(given, "__len__") else list(given)
    if len(times):
        try:
            bounds = (times.min(), times.max()) if hasattr(times, "min") else (min(times), max(times))
        except TypeError:  # something that is no number at all; the journal will name it
            return times
        for bound in bounds:
            milliseconds(argument, bound)
    return times


def key(value: str, argument: str = "key") -> str:
    """A metric's, param's or tag's key."""
    if not isinstance(value, str):
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected a string")
    text = str.__str__(value)  # of a member of a string enumeration: its value, as protobuf and JSON have it
    if problem := limits.key_problem(text):
        raise InvalidArgumentError(f"{argument} {text[:80]!r}", problem)
    return text


def text(argument: str, value: object, bound: int) -> str:
    """``str(value)``, at most ``bound`` characters."""
    result = str(value)
    if problem := limits.text_problem(result, bound):
        raise InvalidArgumentError(argument, problem)
    return result


def name(argument: str, value: str) -> str:
    """An experiment's or a run's name."""
    if not isinstance(value, str) or not value:
        raise InvalidArgumentError(
            argument, f"is {_shown(value)}; expected a string of 1 to {limits.MAX_NAME_LENGTH} characters"
        )
    return text(argument, value, limits.MAX_NAME_LENGTH)


def said(argument: str, value: str | None) -> str:
    """A text whose bound is the daemon's; "" for ``None``."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected text")
    return text(argument, value, len(value))


def by_name(argument: str, given: Mapping[str, object] | None) -> Mapping[str, object]:
    """Values by name; none for ``None``."""
    if given is not None and not isinstance(given, Mapping):
        raise InvalidArgumentError(argument, f"is {_shown(given)}; expected a dictionary")
    return given or {}


def tags(given: Mapping[str, object] | None) -> dict[str, str]:
    """Tags by key, with their values as text."""
    checked = {
        key(k, "tag key"): text(f"tag {k!r}", v, limits.MAX_TAG_LENGTH)
        for k, v in by_name("tags", given).items()
    }
    if len(checked) > limits.MAX_RUN_TAGS:
        raise InvalidArgumentError("tags", f"holds {len(checked)} tags, the bound is {limits.MAX_RUN_TAGS}")
    return checked


def run_id(value: str, argument: str = "run_id") -> str:
    """A run's id."""
    if not isinstance(value, str) or not _RUN_ID.fullmatch(value):
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected 32 lower-case hex digits")
    return str(value)


def run_to_ask(value: str) -> str:
    """A run's id to ask the daemon for: also one that cannot be there, as MLflow's may be."""
    if not isinstance(value, str) or not _ANY_RUN_ID.fullmatch(value):
        raise InvalidArgumentError("run_id", f"is {_shown(value)}; expected 32 lower-case hex digits")
    return str(value)


def experiment_id(value: str | int, argument: str = "experiment_id") -> str:
    """An experiment's id; an int is taken as well."""
    if isinstance(value, bool) or not _EXPERIMENT_ID.fullmatch(str(value)):
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected a decimal number, as text")
    return str(value)


def end_status(value: str | RunStatus, argument: str = "status") -> RunStatus:
    """The status that a run can end with."""
    allowed = [status for status in RunStatus if status is not RunStatus.RUNNING]
    if value not in allowed:
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected one of {', '.join(allowed)}")
    return RunStatus(value)


def texts(argument: str, value: str | Sequence[str] | None) -> list[str]:
    """One text, several, or none."""
    if value is None:
        return []
    given = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    if not all(isinstance(each, str) for each in given):
        raise InvalidArgumentError(argument, f"is {_shown(value)}; expected text")
    return given


def view_type(argument: str, value: int) -> int:
    """A :class:`ViewType`, or its number."""
    if value not in list(ViewType):
        raise InvalidArgumentError(argument, f"is {value!r}; expected a ViewType")
    return int(value)


def _shown(value: object) -> str:
    shown = repr(value)
    return f"{shown if len(shown) <= 80 else f'{shown[:77]}...'}, a {type(value).__name__}"
