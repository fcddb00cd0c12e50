"""Searching things of which there are few beside runs: the language of ``grammar.py`` over their values.

Logged models, registered models and their versions: each search looks at all of them. A thing may have
several values of a field (a model's metric at several steps); a condition holds if it does of one of them.
"""

import json
import math
import operator
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, total_ordering
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from headrace_storage.errors import InvalidArgumentError, PageTokenError
from headrace_storage.search.grammar import (
    MAX_ORDERS,
    Condition,
    Every,
    Expression,
    Field,
    Group,
    Order,
    Parser,
    Value,
)
from headrace_storage.search.like import matcher
from headrace_storage.search.tokens import FilterError, Token

T = TypeVar("T")

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda value, wanted: value in wanted,
    "NOT IN": lambda value, wanted: value not in wanted,
}


@dataclass(frozen=True, slots=True)
class _Attribute(Field):
    """An attribute of which the kind of thing says whether it is a number."""

    number: bool = False

    @property
    def is_number(self) -> bool:
        return self.number


class Kind(NamedTuple):
    """A kind of thing: its attributes under all of their names, which are numbers, and its other groups."""

    noun: str
    attributes: Mapping[str, str]
    numbers: frozenset[str]
    groups: frozenset[Group]
    ordered: frozenset[Group] = frozenset()
    """Groups besides attributes that it can be ordered by."""


class Clause(NamedTuple):
    """A clause of an order; of a metric, maybe on one dataset only."""

    field: Field
    ascending: bool
    dataset: tuple[str, str] = ("", "")


class _Parser(Parser):
    def __init__(self, kind: Kind, argument: str, text: str) -> None:
        super().__init__(argument, text)
        self._kind = kind

    def _keyed(self, group: Group, pieces: list[Token], first: Token) -> Field:
        if group is not Group.ATTRIBUTE and group not in self._kind.groups:
            self._fail(f"{self._kind.noun} have no {group}s", at=first.start)
        field = super()._keyed(group, pieces, first)
        # Of things that have no other aspects, ".max" is a part of the name.
        return Field(field.group, field.key) if group is Group.METRIC else field

    def _attribute(self, name: str, token: Token) -> Field:
        known = self._kind.attributes.get(name)
        if known is None:
            names = ", ".join(self._kind.attributes)
            self._fail(f"{name!r} is no attribute of {self._kind.noun} ({names})", at=token.start)
        return _Attribute(Group.ATTRIBUTE, known, number=known in self._kind.numbers)


def parse_filter(kind: Kind, text: str) -> Expression:
    """What a filter says; an empty one is true of everything. :class:`FilterError` when it is none."""
    return _Parser(kind, "filter_string", text).filter()


def parse_clause(kind: Kind, text: str) -> Clause:
    """What a clause of an order says. :class:`FilterError` when it is none."""
    order: Order = _Parser(kind, "order_by", text).order()
    if order.field.group is not Group.ATTRIBUTE and order.field.group not in kind.ordered:
        raise FilterError("order_by", text, 0, f"{kind.noun} cannot be ordered by their {order.field.group}s")
    return Clause(order.field, order.ascending)


def parse_clauses(kind: Kind, texts: Sequence[str], last: Sequence[Clause]) -> list[Clause]:
    """What an order says, with the clauses of ``last`` that it does not name at its end."""
    return completed([parse_clause(kind, text) for text in texts], last)


def completed(clauses: Sequence[Clause], last: Sequence[Clause]) -> list[Clause]:
    """``clauses``, and those of ``last`` whose fields they do not name."""
    if len(clauses) > MAX_ORDERS:
        raise InvalidArgumentError("order_by", f"has {len(clauses)} clauses, the bound is {MAX_ORDERS}")
    named = [(clause.field, clause.dataset) for clause in clauses]
    for clause in clauses:
        if named.count((clause.field, clause.dataset)) > 1:
            raise InvalidArgumentError("order_by", f"names {clause.field.key!r} twice")
    fields = [clause.field for clause in clauses]
    return [*clauses, *(clause for clause in last if clause.field not in fields)]


def matches(expression: Expression, values: Callable[[Field], Sequence[Any]]) -> bool:
    """Whether a filter is true of a thing, whose values of a field ``values`` gives."""
    if isinstance(expression, Condition):
        found = values(expression.field)
        if expression.operator == "IS NULL":
            return not found
        return any(map(_test(expression.operator, expression.value), found))
    every = isinstance(expression, Every)
    return (all if every else any)(matches(part, values) for part in expression.parts)


def _test(comparison: str, value: Value) -> Callable[[Any], bool]:
    if comparison == "IS NOT NULL":
        return lambda _: True
    if comparison in ("LIKE", "ILIKE"):
        return _like(str(value), comparison == "ILIKE")
    compare = _COMPARISONS[comparison]
    return lambda found: compare(found, value)


@lru_cache(maxsize=64)
def _like(pattern: str, ignore_case: bool) -> Callable[[str], bool]:
    """One for all things that are looked at."""
    return matcher(pattern, ignore_case=ignore_case)


@total_ordering
class _Descending:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.value < self.value)

    __hash__ = None  # type: ignore[assignment]


def _descending(place: Any) -> Any:
    return -place if isinstance(place, int | float) else _Descending(place)  # many times quicker


def page(
    things: Sequence[T],
    clauses: Sequence[Clause],
    value: Callable[[T, Clause], Any],
    token_place: Sequence[Any] | None,
    limit: int,
) -> list[T]:
    """The first ``limit`` in an order, of those after a place; what has no value, or NaN, comes last."""

    def key(places: Sequence[Any]) -> list[Any]:
        return [
            (1, 0) if _is_missing(place) else (0, place if clause.ascending else _descending(place))
            for place, clause in zip(places, clauses, strict=True)
        ]

    keyed = [(key([value(thing, clause) for clause in clauses]), thing) for thing in things]
    if token_place is not None:
        try:
            end = key(token_place)
            keyed = [pair for pair in keyed if pair[0] > end]
        except (TypeError, ValueError):
            raise PageTokenError from None
    keyed.sort(key=itemgetter(0))
    return [thing for _, thing in keyed[:limit]]


def token_key(clauses: Sequence[Clause], places: Sequence[Any]) -> list[Any]:
    """What the token of a page holds whose last thing has these values."""
    return [_digest(clauses), json.dumps([None if _is_missing(place) else place for place in places])]


TOKEN_TYPES: Final = [int, str]


def place_of(clauses: Sequence[Clause], key: Sequence[Any]) -> list[Any]:
    """Where the page before ended. :class:`InvalidArgumentError` when that was in another order."""
    digest, places = key
    if digest != _digest(clauses):
        raise InvalidArgumentError("page_token", "belongs to another order_by; begin again without it")
    try:
        found = json.loads(places)
    except (ValueError, RecursionError):
        raise PageTokenError from None
    if not isinstance(found, list) or len(found) != len(clauses):
        raise PageTokenError
    return found


def _is_missing(place: Any) -> bool:
    return place is None or (isinstance(place, float) and math.isnan(place))


def _digest(clauses: Sequence[Clause]) -> int:
    return zlib.crc32(repr([tuple(clause) for clause in clauses]).encode())
