"""Questions for the histories of several metrics, and what can be made of the answers."""

import math
import sys
from array import array
from typing import Any

import numpy as np
import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace import Client, MetricHistories, MetricSeries, MetricWriter
from headrace.errors import HeadraceError, InvalidArgumentError
from headrace_proto.v1 import tracking_pb2 as pb

RUN, OTHER = "0" * 32, "1" * 32
WRITER = "a" * 32
NEXT = "next"


def test_what_is_asked_for(fake: FakeCore, ask: Ask) -> None:
    fake.responses["GetMetricHistories"] = []
    fake.responses["GetMetricHistory"] = []
    ask("get_metric_histories", RUN)
    assert fake.asked[-1][1] == pb.GetMetricHistoriesRequest(run_ids=[RUN])
    everything = {"writer": WRITER, "rank": [0, 3], "buckets": 5, "max_points": 7, "page_token": NEXT}
    found = ask("get_metric_histories", [OTHER, RUN], ["b", "a"], steps=(-5, None), **everything)
    assert fake.asked[-1][1] == pb.GetMetricHistoriesRequest(
        run_ids=[OTHER, RUN],
        keys=["b", "a"],
        first_step=-5,
        writer_ids=[WRITER],
        ranks=[0, 3],
        buckets=5,
        max_points=7,
        page_token=NEXT,
    )
    assert found.has_buckets
    for method in ("get_metric_history", "get_metric_columns"):
        ask(method, RUN, "a", steps=(None, 0), writer=[WRITER], rank=0)
        assert fake.asked[-1][1] == pb.GetMetricHistoryRequest(
            run_id=RUN, key="a", packed=True, last_step=0, writer_ids=[WRITER], ranks=[0]
        )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"run_ids": []}, "run_ids holds 0, the bounds are 1 and 1000; name one at least"),
        ({"run_ids": None}, "run_ids names none; name one at least"),
        ({"run_ids": [RUN] * 1001}, "run_ids holds 1001, .* ask for the others in another call"),
        ({"run_ids": ["no id!"]}, "run_id is 'no id!'"),
        ({"keys": []}, "keys holds 0, the bounds are 1 and 1000"),
        ({"keys": [""]}, "key ''"),
        ({"keys": 5}, "keys is 5"),
        ({"steps": 5}, "steps is 5; expected the first and the last step, as"),
        ({"steps": (1, 2, 3)}, "steps is"),
        ({"steps": range(2)}, "steps is"),
        ({"steps": (0, 1.5)}, "steps is 1.5; expected an integer of 64 bits"),
        ({"steps": (0, 1 << 63)}, "64 bits"),
        ({"steps": (2, 1)}, "first step is after the last; swap them"),
        ({"writer": "rank 0"}, "writer is 'rank 0'; expected 32 lower-case hex digits, as list_writers"),
        ({"writer": []}, "writer holds 0, .* None stands for any"),
        ({"rank": -1}, "rank is -1; expected an integer from 0 on"),
        ({"rank": "0"}, "rank is '0'; expected an integer"),
        ({"rank": [True]}, "rank is True"),
        ({"rank": []}, "rank holds 0"),
        ({"buckets": 0}, "buckets is 0, the bounds are 1 and 10000"),
        ({"buckets": 10_001}, "buckets is 10001"),
        ({"max_points": 0}, "max_points is 0, the bounds are 1 and 1000000"),
        ({"max_points": 1_000_001}, "max_points is"),
    ],
)
def test_bad_arguments_are_told_by_the_call(fake: FakeCore, given: dict[str, Any], problem: str) -> None:
    for method in (
        Client().get_metric_histories,
        Client().iter_metric_histories,
        headrace.get_metric_histories,
    ):
        with pytest.raises(InvalidArgumentError, match=problem):
            method(**{"run_ids": RUN, **given})
    assert not [method for method, _ in fake.asked if method != "settle"]


