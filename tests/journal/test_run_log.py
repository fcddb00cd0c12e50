"""What is written is what was logged, whatever the call, the file's end and the library around."""

import math
import struct
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from headrace.errors import InvalidArgumentError
from headrace.journal import layout
from headrace.journal.run_log import RunLog
from headrace_proto.wire import CELL_SIZE, TIMESTAMP_GIVEN

RUN = "0123456789abcdef" * 2
int64 = st.integers(-(2**63), 2**63 - 1)
keys = st.sampled_from(["loss", "acc", "grad/ä"])
floats = st.floats(allow_nan=True, allow_infinity=True)
calls = st.lists(
    st.one_of(
        st.tuples(st.just("metric"), keys, floats, int64, st.none() | int64),
        st.tuples(st.just("metrics"), st.dictionaries(keys, floats, min_size=1), int64, st.none() | int64),
        st.tuples(st.just("series"), keys, st.lists(st.tuples(floats, int64), min_size=1, max_size=40)),
        st.tuples(st.just("blob"), st.binary(max_size=300)),
    ),
    max_size=30,
)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


def perform(log: RunLog, call: tuple[Any, ...]) -> list[tuple[str, int, int | None, bytes]]:
    """Makes the call; returns (key, step, timestamp, value) of what must be found."""
    kind, *arguments = call
    if kind == "metric":
        key, value, step, timestamp = arguments
        log.log_metric(key, value, step, timestamp)
        return [(key, step, timestamp, bits(value))]
    if kind == "metrics":
        metrics, step, timestamp = arguments
        log.log_metrics(metrics, step, timestamp)
        return [(key, step, timestamp, bits(value)) for key, value in metrics.items()]
    if kind == "series":
        key, points = arguments
        log.log_series(key, [value for value, _ in points], [step for _, step in points])
        return [(key, step, None, bits(value)) for value, step in points]
    log.change(arguments[0])
    return []


def half_imported() -> ModuleType:
    """What stands in ``sys.modules`` while another thread imports NumPy."""
    module = ModuleType("numpy")
    module.__spec__ = SimpleNamespace(_initializing=True)  # type: ignore[assignment]
    return module


