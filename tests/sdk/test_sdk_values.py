"""Values, steps, times, keys: what is taken, and how what is not is refused."""

import copy
import dataclasses
import math
import pickle
import struct
import sys
from array import array
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import headrace
from fake_core import FakeCore
from headrace import values
from headrace.errors import InvalidArgumentError


class Tensor:
    """What PyTorch's tensors offer."""

    def __init__(self, *items: float) -> None:
        self._items = items

    def item(self) -> float:
        if len(self._items) != 1:
            raise RuntimeError("a Tensor with 3 elements cannot be converted to Scalar")
        return self._items[0]

    def __float__(self) -> float:
        return float(self.item())


class Name(StrEnum):
    LOSS = "loss"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (True, 1.0),
        (-(2**53), -9007199254740992.0),
        (np.float32(0.5), 0.5),
        (np.float16(0.25), 0.25),
        (np.longdouble(2), 2.0),
        (np.int8(-3), -3.0),
        (np.uint64(7), 7.0),
        (np.bool_(True), 1.0),
        (np.array(0.5), 0.5),
        (np.array([[4]]), 4.0),
        (Tensor(0.125), 0.125),
        (Tensor(True), 1.0),
        (Decimal("0.5"), 0.5),
        (Fraction(1, 4), 0.25),
        (5e-324, 5e-324),
        (np.float64(-0.0), -0.0),
        (math.inf, math.inf),
        (np.float32("-inf"), -math.inf),
    ],
)
def test_anything_that_is_one_number_is_a_value(fake: FakeCore, value: Any, expected: float) -> None:
    with headrace.start_run():
        headrace.log_metric("loss", value)
        headrace.log_metrics({"loss": value})
    for point in fake.points():
        assert struct.pack("d", point.value) == struct.pack("d", expected)


@pytest.mark.parametrize("value", [math.nan, np.float32("nan"), Tensor(math.nan)])
def test_nan_is_a_value(fake: FakeCore, value: Any) -> None:
    with headrace.start_run():
        headrace.log_metric("loss", value)
    assert math.isnan(fake.points()[0].value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0.5", "expected one number"),
        (b"1", "expected one number"),
        (None, "None, a NoneType; expected one number"),
        ([0.5], "expected one number"),
        ({}, "expected one number"),
        (1j, "expected one number"),
        (np.str_("1"), "expected one number"),
        (np.array(["1"]), "expected one number"),
        (np.complex64(1), "expected one number"),
        (np.array([1.0, 2.0]), "log_series"),
        (np.array([]), "log_series"),
        (Tensor(1, 2, 3), "cannot be converted to Scalar"),
        (10**400, "no 64-bit float holds"),
    ],
)
def test_what_is_no_number_is_refused_by_name(fake: FakeCore, value: Any, reason: str) -> None:
    with headrace.start_run():
        with pytest.raises(InvalidArgumentError, match=reason) as caught:
            headrace.log_metric("loss", value)
        assert caught.value.argument == "value"
        with pytest.raises(InvalidArgumentError, match="metric 'bad'"):
            headrace.log_metrics({"good": 1.0, "bad": value})
    assert fake.points() == []


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (None, 0),
        (0, 0),
        (-5, -5),
        (True, 1),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (3.0, 3),
        (np.int32(7), 7),
        (np.float64(8), 8),
        (np.float32(9), 9),
    ],
)
def test_steps(fake: FakeCore, step: Any, expected: int) -> None:
    with headrace.start_run():
        headrace.log_metric("loss", 0.5, step)
        headrace.log_metrics({"loss": 0.5}, step=step)
    assert [point.step for point in fake.points()] == [expected, expected]


@pytest.mark.parametrize("step", [0.5, math.nan, math.inf, "1", "", [], 2**63, -(2**63) - 1, Decimal("0.5")])
def test_bad_steps_are_refused_by_name(fake: FakeCore, step: Any) -> None:
    with headrace.start_run():
        with pytest.raises(InvalidArgumentError) as single:
            headrace.log_metric("loss", 0.5, step)
        with pytest.raises(InvalidArgumentError) as several:
            headrace.log_metrics({"loss": 0.5}, step)
    assert single.value.argument == several.value.argument == "step"
    assert fake.points() == []


@pytest.mark.parametrize("time", [0, 1_700_000_000_123, 253_402_300_799_999, np.int64(5), 5.0])
def test_timestamps(fake: FakeCore, time: Any) -> None:
    with headrace.start_run():
        headrace.log_metric("loss", 0.5, timestamp=time)
        headrace.log_metrics({"loss": 0.5}, timestamp=time)
    assert [point.timestamp for point in fake.points()] == [int(time)] * 2


@pytest.mark.parametrize("time", [-1, 0.5, "now", 253_402_300_800_000, math.nan, 2**70])
def test_bad_timestamps_are_refused_by_name(fake: FakeCore, time: Any) -> None:
    with headrace.start_run():
        with pytest.raises(InvalidArgumentError, match="milliseconds since the epoch") as caught:
            headrace.log_metric("loss", 0.5, timestamp=time)
        assert caught.value.argument == "timestamp"
        with pytest.raises(InvalidArgumentError, match="timestamps"):
            headrace.log_series("loss", [0.5, 0.5], timestamps=[1, time])
    assert fake.points() == []


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("x" * 251, "251 characters, the bound is 250"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        (5, "5, a int; expected a string"),
        (None, "expected a string"),
        (b"loss", "expected a string"),
        (["loss"], "expected a string"),
    ],
)
def test_bad_keys_are_refused_by_every_call(fake: FakeCore, key: Any, reason: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: headrace.log_metric(key, 0.5),
        lambda: headrace.log_series(key, [0.5]),
        lambda: headrace.log_param(key, 1),
        lambda: headrace.set_tag(key, 1),
        lambda: headrace.delete_tag(key),
        lambda: headrace.log_batch([headrace.Metric(key, 0.5, 0, 0)]),
        lambda: headrace.log_batch(params=[headrace.Param(key, "v")]),
    ]
    with headrace.start_run() as run:
        before = len(fake.written())
        for call in calls:
            with pytest.raises(InvalidArgumentError, match=reason) as caught:
                call()
            assert caught.value.argument.startswith("key")
        assert len(fake.written()) == before, run