@pytest.fixture
def found() -> MetricHistories:
    return MetricHistories(
        [MetricSeries(RUN, "a", 0, 1), MetricSeries(RUN, "b", 1, 3)],
        {
            "step": array("q", [5, -1, 7]),
            "timestamp": array("q", [1000, 2000, 3000]),
            "value": array("d", [0.5, math.inf, 1.0]),
            "writer": array("q", [0, 1, 0]),
        },
        [MetricWriter(WRITER, {"rank": "4"}), MetricWriter("b" * 32, {"rank": "main"})],
        NEXT,
    )


def test_steps_and_ranks_of_a_table(fake: FakeCore) -> None:
    numbers: Any = np.array([3, 9])
    fake.responses["GetMetricHistory"] = []
    headrace.Client().get_metric_history(RUN, "a", steps=(numbers[0], numbers[1]), rank=numbers)
    request = fake.asked[-1][1]
    assert (request.first_step, request.last_step, list(request.ranks)) == (3, 9, [3, 9])
    with pytest.raises(InvalidArgumentError, match="64 bits"):
        headrace.Client().get_metric_history(RUN, "a", steps=(numbers, None))


def test_as_a_list(found: MetricHistories) -> None:
    assert found.to_list() == [
        headrace.Metric("a", 0.5, 1000, 5, run_id=RUN),
        headrace.Metric("b", math.inf, 2000, -1, run_id=RUN),
        headrace.Metric("b", 1.0, 3000, 7, run_id=RUN),
    ]
    assert [(row["writer"][0], row["rank"]) for row in found.to_dicts()] == [("a", 4), ("b", None), ("a", 4)]
    assert (len(found), list(found), found.token) == (3, list(found.series), NEXT)
    assert list(found[RUN, "b"]["value"]) == [math.inf, 1.0]
    assert (RUN, "b") in found
    assert (OTHER, "b") not in found
    with pytest.raises(KeyError):
        found[OTHER, "b"]
    head = found.head(2)
    assert (len(head), head.series[-1], head.to_list()) == (2, (RUN, "b", 1, 2), found.to_list()[:2])
    assert found.head(9).to_list() == found.to_list()


@pytest.mark.parametrize(
    ("method", "module"),
    [("arrow", "pyarrow"), ("pandas", "pandas"), ("polars", "polars"), ("numpy", "numpy")],
)
def test_what_is_not_installed_is_named(
    found: MetricHistories, monkeypatch: pytest.MonkeyPatch, method: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(HeadraceError, match=rf"to_{method}\(\) needs {module}, .*: pip install {module}"):
        getattr(found, f"to_{method}")()


BUCKETS = MetricHistories(
    [MetricSeries(RUN, "a", 0, 2)],
    {
        "first_step": array("q", [0, 5]),
        "last_step": array("q", [4, 5]),
        "count": array("q", [5, 1]),
        "nan_count": array("q", [1, 1]),
        "min": array("d", [-math.inf, math.nan]),
        "max": array("d", [math.inf, math.nan]),
        "mean": array("d", [math.nan, math.nan]),
        "first_value": array("d", [0.25, math.nan]),
        "last_value": array("d", [math.inf, math.nan]),
    },
)


def test_buckets_tell_what_is_not_finite() -> None:
    first, second = BUCKETS.to_list()
    assert (first.posinf, first.neginf, first.nan_count, first.last_value) == (True, True, 1, math.inf)
    assert (second.posinf, second.neginf, second.nan_count, second.count) == (False, False, 1, 1)
    assert str(list(BUCKETS.to_dicts()[0].values())) == str([getattr(first, name) for name in BUCKETS.names])


def test_polars(found: MetricHistories) -> None:
    pytest.importorskip("polars")
    for histories in (found, BUCKETS, found.head(0), BUCKETS.head(0)):
        frame = histories.to_polars()
        assert frame.columns == list(histories.names)
        if not histories.has_buckets:
            assert str(frame.schema["timestamp"]) == "Datetime(time_unit='ms', time_zone='UTC')"
            frame = frame.with_columns(frame["timestamp"].dt.timestamp("ms"))
        assert str(frame.rows()) == str([tuple(row.values()) for row in histories.to_dicts()])
