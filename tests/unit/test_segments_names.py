"""Series as columns are the same series."""

import numpy as np
import pytest

from headrace_storage.model import Series
from headrace_storage.segments.names import Names, RunKeys, TextStore, joined, run_ids

SOME = [
    Series("b" * 32, "loss", ""),
    Series("a" * 32, "loss", "second"),
    Series("a" * 32, "loss", ""),
    Series("a" * 32, "\u00e9t\u00e9", ""),
    Series("a" * 32, "loss", "second"),
    Series("a" * 32, "\U0001f600", ""),
]


def test_they_are_a_sequence_of_the_same_series() -> None:
    names = Names.of(SOME)
    assert list(names) == SOME
    assert [names[at] for at in range(len(SOME))] == SOME
    assert list(names[1:3]) == SOME[1:3]
    assert list(names.take(np.array([3, 0])).narrowed()) == [SOME[3], SOME[0]]
    assert sorted(run_ids(names[1:])) == ["a" * 32]
    assert list(RunKeys.of(names)) == [(run_id, key) for run_id, key, _ in SOME]


@pytest.mark.parametrize("table", [SOME, SOME[:1], sorted(set(SOME))])
def test_ranks_are_places_among_the_distinct_ones(table: list[Series]) -> None:
    ranks, distinct = Names.of(table).ranked()
    assert list(distinct) == sorted(set(table))
    assert [distinct[rank] for rank in ranks.tolist()] == table


def test_joined_tables_follow_each_other() -> None:
    other = [Series("c" * 32, "loss", ""), SOME[0]]
    assert list(joined([Names.of(SOME)[2:], other, []])) == SOME[2:] + other
    ranks, distinct = joined([Names.of(SOME), other]).ranked()
    assert [distinct[rank] for rank in ranks.tolist()] == SOME + other
    assert len(set(distinct)) == len(distinct)


def test_texts_are_found_in_blocks_and_behind_them() -> None:
    store, texts = TextStore(), [f"key {number}" for number in range(10_000)]
    for text in texts:
        store.append("wrong")
        store.replace_newest(text)
    assert len(store) == len(texts)
    assert [store[number] for number in range(len(texts))] == texts
    some = np.concatenate((np.arange(0, 9000, 7), np.arange(9990, 10_000)))
    assert store.take(some).to_pylist() == [texts[number] for number in some.tolist()]
    assert store.take(np.arange(3)).to_pylist() == texts[:3]
