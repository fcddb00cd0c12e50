"""One field's value of each of many runs, as arrays: what conditions and orders look at.

All columns of a search have one length; position i is the same run in each.
"""

import json
import operator
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from headrace_storage.search.grammar import Value
from headrace_storage.search.like import matcher

Mask = NDArray[np.bool_]
Positions = NDArray[np.intp]

_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

NUMBER: Final = 0
"""Ranks of sorting, MLflow's rule: values, then NaN, then runs without a value, ascending or descending."""
NOT_A_NUMBER: Final = 1
MISSING: Final = 2

_RUN_ID: Final = re.compile("[0-9a-f]{32}")

_BESIDE: Final = 160
"""Bytes that a distinct text takes beside its characters."""

Place = tuple[int, float | str]
"""Where a value stands in an order: its rank, and the value where the rank is :data:`NUMBER`."""


class Keys(NamedTuple):
    """Arrays to sort by: first the ranks, then the numbers, both ascending."""

    ranks: NDArray[np.int8]
    numbers: NDArray[np.float64]


class Column(Protocol):
    """The values of one field."""

    def matches(self, comparison: str, value: Value) -> Mask:
        """Which values compare so; a missing one does only with IS NULL."""
        ...

    def take(self, positions: Positions) -> "Column":
        """The values at some positions."""
        ...

    def keys(self) -> Keys:
        """To sort ascending by."""
        ...

    def place(self, position: int) -> Place:
        """The value at a position as part of a page token."""
        ...

    def number_of(self, place: Place) -> float:
        """What :meth:`keys` has as the number of a value in a page token; it may be none of this column."""
        ...


class Numbers(NamedTuple):
    """Numbers; ``values`` means nothing where ``present`` is false."""

    values: NDArray[np.float64]
    present: Mask

    def matches(self, comparison: str, value: Value) -> Mask:
        """NaN is different from every number, and compares with none in any other way."""
        if comparison == "IS NULL":
            return ~self.present
        if comparison == "IS NOT NULL":
            return self.present.copy()
        if isinstance(value, tuple):
            found = np.isin(self.values, np.array(value, np.float64))
            return (found if comparison == "IN" else ~found) & self.present
        return np.asarray(_COMPARISONS[comparison](self.values, value), np.bool_) & self.present

    def take(self, positions: Positions) -> "Numbers":
        """The values at some positions."""
        return Numbers(self.values[positions], self.present[positions])

    def keys(self) -> Keys:
        """To sort ascending by."""
        nan = np.isnan(self.values)
        ranks = np.where(self.present, np.where(nan, NOT_A_NUMBER, NUMBER), MISSING).astype(np.int8)
        return Keys(ranks, np.where(ranks == NUMBER, self.values, 0.0))

    def place(self, position: int) -> Place:
        """The value at a position as part of a page token."""
        ranks, numbers = self.take(np.array([position])).keys()
        return int(ranks[0]), float(numbers[0])

    def number_of(self, place: Place) -> float:
        """What :meth:`keys` has as the number."""
        return float(place[1])

    def otherwise(self, other: "Numbers") -> "Numbers":
        """The values, and those of ``other`` where they are missing."""
        values = np.where(self.present, self.values, other.values)
        return Numbers(values, self.present | other.present)


class Texts:
    """Texts as codes into a table; -1 where there is none. Tables are shared, and only grow."""

    def __init__(self, codes: NDArray[np.int32], table: "TextTable") -> None:
        self.codes = codes
        self.table = table

    def matches(self, comparison: str, value: Value) -> Mask:
        """A missing text matches only IS NULL."""
        present = self.codes >= 0
        if comparison == "IS NULL":
            return ~present
        if comparison == "IS NOT NULL":
            return present
        if comparison in ("LIKE", "ILIKE"):
            like = matcher(str(value), ignore_case=comparison == "ILIKE")
            chosen = np.fromiter(map(like, self.table.texts), np.bool_, len(self.table.texts))
            return chosen[self.codes] & present if len(chosen) else present
        wanted = value if isinstance(value, tuple) else (value,)
        codes = [self.table.places.get(str(text), -2) for text in wanted]
        found = self.codes == codes[0] if len(codes) == 1 else np.isin(self.codes, codes)
        return found if comparison in ("=", "IN") else ~found & present

    def take(self, positions: Positions) -> "Texts":
        """The values at some positions."""
        return Texts(self.codes[positions], self.table)

    def keys(self) -> Keys:
        """To sort ascending by; texts by their code points."""
        ranks = np.where(self.codes >= 0, NUMBER, MISSING).astype(np.int8)
        if not self.table.texts:
            return Keys(ranks, np.zeros(len(ranks)))
        return Keys(ranks, np.where(ranks == NUMBER, self.table.order()[0][self.codes], 0.0))

    def place(self, position: int) -> Place:
        """The value at a position as part of a page token."""
        code = int(self.codes[position])
        return (NUMBER, self.table.texts[code]) if code >= 0 else (MISSING, "")

    def number_of(self, place: Place) -> float:
        """What :meth:`keys` has as the number: between two of them for a text that is not in the table."""
        if place[0] != NUMBER:
            return 0.0
        text = str(place[1])
        before = bisect_left(self.table.order()[1], text)
        return before if text in self.table.places else before - 0.5


