"""Searching experiments: the language of ``grammar.py`` over their attributes and tags.

There are few experiments beside runs, so each search looks at all of them, without a cache.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Final

import numpy as np

from headrace_storage.errors import InvalidArgumentError
from headrace_storage.model import Experiment
from headrace_storage.search.columns import Column, Numbers, Texts, TextTable
from headrace_storage.search.evaluate import matching
from headrace_storage.search.grammar import Expression, Field, Group, Order, Parser
from headrace_storage.search.tokens import FilterError, Token

_NUMBERS: Final = ("creation_time", "last_update_time")
_ATTRIBUTES: Final = ("name", "experiment_id", *_NUMBERS)


@dataclass(frozen=True, slots=True)
class _Attribute(Field):
    @property
    def is_number(self) -> bool:
        return self.key in _NUMBERS


ID: Final = _Attribute(Group.ATTRIBUTE, "experiment_id")
NEWEST_FIRST: Final = (
    Order(_Attribute(Group.ATTRIBUTE, "creation_time"), ascending=False),
    Order(ID, ascending=True),
)
"""MLflow's order when none is asked for."""


class _Parser(Parser):
    def _keyed(self, group: Group, pieces: list[Token], first: Token) -> Field:
        if group not in (Group.ATTRIBUTE, Group.TAG):
            self._fail("experiments have attributes and tags only", at=first.start)
        return super()._keyed(group, pieces, first)

    def _attribute(self, name: str, token: Token) -> Field:
        if name not in _ATTRIBUTES:
            problem = f"{name!r} is no attribute of an experiment ({', '.join(_ATTRIBUTES)})"
            self._fail(f"{problem}; tags begin with tags.", at=token.start)
        return _Attribute(Group.ATTRIBUTE, name)


def parse_filter(text: str) -> Expression:
    """What a filter says; an empty one is true of every experiment. :class:`FilterError` when it is none."""
    return _Parser("filter_string", text).filter()


def parse_orders(texts: Sequence[str]) -> list[Order]:
    """What an order says, made total: by MLflow's rule the largest id comes first where all is equal."""
    if not texts:
        return list(NEWEST_FIRST)
    orders: list[Order] = []
    for text in texts:
        order = _Parser("order_by", text).order()
        if order.field.group is not Group.ATTRIBUTE:
            raise FilterError("order_by", text, 0, "experiments cannot be ordered by their tags")
        if order.field in [other.field for other in orders]:
            raise FilterError("order_by", text, 0, "the field is there twice")
        orders.append(order)
    if not any(order.field == ID for order in orders):
        orders.append(Order(ID, ascending=False))
    return orders


def select(expression: Expression, experiments: Sequence[Experiment]) -> list[Experiment]:
    """Those that a filter is true of."""

    def column(field: Field) -> Column:
        values = [
            each.tags.get(field.key) if field.group is Group.TAG else getattr(each, field.key)
            for each in experiments
        ]
        if field.is_number:
            return Numbers(np.array(values, np.float64), np.ones(len(values), np.bool_))
        table = TextTable()
        codes = [-1 if value is None else table.code(value) for value in values]
        return Texts(np.array(codes, np.int32), table)

    mask = matching(expression, column, len(experiments))
    return [each for each, matches in zip(experiments, mask, strict=True) if matches]


@total_ordering
class _Descending:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Descending) and bool(self.value == other.value)

    def __lt__(self, other: "_Descending") -> bool:
        return bool(other.value < self.value)

    __hash__ = None  # type: ignore[assignment]


def place(experiment: Experiment, orders: Sequence[Order]) -> list[Any]:
    """Where an experiment stands in an order, for a page token."""
    return [
        int(experiment.experiment_id) if order.field == ID else getattr(experiment, order.field.key)
        for order in orders
    ]


def page(
    experiments: Sequence[Experiment], orders: Sequence[Order], after: Sequence[Any] | None, limit: int
) -> list[Experiment]:
    """The first ``limit`` in an order, of those after a :func:`place`."""

    def key(values: Sequence[Any]) -> list[Any]:
        return [
            value if order.ascending else _Descending(value)
            for value, order in zip(values, orders, strict=True)
        ]

    keyed = [(key(place(each, orders)), each) for each in experiments]
    if after is not None:
        end = key(after)
        keyed = [pair for pair in keyed if pair[0] > end]
    keyed.sort(key=lambda pair: pair[0])
    return [each for _, each in keyed[:limit]]


def token_key(orders: Sequence[Order], last: Experiment) -> list[Any]:
    """What the token of the page that ends with ``last`` holds."""
    return [_digest(orders), *place(last, orders)]


def token_types(orders: Sequence[Order]) -> list[type]:
    """The types of what a token holds."""
    return [int, *(int if order.field == ID or order.field.is_number else str for order in orders)]


def after_of(orders: Sequence[Order], key: Sequence[Any]) -> list[Any]:
    """Where the page before ended. :class:`InvalidArgumentError` when that was in another order."""
    digest, *values = key
    if digest != _digest(orders):
        raise InvalidArgumentError("page_token", "belongs to another order_by; begin again without it")
    return values


def _digest(orders: Sequence[Order]) -> int:
    return zlib.crc32(repr(orders).encode())
