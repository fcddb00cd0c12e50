"""Orders and pages of things of which there are few: bounds, and every mixture of values."""

import itertools
import math
from typing import Any

import pytest

from headrace_storage.errors import InvalidArgumentError
from headrace_storage.search import listing
from headrace_storage.search.grammar import MAX_ORDERS, Group

KIND = listing.Kind(
    "things",
    {"name": "name", "number": "number"},
    frozenset({"number"}),
    frozenset({Group.METRIC}),
    frozenset({Group.METRIC}),
)
LAST = (listing.parse_clause(KIND, "name ASC"),)
VALUES: dict[str, list[Any]] = {
    "number": [-1, 0, 2**62, math.nan, -math.inf, 1.5],
    "name": ["b", "a", ""],
}
THINGS = [dict(zip(VALUES, values, strict=True)) for values in itertools.product(*VALUES.values())]


def test_an_order_has_a_bound() -> None:
    assert listing.parse_clauses(KIND, [f"metrics.m{n}" for n in range(MAX_ORDERS)], ())
    with pytest.raises(InvalidArgumentError, match=f"has {MAX_ORDERS + 1} clauses"):
        listing.parse_clauses(KIND, [f"metrics.m{n}" for n in range(MAX_ORDERS + 1)], ())


@pytest.mark.parametrize("numbers", ["ASC", "DESC"])
@pytest.mark.parametrize("names", ["ASC", "DESC"])
def test_pages_one_after_the_other_are_the_whole_in_order(numbers: str, names: str) -> None:
    clauses = listing.parse_clauses(KIND, [f"number {numbers}", f"name {names}"], LAST)

    def page(place: Any, limit: int) -> list[dict[str, Any]]:
        return listing.page(THINGS, clauses, lambda thing, clause: thing[clause.field.key], place, limit)

    whole = page(None, len(THINGS))
    known = [-math.inf, -1, 0, 1.5, 2**62]
    expected = known if numbers == "ASC" else known[::-1]
    assert [thing["number"] for thing in whole[::3]][:5] == expected
    assert [thing["name"] for thing in whole[:3]] == (["", "a", "b"] if names == "ASC" else ["b", "a", ""])
    pages: list[dict[str, Any]] = []
    while some := page([pages[-1][clause.field.key] for clause in clauses] if pages else None, 4):
        pages += some
    assert pages == whole