class TextSets(Texts):
    """Several texts each, as JSON lists; a condition holds if it does of one of them: MLflow's rule."""

    def matches(self, comparison: str, value: Value) -> Mask:
        """A run without a text matches only IS NULL."""
        present = self.codes >= 0
        if comparison.startswith("IS"):
            return super().matches(comparison, value)
        texts = [json.loads(text) for text in self.table.texts]
        test = _test(comparison, value)
        chosen = np.array([any(map(test, some)) for some in texts], np.bool_)
        return chosen[self.codes] & present if len(chosen) else present

    def take(self, positions: Positions) -> "TextSets":
        """The values at some positions."""
        return TextSets(self.codes[positions], self.table)


def _test(comparison: str, value: Value) -> Callable[[str], bool]:
    if comparison in ("LIKE", "ILIKE"):
        return matcher(str(value), ignore_case=comparison == "ILIKE")
    wanted = frozenset(value if isinstance(value, tuple) else (value,))
    if comparison in ("=", "IN"):
        return wanted.__contains__
    return lambda text: text not in wanted


class RunIdTexts:
    """Run ids as texts of 32 hexadecimal digits, kept as the 16 bytes that they say."""

    def __init__(self, run_ids: NDArray[np.bytes_]) -> None:
        self._run_ids = run_ids

    def matches(self, comparison: str, value: Value) -> Mask:
        """Every run has an id."""
        every = np.ones(len(self._run_ids), np.bool_)
        if comparison.startswith("IS"):
            return every if comparison == "IS NOT NULL" else ~every
        if comparison in ("LIKE", "ILIKE"):
            like = matcher(str(value), ignore_case=comparison == "ILIKE")
            return np.fromiter(map(like, hex_digits(self._run_ids)), np.bool_, len(self._run_ids))
        texts = map(str, value if isinstance(value, tuple) else (value,))
        wanted = [bytes.fromhex(text) for text in texts if _RUN_ID.fullmatch(text)]
        found = np.isin(self._run_ids, np.array(wanted, "S16"))
        return found if comparison in ("=", "IN") else ~found

    def take(self, positions: Positions) -> "RunIdTexts":
        """The values at some positions."""
        return RunIdTexts(self._run_ids[positions])

    def keys(self) -> Keys:
        """To sort ascending by."""
        order = np.argsort(self._run_ids)
        numbers = np.empty(len(order))
        numbers[order] = np.arange(len(order))
        return Keys(np.zeros(len(order), np.int8), numbers)

    def place(self, position: int) -> Place:
        """The value at a position as part of a page token."""
        return NUMBER, hex_digits(self._run_ids[position : position + 1])[0]

    def number_of(self, place: Place) -> float:
        """What :meth:`keys` has as the number, or between two of them."""
        ordered = np.sort(self._run_ids)
        wanted = np.array([bytes.fromhex(str(place[1]))], "S16")
        before = int(np.searchsorted(ordered, wanted)[0])
        return before if before < len(ordered) and ordered[before] == wanted[0] else before - 0.5


def hex_digits(run_ids: NDArray[np.bytes_]) -> list[str]:
    """Ids of 16 bytes each as hexadecimal digits."""
    digits = np.ascontiguousarray(run_ids).tobytes().hex()
    return [digits[at : at + 32] for at in range(0, len(digits), 32)]


class TextTable:
    """Distinct texts in the order in which they came. ``size``: the bytes of memory that they take, about."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.places: dict[str, int] = {}
        self.size = 0
        self._order: tuple[NDArray[np.float64], Sequence[str]] | None = None

    def code(self, text: str) -> int:
        """The code of a text, a new one if need be."""
        known = self.places.setdefault(text, len(self.texts))
        if known == len(self.texts):
            self.texts.append(text)
            self.size += len(text) + _BESIDE
            self._order = None
        return known

    def order(self) -> tuple[NDArray[np.float64], Sequence[str]]:
        """The rank of each code, and the texts sorted."""
        if self._order is None:
            codes = sorted(range(len(self.texts)), key=self.texts.__getitem__)
            ranks = np.empty(len(codes))
            ranks[codes] = np.arange(len(codes))
            self._order = ranks, [self.texts[code] for code in codes]
        return self._order
