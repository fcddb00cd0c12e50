"""The language of filters and orders: MLflow's, and OR, parentheses, IN everywhere, ``metrics.loss.min``.

::

    filter     = any | nothing
    any        = all {OR all}
    all        = condition {AND condition}
    condition  = "(" any ")" | field operator value | field [NOT] IN "(" value {"," value} ")"
               | field IS [NOT] NULL
    field      = [kind "."] key [".min" | ".max" | ".first"]
    order      = field [ASC | DESC]

Keys with other than letters, digits and ``_./-:@`` stand in backticks or quotes, texts in single or double
quotes; a quote inside is written twice. A number is a decimal one, ``inf`` or ``-inf``.

Which metric ``metrics.loss.max`` means: a run that has a metric of exactly this name answers with its latest
value, as in MLflow; one that has none with the maximum of ``loss``. With backticks there is no doubt:
``metrics.`loss.max``` is the former, ``metrics.`loss`.max`` the latter.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NoReturn

from headrace_storage.search.tokens import FilterError, Kind, Token, scan

MAX_DEPTH: Final = 50
"""Parentheses inside one another."""

MAX_CONDITIONS: Final = 1000
"""Conditions of a filter; each looks at all runs."""

MAX_ORDERS: Final = 50
"""Clauses of an order."""

Value = float | str | tuple[float | str, ...] | None


class Group(StrEnum):
    """What a field is taken from."""

    METRIC = "metric"
    PARAM = "parameter"
    TAG = "tag"
    ATTRIBUTE = "attribute"
    DATASET = "dataset"


@dataclass(frozen=True, slots=True)
class Field:
    """A value that each run may have; of metrics ``aspect`` is last, min, max or first.

    ``otherwise`` is the field of runs that do not have this one.
    """

    group: Group
    key: str
    aspect: str = "last"
    otherwise: "Field | None" = None

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers, not texts."""
        return self.group is Group.METRIC or (self.group is Group.ATTRIBUTE and self.key in NUMBERS)


@dataclass(frozen=True, slots=True)
class Condition:
    """``value`` is a float or a str as the field is, several for (NOT) IN, ``None`` for IS (NOT) NULL."""

    field: Field
    operator: str
    value: Value


@dataclass(frozen=True, slots=True)
class Every:
    """All of them hold; none at all: always."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of them holds."""

    parts: "tuple[Expression, ...]"


Expression = Condition | Every | Either


@dataclass(frozen=True, slots=True)
class Order:
    """A clause of an order."""

    field: Field
    ascending: bool


_GROUPS: Final = {
    "metric": Group.METRIC,
    "metrics": Group.METRIC,
    "parameter": Group.PARAM,
    "parameters": Group.PARAM,
    "param": Group.PARAM,
    "params": Group.PARAM,
    "tag": Group.TAG,
    "tags": Group.TAG,
    "attribute": Group.ATTRIBUTE,
    "attributes": Group.ATTRIBUTE,
    "attr": Group.ATTRIBUTE,
    "run": Group.ATTRIBUTE,
    "dataset": Group.DATASET,
    "datasets": Group.DATASET,
}

NUMBERS: Final = frozenset({"start_time", "end_time"})
TEXTS: Final = frozenset({"run_id", "run_name", "user_id", "status", "artifact_uri"})
_ATTRIBUTES: Final = {name: name for name in sorted(NUMBERS | TEXTS)} | {
    "created": "start_time",
    "Created": "start_time",
    "run name": "run_name",
    "Run name": "run_name",
    "Run Name": "run_name",
}
_DATASET_KEYS: Final = ("name", "digest", "context")

_ASPECTS: Final = ("min", "max", "first")

_OF_NUMBERS: Final = ("=", "!=", "<", "<=", ">", ">=")
_OF_TEXTS: Final = ("=", "!=", "LIKE", "ILIKE")
_NUMBER: Final = re.compile(r"[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity)", re.IGNORECASE)


def parse_filter(text: str) -> Expression:
    """What a filter says; an empty one is true of every run. :class:`FilterError` when it is none."""
    return Parser("filter_string", text).filter()


