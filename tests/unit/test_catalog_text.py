"""What PostgreSQL can hold as text, and page tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace_storage.catalog.pages import page_key, page_token
from headrace_storage.catalog.text import is_storable, storable
from headrace_storage.errors import InvalidArgumentError

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(ANY_TEXT)
def test_what_was_made_storable_is(text: str) -> None:
    made = storable(text)
    assert is_storable(made)
    assert "\0" not in made.encode().decode()
    assert (made == text) == is_storable(text)


@given(ANY_TEXT, st.integers(0, 20))
def test_a_bound_is_kept(text: str, bound: int) -> None:
    assert len(storable(text, bound)) <= bound


@given(st.integers(), st.text())
def test_a_page_key_survives_its_token(number: int, text: str) -> None:
    assert page_key(page_token([number, text]), [int, str]) == [number, text]


@given(st.text())
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgumentError):
        page_key(token, [int, str, int])
