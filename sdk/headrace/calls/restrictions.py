"""Arguments that say which points of a metric are asked for, checked."""

import contextlib
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex

from headrace import values
from headrace.errors import InvalidArgumentError

MAX_BUCKETS = 10_000
"""The most buckets of a metric."""

MAX_WRITERS = 10_000
_MOST_RANK = 10**9

_WRITER = re.compile("[0-9a-f]{32}")


def restrictions(
    steps: tuple[int | None, int | None] | None,
    writer: str | Sequence[str] | None,
    rank: int | Sequence[int] | None,
) -> dict[str, Any]:
    """The fields of a request that they become."""
    first, last = _pair(steps)
    return {
        "first_step": first,
        "last_step": last,
        "writer_ids": _writers(writer),
        "ranks": _ranks(rank),
    }


def step(argument: str, given: int | None) -> int | None:
    """A step, or none."""
    if given is None:
        return None
    number = _integer(given)
    if number is None or not -(1 << 63) <= number < 1 << 63:
        raise InvalidArgumentError(argument, f"is {given!r}; expected an integer of 64 bits")
    return number


def _integer(given: object) -> int | None:
    """An integer of any library, as tables give them."""
    if isinstance(given, SupportsIndex) and not isinstance(given, bool):
        with contextlib.suppress(TypeError):  # an array of several
            return operator.index(given)
    return None


def bounded(argument: str, given: int | None, most: int) -> int:
    """A number from 1 to ``most``; 0 for ``None``."""
    if given is None:
        return 0
    if type(given) is not int or not 1 <= given <= most:
        raise InvalidArgumentError(argument, f"is {given!r}, the bounds are 1 and {most}")
    return given


def _pair(steps: tuple[int | None, int | None] | None) -> tuple[int | None, int | None]:
    if steps is None:
        return None, None
    if not isinstance(steps, Sequence) or isinstance(steps, str | range) or len(steps) != 2:
        raise InvalidArgumentError(
            "steps", f"is {steps!r}; expected the first and the last step, as (0, 99) or (100, None)"
        )
    first, last = (step("steps", one) for one in steps)
    if first is not None and last is not None and first > last:
        raise InvalidArgumentError("steps", f"is {steps!r}, whose first step is after the last; swap them")
    return first, last


def _writers(writer: str | Sequence[str] | None) -> list[str]:
    found = values.texts("writer", writer)
    for one in found:
        if not _WRITER.fullmatch(one):
            raise InvalidArgumentError(
                "writer", f"is {one[:80]!r}; expected 32 lower-case hex digits, as list_writers gives them"
            )
    return _not_empty("writer", writer, found)


def _ranks(rank: int | Sequence[int] | None) -> list[int]:
    if rank is None:
        return []
    found: list[Any] = list(rank) if isinstance(rank, Iterable) and not isinstance(rank, str) else [rank]
    numbers = list(map(_integer, found))
    for one, number in zip(found, numbers, strict=True):
        if number is None or not 0 <= number < _MOST_RANK:
            raise InvalidArgumentError("rank", f"is {one!r}; expected an integer from 0 on")
    return _not_empty("rank", rank, numbers)


def _not_empty(argument: str, given: object, found: list[Any]) -> list[Any]:
    if given is not None and not 1 <= len(found) <= MAX_WRITERS:
        raise InvalidArgumentError(
            argument, f"holds {len(found)}, the bounds are 1 and {MAX_WRITERS}; None stands for any"
        )
    return found