def test_keys_at_the_bound_and_of_other_string_types(fake: FakeCore) -> None:
    keys = ["x" * 250, "ключ/μ ☂", Name.LOSS, np.str_("np")]
    with headrace.start_run():
        for key in keys:
            headrace.log_metric(key, 0.5)
    assert [point.key for point in fake.points()] == ["x" * 250, "ключ/μ ☂", "loss", "np"]


@pytest.mark.parametrize(
    "series",
    [
        [0.5, 1.0, 2.0],
        (0.5, 1, 2),
        array("d", [0.5, 1, 2]),
        array("f", [0.5, 1, 2]),
        np.array([0.5, 1, 2]),
        np.array([0.5, 1, 2], dtype=np.float32),
        np.array([0.5, 0, 1, 0, 2, 0])[::2],
        np.array([[0.5, 9], [1, 9], [2, 9]])[:, 0],
        [np.float32(0.5), Tensor(1), Decimal(2)],
    ],
)
def test_series_of_every_kind(fake: FakeCore, series: Any) -> None:
    with headrace.start_run():
        headrace.log_series("loss", series, steps=[5, -5, 5], timestamps=np.array([1, 2, 1]))
        headrace.log_series("other", series)
    points = fake.points()
    assert [(p.value, p.step, p.timestamp) for p in points[:3]] == [(0.5, 5, 1), (1.0, -5, 2), (2.0, 5, 1)]
    assert [(p.value, p.step, p.timestamp) for p in points[3:]] == [
        (0.5, 0, None),
        (1.0, 1, None),
        (2.0, 2, None),
    ]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"values": "12"}, "values"),
        ({"values": ["a"]}, "values"),
        ({"values": [None]}, "values"),
        ({"values": np.zeros((2, 2))}, "values"),
        ({"values": [1.0], "steps": [0.5]}, "steps"),
        ({"values": [1.0], "steps": [1, 2]}, "steps"),
        ({"values": [1.0], "timestamps": [1, 2]}, "timestamps"),
    ],
)
def test_bad_series_are_refused_by_name(fake: FakeCore, arguments: dict[str, Any], named: str) -> None:
    with headrace.start_run():
        with pytest.raises(InvalidArgumentError) as caught:
            headrace.log_series("loss", **arguments)
        assert caught.value.argument == named
    assert fake.points() == []


def test_a_truth_value_is_no_time() -> None:
    with pytest.raises(InvalidArgumentError, match="timestamp is True"):
        headrace.log_metric("loss", 0.5, timestamp=True)


def test_series_from_generators(fake: FakeCore) -> None:
    with headrace.start_run():
        numbers = range(3)
        headrace.log_series("loss", (n / 2 for n in numbers), (n * 2 for n in numbers), (n for n in numbers))
    assert [(p.value, p.step, p.timestamp) for p in fake.points()] == [(0, 0, 0), (0.5, 2, 1), (1, 4, 2)]


def test_an_empty_series_is_done_at_once() -> None:
    with headrace.start_run():
        assert headrace.log_series("loss", []).done()
        assert headrace.log_series("loss", np.array([]), timestamps=[]).done()
        assert headrace.log_metrics({}).done()
        assert headrace.log_batch().done()
        assert headrace.log_params({}).done()


@given(st.floats() | st.integers(-(2**1000), 2**1000) | st.booleans())
def test_python_numbers_keep_their_value(value: float) -> None:
    result = values.number("value", value)
    assert type(result) is float
    assert result == float(value) or math.isnan(value)


@given(st.integers() | st.floats())
def test_whole_numbers_are_integers_or_an_error_that_names_the_argument(value: float) -> None:
    if isinstance(value, int) or value.is_integer():
        assert values.whole("step", value) == value
    else:
        with pytest.raises(InvalidArgumentError, match="step"):
            values.whole("step", value)


def test_messages_stay_short() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        values.number("value", "x" * sys.getrecursionlimit())  # type: ignore[arg-type]
    assert len(str(caught.value)) < 200


def test_a_metric_without_links() -> None:
    plain, linked = headrace.Metric("a", 1.0, 2, 3), headrace.Metric("a", 1.0, 2, 3, "m", run_id="r")
    assert (plain.model_id, plain.run_id, linked.model_id, linked.dataset_name) == (None, None, "m", None)
    assert plain == headrace.Metric("a", 1.0, timestamp=2, step=3) != linked
    assert hash(plain) == hash(copy.copy(plain)) == hash(pickle.loads(pickle.dumps(plain)))  # noqa: S301
    assert repr(plain).endswith("step=3, model_id=None, dataset_name=None, dataset_digest=None, run_id=None)")
    assert pickle.loads(pickle.dumps(linked)).to_dictionary() == dataclasses.asdict(linked)  # noqa: S301
    with pytest.raises(AttributeError, match="nothing"):
        plain.nothing  # type: ignore[attr-defined] # noqa: B018
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.step = 4  # type: ignore[misc]