def parse_order(text: str) -> Order:
    """What a clause of an order says. :class:`FilterError` when it is none."""
    return Parser("order_by", text).order()


def parse_orders(texts: Sequence[str]) -> list[Order]:
    """What an order says. :class:`FilterError` when it is none, or names a field twice."""
    if len(texts) > MAX_ORDERS:
        raise FilterError("order_by", texts[MAX_ORDERS], 0, f"more than {MAX_ORDERS} clauses")
    orders: list[Order] = []
    for text in texts:
        order = parse_order(text)
        if order.field in [other.field for other in orders]:
            raise FilterError("order_by", text, 0, "the field is there twice")
        orders.append(order)
    return orders


class Parser:
    """Reads a filter, or a clause of an order, of runs."""

    def __init__(self, argument: str, text: str) -> None:
        self._argument = argument
        self._text = text
        self._tokens = scan(argument, text)
        self._at = 0
        self._depth = 0
        self._conditions = 0

    def filter(self) -> Expression:
        """What the whole text says."""
        if len(self._tokens) == 1:
            return Every(())
        found = self._any()
        self._expect_end("expected AND, OR or the end")
        return found

    def order(self) -> Order:
        """What the whole text says."""
        field = self._field()
        ascending = True
        if self._word_is("ASC", "DESC"):
            ascending = self._take().text.upper() == "ASC"
        self._expect_end("expected ASC, DESC or the end")
        if field.group is Group.DATASET:
            self._fail("runs cannot be ordered by their datasets", at=0)
        return Order(field, ascending)

    def _any(self) -> Expression:
        return self._chain("OR", self._all, Either)

    def _all(self) -> Expression:
        return self._chain("AND", self._condition, Every)

    def _chain(
        self, word: str, part: Callable[[], Expression], make: type[Every] | type[Either]
    ) -> Expression:
        parts = [part()]
        while self._word_is(word):
            self._take()
            parts.append(part())
        return parts[0] if len(parts) == 1 else make(tuple(parts))

    def _condition(self) -> Expression:
        if self._next.text == "(" and self._next.kind is Kind.PUNCTUATION:
            if self._depth == MAX_DEPTH:
                self._fail(f"more than {MAX_DEPTH} parentheses inside one another")
            self._depth += 1
            self._take()
            inside = self._any()
            self._expect(")", "expected AND, OR or )")
            self._depth -= 1
            return inside
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            self._fail(f"more than {MAX_CONDITIONS} conditions; use IN for many values of one field")
        field = self._field()
        operator = self._operator(field)
        if operator.endswith("NULL"):
            return Condition(field, operator, None)
        if operator.endswith("IN"):
            return Condition(field, operator, self._list(field))
        return Condition(field, operator, self._value(field))

    def _field(self) -> Field:
        first = self._next
        pieces = [self._name()]
        while self._next.kind in (Kind.WORD, Kind.QUOTED) and self._next.start == pieces[-1].end:
            pieces.append(self._take())
        if len(pieces) == 1 and "." not in pieces[0].text:
            return self._attribute(pieces[0].text, first)
        if pieces[0].kind is Kind.QUOTED:
            if len(pieces) == 1:
                return self._attribute(pieces[0].text, first)
            group_name, rest = pieces[0].text, pieces[1:]
            if not rest[0].text.startswith(".") or rest[0].kind is Kind.QUOTED:
                self._fail("expected a dot", at=rest[0].start)
            rest[0] = rest[0]._replace(text=rest[0].text[1:])
        else:
            group_name, _, key = pieces[0].text.partition(".")
            rest = [pieces[0]._replace(text=key), *pieces[1:]]
        rest = [piece for piece in rest if piece.text or piece.kind is Kind.QUOTED]
        group = _GROUPS.get(group_name)
        if group is None:
            self._fail(
                f"{group_name!r} is no kind of field; there are metrics, params, tags, attributes and "
                "datasets (names with other characters stand in backticks)",
                at=first.start,
            )
        return self._keyed(group, rest, first)

    def _keyed(self, group: Group, pieces: list[Token], first: Token) -> Field:
        """The field of a group that the rest of its name says."""
        if not pieces or not pieces[0].text:
            self._fail("the name after the dot is missing", at=first.end)
        key, suffix = pieces[0].text, pieces[1].text if len(pieces) > 1 else ""
        if len(pieces) > 2 or (suffix and pieces[0].kind is not Kind.QUOTED):
            self._fail("a name is either bare or in quotes", at=pieces[1].start)
        if group is not Group.METRIC and suffix:
            self._fail("expected an operator or the end of the name", at=pieces[1].start)
        if group is Group.ATTRIBUTE:
            return self._attribute(key, first)
        if group is Group.DATASET and key not in _DATASET_KEYS:
            self._fail(f"datasets have {', '.join(_DATASET_KEYS)}", at=first.start)
        if group is not Group.METRIC:
            return Field(group, key)
        if suffix:
            if suffix[1:] not in _ASPECTS or suffix[0] != ".":
                self._fail("after a metric's name come .min, .max, .first or nothing", at=pieces[1].start)
            return Field(group, key, suffix[1:])
        name, _, aspect = key.rpartition(".")
        if pieces[0].kind is Kind.WORD and name and aspect in _ASPECTS:
            return replace(Field(group, key), otherwise=Field(group, name, aspect))
        return Field(group, key)

    def _attribute(self, name: str, token: Token) -> Field:
        if name not in _ATTRIBUTES:
            self._fail(
                f"{name!r} is no attribute of a run ({', '.join(sorted(NUMBERS | TEXTS))}); fields of other "
                "kinds begin with metrics., params., tags. or datasets.",
                at=token.start,
            )
        return Field(Group.ATTRIBUTE, _ATTRIBUTES[name])

    def _operator(self, field: Field) -> str:
        if self._word_is("IS"):
            self._take()
            negated = self._skip_word("NOT")
            if not self._skip_word("NULL"):
                self._fail("expected NULL" if negated else "expected NULL or NOT NULL")
            return "IS NOT NULL" if negated else "IS NULL"
        if self._word_is("NOT"):
            self._take()
            if not self._skip_word("IN"):
                self._fail("expected IN")
            return "NOT IN"
        if self._skip_word("IN"):
            return "IN"
        known = _OF_NUMBERS if field.is_number else _OF_TEXTS
        name = self._next.text.upper()
        if self._next.kind not in (Kind.OPERATOR, Kind.WORD) or name not in known:
            what = "numbers" if field.is_number else "texts"
            self._fail(f"{what} are compared with {', '.join(known)}, [NOT] IN and IS [NOT] NULL")
        self._take()
        return name

    def _list(self, field: Field) -> Value:
        self._expect("(", "expected ( and the values")
        values = [self._value(field)]
        while self._next.text == "," and self._next.kind is Kind.PUNCTUATION:
            self._take()
            if self._next.text == ")" and self._next.kind is Kind.PUNCTUATION:
                break
            values.append(self._value(field))
        self._expect(")", "expected , or )")
        return tuple(values)

    def _value(self, field: Field) -> float | str:
        token = self._next
        if field.is_number:
            if token.kind is not Kind.WORD or not _NUMBER.fullmatch(token.text):
                self._fail("expected a number, without quotes")
            return float(self._take().text)
        if token.kind is not Kind.QUOTED or token.quote == "`":
            self._fail("expected a text in single or double quotes")
        return self._take().text

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _name(self) -> Token:
        if self._next.kind not in (Kind.WORD, Kind.QUOTED):
            self._fail("expected a field, as metrics.loss, params.lr, tags.team or attributes.status")
        return self._take()

    def _word_is(self, *words: str) -> bool:
        return self._next.kind is Kind.WORD and self._next.text.upper() in words

    def _skip_word(self, word: str) -> bool:
        if found := self._word_is(word):
            self._take()
        return found

    def _expect(self, mark: str, problem: str) -> None:
        if self._next.kind is not Kind.PUNCTUATION or self._next.text != mark:
            self._fail(problem)
        self._take()

    def _expect_end(self, problem: str) -> None:
        if self._next.kind is not Kind.END:
            self._fail(problem)

    def _fail(self, problem: str, at: int | None = None) -> NoReturn:
        raise FilterError(self._argument, self._text, self._next.start if at is None else at, problem)
