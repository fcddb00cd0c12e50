"""Whatever is given as a filter or an order: it is understood, or refused with the place of the fault."""

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from headrace_storage.catalog.text import is_storable
from headrace_storage.search.evaluate import fields_of
from headrace_storage.search.grammar import Group, Order, parse_filter, parse_order
from headrace_storage.search.tokens import FilterError

PIECES = [
    *("metrics.", "params.", "tags.", "attributes.", "datasets.", "run_id", "status", "a", "b.min", ".max"),
    *("'", '"', "`", "''", "\\", "(", ")", ",", ";", "--", "/*", "$1", "%", "_", " ", "\n", "\0", "\ud800"),
    *("=", "!=", "<", ">=", "<>", " AND ", " or ", " NOT ", " IN ", " IS ", " NULL ", " LIKE ", " DESC"),
    *("1", "-1e309", ".", "inf", "nan", "'x'", "DROP TABLE runs", "é", "\u2028"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=40)


def parsed(parse: Callable[[str], Any], text: str) -> Any:
    """What the text means, or the fault."""
    try:
        return parse(text)
    except FilterError as error:
        return error


@settings(max_examples=300)
@given(texts)
@example("(" * 3000)
@example("a" * 10_000)
@example("tags.a = '" + "'" * 5001)
@example("params.`` = 'x'")
def test_a_filter_is_understood_or_its_fault_has_a_place(text: str) -> None:
    found = parsed(parse_filter, text)
    if isinstance(found, FilterError):
        assert 0 <= found.position <= len(text)
        assert found.argument == "filter_string"
    else:
        for field in fields_of(found):
            assert is_storable(field.key)
            assert field.key
            assert field.group is not Group.ATTRIBUTE or field.key.isidentifier()


@given(texts)
def test_an_order_is_understood_or_its_fault_has_a_place(text: str) -> None:
    found = parsed(parse_order, text)
    assert isinstance(found, Order) or 0 <= found.position <= len(text)