@pytest.mark.parametrize("numpy", [np, None, half_imported()], ids=["whole", "none", "half"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=calls)
def test_everything_is_found_in_order(journals: Any, read: Any, numpy: Any, calls: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)  # files end often
        patch.setattr(layout, "LARGEST_FILE", 128 * CELL_SIZE)
        patch.setitem(sys.modules, "numpy", numpy)
        writer = journals.writer()
        log = RunLog(writer, RUN, "attempt")
        before = time.time_ns() // 1_000_000
        expected = [point for call in calls for point in perform(log, call)]
        after = time.time_ns() // 1_000_000
    content = read(writer.folder)
    assert [(key, step, value) for _, key, step, _, value, _ in content.points] == [
        (key, step, value) for key, step, _, value in expected
    ]
    for (*_, timestamp, _, flags), (_, _, given_timestamp, _) in zip(content.points, expected, strict=True):
        if given_timestamp is None:
            assert before <= timestamp <= after
            assert not flags & TIMESTAMP_GIVEN
        else:
            assert timestamp == given_timestamp
            assert flags & TIMESTAMP_GIVEN
    assert [blob for _, blob in content.blobs] == [call[1] for call in calls if call[0] == "blob"]


def test_a_blob_never_crosses_a_file(journals: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * CELL_SIZE)
    monkeypatch.setattr(layout, "LARGEST_FILE", 1024 * CELL_SIZE)
    writer = journals.writer()
    log = RunLog(writer, RUN, "")
    blobs = [bytes([n]) * (n * 37) for n in range(200)] + [b"x" * 1000 * CELL_SIZE]
    for blob in blobs:
        log.change(blob)
        log.log_metric("m", 1.0)
    content = read(writer.folder)
    assert [blob for _, blob in content.blobs] == blobs
    assert content.order == ["b", "m"] * len(blobs)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2.5, True], [1.0, 2.5, 1.0]),
        (array("f", [0.5, 1.5]), [0.5, 1.5]),
        (array("d", [0.5]), [0.5]),
        (np.array([1, 2], dtype=np.int16), [1.0, 2.0]),
        (np.arange(10, dtype=np.float32)[::3], [0.0, 3.0, 6.0, 9.0]),
        (np.arange(10, dtype=np.float64)[::-3], [9.0, 6.0, 3.0, 0.0]),
        (np.array([1.0], dtype=">f8"), [1.0]),
        (range(3), [0.0, 1.0, 2.0]),
    ],
)
def test_series_of_any_array(journals: Any, read: Any, values: Any, expected: list[float]) -> None:
    writer = journals.writer()
    RunLog(writer, RUN, "").log_series("x", values)
    points = read(writer.folder).points
    assert [value for *_, value, _ in points] == [bits(value) for value in expected]
    assert [step for _, _, step, *_ in points] == list(range(len(expected)))


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda log: log.log_metric("k", "1.0"), "value"),
        (lambda log: log.log_metric("k", None), "value"),
        (lambda log: log.log_metric("k", 1.0, 1.5), "step"),
        (lambda log: log.log_metric("k", 1.0, 2**63), "step"),
        (lambda log: log.log_metric("k", 1.0, 0, "now"), "timestamp"),
        (lambda log: log.log_metric("", 1.0), "key"),
        (lambda log: log.log_metric("k" * 251, 1.0), "key"),
        (lambda log: log.log_metric("a\0b", 1.0), "key"),
        (lambda log: log.log_metric(7, 1.0), "key"),
        (lambda log: log.log_metrics({"a": 1.0, "b": "2"}), "metric 'b'"),
        (lambda log: log.log_metrics({"a": 1.0}, 2**63), "step"),
        (lambda log: log.log_series("k", "12"), "values"),
        (lambda log: log.log_series("k", np.zeros((2, 2))), "values"),
        (lambda log: log.log_series("k", np.array(["a"])), "values"),
        (lambda log: log.log_series("k", [1.0], [1.5]), "steps"),
        (lambda log: log.log_series("k", [1.0], np.array([1.5])), "steps"),
        (lambda log: log.log_series("k", [1.0, 2.0], [1]), "steps"),
        (lambda log: log.log_series("k", [1.0], np.array([2**63], dtype=np.uint64)), "steps"),
        (lambda log: log.log_series("k", [1.0], [1], [1, 2]), "timestamps"),
        (lambda log: log.change(b"x" * (3 << 20)), "the change"),
    ],
)
def test_a_bad_argument_is_named_and_writes_nothing(
    journals: Any, read: Any, call: Callable[[RunLog], object], argument: str
) -> None:
    writer = journals.writer()
    log = RunLog(writer, RUN, "")
    log.log_metric("good", 1.0)
    with pytest.raises(InvalidArgumentError) as caught:
        call(log)
    assert caught.value.argument.startswith(argument)
    log.log_metric("good", 2.0)
    assert [(key, value) for _, key, _, _, value, _ in read(writer.folder).points] == [
        ("good", bits(1.0)),
        ("good", bits(2.0)),
    ]


def test_values_keep_their_bits(journals: Any, read: Any) -> None:
    values = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308]
    writer = journals.writer()
    log = RunLog(writer, RUN, "")
    for value in values:
        log.log_metric("x", value)
    log.log_metrics({f"k{n}": value for n, value in enumerate(values)})
    log.log_series("y", array("d", values))
    assert [value for *_, value, _ in read(writer.folder).points] == [bits(value) for value in values] * 3


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_closed_journal_holds_no_cells_open(journals: Any) -> None:
    writer = journals.writer()
    RunLog(writer, RUN, "").log_series("x", array("d", [1.0]) * 20_000)  # over several files
    writer.close()
    names = [str(path.resolve()) for path in Path("/proc/self/fd").iterdir()]
    assert not [
        name
        for name in names
        if name.startswith(str(writer.folder)) and name.endswith((".cells", ".reserve"))
    ]
