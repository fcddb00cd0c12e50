"""What the numbers in cells mean."""

import numpy as np
import pytest

from headrace_ingest.admission import MAX_DEFINITION_BYTES, RefusedError
from headrace_ingest.bounds import Bounds
from headrace_ingest.dictionary import Dictionary
from headrace_proto.wire import RunDefinition, SeriesDefinition, run_frame, series_frame
from headrace_storage.model import Series

RUN = "ab" * 16
OTHER = "cd" * 16


def test_the_last_definition_of_the_newest_number_counts() -> None:
    names = Dictionary()
    names.add(run_frame(RunDefinition(0, RUN, "")) + run_frame(RunDefinition(0, OTHER, "t")))
    names.add(series_frame(SeriesDefinition(0, 0, "bad\0")) + series_frame(SeriesDefinition(0, 0, "good")))
    assert names.series[0] == Series(OTHER, "good", "t")
    assert len(names.series) == 1
    assert names.problems == {}


@pytest.mark.parametrize("number", [0, 3])
def test_other_numbers_are_neither_replaced_nor_skipped(number: int) -> None:
    names = Dictionary()
    names.add(run_frame(RunDefinition(0, RUN, "")) + run_frame(RunDefinition(1, OTHER, "")))
    with pytest.raises(RefusedError, match=f"number {number} is defined after 1"):
        names.add(run_frame(RunDefinition(number, RUN, "")))


@pytest.mark.parametrize(
    ("attempt", "key", "problem"),
    [("", "", "is empty"), ("", "k" * 251, "251"), ("t" * 251, "k", "token"), ("a\0", "k", "token")],
)
def test_a_name_that_cannot_be_stored_refuses_its_points_only(attempt: str, key: str, problem: str) -> None:
    names = Dictionary()
    names.add(run_frame(RunDefinition(0, RUN, attempt)) + series_frame(SeriesDefinition(0, 0, key)))
    assert problem in names.problems[0]


def test_definitions_are_bounded_by_what_they_take_in_memory() -> None:
    names = Dictionary(Bounds(definitions=1 << 20))
    names.add(run_frame(RunDefinition(0, RUN, "")))
    frames = [series_frame(SeriesDefinition(number, 0, f"key{number}")) for number in range(20_000)]
    with pytest.raises(RefusedError, match=r"the bound of 1048576 \(HEADRACE_MAX_DEFINITIONS"):
        names.add(b"".join(frames))
    assert 15_000 < len(names.series) < 19_000


def test_a_message_of_definitions_is_bounded() -> None:
    frame = run_frame(RunDefinition(0, RUN, ""))
    with pytest.raises(RefusedError, match=f"the bound is {MAX_DEFINITION_BYTES}"):
        Dictionary().add(frame * (MAX_DEFINITION_BYTES // len(frame) + 1))


@pytest.mark.parametrize("count", [3, 100, 3000])
def test_series_are_selected_by_their_numbers(count: int) -> None:
    names = Dictionary()
    names.add(run_frame(RunDefinition(0, RUN, "")) + run_frame(RunDefinition(1, OTHER, "t")))
    names.add(
        b"".join(series_frame(SeriesDefinition(at, at % 2, f"key {at // 4}")) for at in range(2 * count))
    )
    numbers = np.arange(1, 2 * count, 2)[: count - 1]
    expected = [Series(OTHER, f"key {at // 4}", "t") for at in numbers.tolist()]
    assert list(names.series.select(numbers)) == expected
    assert list(names.series.select(np.array([0, 1]))) == [Series(RUN, "key 0", ""), expected[0]]
