"""Which runs are on a page, at the edges that pages of a catalog seldom have."""

import numpy as np
import pytest

from headrace_storage.search.columns import Column, Numbers, RunIdTexts, Texts, TextTable
from headrace_storage.search.grammar import parse_orders
from headrace_storage.search.order import After, Sorting, after_key, after_of, first_of


def texts(*values: str | None) -> Texts:
    table = TextTable()
    return Texts(np.array([-1 if value is None else table.code(value) for value in values], np.int32), table)


def numbers(*values: float | None) -> Numbers:
    present = np.array([value is not None for value in values])
    return Numbers(np.array([0.0 if value is None else value for value in values]), present)


def ids(count: int) -> np.ndarray[tuple[int], np.dtype[np.bytes_]]:
    return np.array([bytes([number, *[0] * 15]) for number in range(1, count + 1)], "S16")


@pytest.mark.parametrize(
    ("clause", "before", "after", "rest"),
    [
        ("params.a", texts("a", "b", "d"), texts("a", "c", "d"), [1, 2]),
        ("params.a DESC", texts("d", "c", "a"), texts("d", "b", "a"), [1, 2]),
        ("params.a", texts("a", "b", None), texts("a", None, None), [1, 2]),
        ("metrics.a", numbers(1, 2, 4), numbers(1, 3, 4), [1, 2]),
        ("metrics.a DESC", numbers(4, 2, 1), numbers(4, 1.5, 1), [1, 2]),
        ("metrics.a", numbers(1, np.inf, np.nan), numbers(1, np.nan, np.nan), [1, 2]),
        ("metrics.a", numbers(1, np.nan, None), numbers(1, None, None), [1, 2]),
    ],
)
def test_a_page_goes_on_after_a_value_that_is_not_there_any_more(
    clause: str, before: Column, after: Column, rest: list[int]
) -> None:
    """The second run ends a page, then its value changes: others come neither twice nor never."""
    orders = parse_orders([clause])
    end = After([before.place(1)], ids(3)[1])
    again = after_of(orders, after_key(orders, end))
    page = first_of([Sorting(orders[0], after)], ids(3), again, 3)
    assert page.tolist() == rest


def test_run_ids_are_ordered_and_paged_also_when_one_is_gone() -> None:
    orders = parse_orders(["run_id DESC"])
    column = RunIdTexts(ids(5))
    end = After([column.place(2)], ids(5)[2])
    left = ids(5)[[0, 1, 3, 4]]
    assert first_of([Sorting(orders[0], RunIdTexts(left))], left, end, 9).tolist() == [1, 0]


def test_ties_at_the_end_of_a_page_are_decided_by_the_next_clause() -> None:
    orders = parse_orders(["metrics.a", "metrics.b DESC"])
    columns = [numbers(1, 1, 1, 0, None), numbers(1, 3, 2, 0, 9)]
    sortings = [Sorting(order, column) for order, column in zip(orders, columns, strict=True)]
    assert [first_of(sortings, ids(5), None, limit).tolist() for limit in (1, 2, 3, 5, 9)] == [
        [3],
        [3, 1],
        [3, 1, 2],
        [3, 1, 2, 0, 4],
        [3, 1, 2, 0, 4],
    ]
