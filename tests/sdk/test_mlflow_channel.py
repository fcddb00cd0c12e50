"""What MLflow's plugin takes for plain, and how often it writes it. Without MLflow."""

import math
from dataclasses import dataclass, replace
from typing import Any

import pytest

from fake_core import FakeCore, Point
from headrace.errors import RejectedError
from headrace.integrations.mlflow_plugin import channel as module
from headrace.integrations.mlflow_plugin.channel import Channel
from headrace.journal.run_log import RunLog
from headrace.operation import DROPPED, RunOperation

RUN = "0123456789abcdef" * 2
BEGIN = 1_700_000_000_000


@dataclass
class Metric:
    """As MLflow's."""

    key: Any = "loss"
    value: Any = 0.5
    timestamp: Any = BEGIN
    step: Any = 3
    model_id: Any = None
    dataset_name: Any = None
    dataset_digest: Any = None


@dataclass
class Pair:
    """As MLflow's params and tags."""

    key: Any = "name"
    value: Any = "text"


@pytest.fixture
def channel(fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> Channel:
    monkeypatch.setattr(fake, "ended", False, raising=False)
    monkeypatch.setattr(fake, "current_writer", lambda: fake.writers[0], raising=False)
    made = Channel(fake)  # type: ignore[arg-type]
    made.met(RUN)
    return made


def test_plain_points_are_written(channel: Channel, fake: FakeCore) -> None:
    for key in ("loss", "val/loss", "a b:c-d.e_f", "ünder", "k" * 250, "1"):
        for value in (0.5, -0.0, math.inf):
            assert channel.point(RUN, Metric(key, value, 0, -7))
            assert fake.points()[-1] == Point(RUN, key, value, -7, 0)
    assert channel.point(RUN, Metric(value=math.nan, step=(1 << 63) - 1))
    assert math.isnan(fake.points()[-1].value)


@pytest.mark.parametrize(
    "odd",
    [
        *(
            {"key": key}
            for key in ("", "/a", "a//b", "a/", "../b", ".", "a;b", "a\n", "k" * 251, "\0", 5, None)
        ),
        *({"value": value} for value in (1, True, "1", None)),
        *({"timestamp": time} for time in (-1, 253_402_300_800_000, 5.0, None)),
        *({"step": step} for step in (1 << 63, -(1 << 63) - 1, 1.0, None)),
        {"model_id": 5},
        {"model_id": "m-1", "dataset_name": "\ud800"},
    ],
    ids=str,
)
def test_odd_points_are_left_to_rest(channel: Channel, fake: FakeCore, odd: dict[str, Any]) -> None:
    for _ in range(2):
        assert channel.point(RUN, replace(Metric(), **odd)) is None
        assert channel.batch(RUN, [Metric(), replace(Metric(), **odd)], [], []) is None
        assert not fake.points()
        assert not fake.changes()
    channel.point(RUN, Metric())
    if not odd.get("model_id") and odd.get("key", "") == "":  # of a series that is known by now
        assert channel.point(RUN, replace(Metric(), **odd)) is None
        assert len(fake.points()) == 1


@pytest.mark.parametrize(
    ("params", "tags"),
    [
        ([Pair("a;b")], []),
        ([Pair("twice"), Pair("twice")], []),
        ([Pair(value=5)], []),
        ([], [Pair(value="\0")]),
        ([], [Pair("mlflow.runName", "")]),
        ([Pair(f"p{number}") for number in range(101)], []),
        ([], [Pair(f"t{number}") for number in range(101)]),
    ],
)
def test_odd_batches_are_left_to_rest(
    channel: Channel, fake: FakeCore, params: list[Pair], tags: list[Pair]
) -> None:
    assert channel.batch(RUN, [Metric()], params, tags) is None
    assert channel.batch(RUN, [Metric(step=step) for step in range(1001)], [], []) is None
    assert not fake.points()
    assert not fake.changes()


def test_params_and_tags_are_cut_and_come_with_the_points(channel: Channel, fake: FakeCore) -> None:
    linked = Metric(model_id="m-1", dataset_name="d", dataset_digest="1")
    assert channel.batch(RUN, [linked], [Pair("p", "x" * 7000)], [Pair("t", "y" * 9000)])
    assert len(fake.points()) == 1
    param, link, tag = (each.change for each in fake.changes())
    assert (param.param.key, param.param.value) == ("p", "x" * 6000)
    assert (tag.tag.key, tag.tag.value) == ("t", "y" * 8000)
    said = link.link_metric
    assert (said.key, said.value, said.timestamp, said.step) == ("loss", 0.5, BEGIN, 3)
    assert (said.model_id, said.dataset_name, said.dataset_digest) == ("m-1", "d", "1")


def test_only_runs_that_are_known_to_be_there_are_logged_to(channel: Channel, fake: FakeCore) -> None:
    assert channel.point("f" * 32, Metric()) is None
    assert channel.point(RUN, Metric())
    channel.forget_runs()
    assert channel.point(RUN, Metric(step=4)) is None
    channel.met(RUN)
    assert channel.point(RUN, Metric(step=4))
    fake.ended = True  # type: ignore[attr-defined]
    assert channel.point(RUN, Metric(step=5)) is None
    assert [point.step for point in fake.points()] == [3, 4]


def test_a_point_that_comes_again_is_written_once(channel: Channel, fake: FakeCore) -> None:
    first = channel.point(RUN, Metric())
    again = channel.point(RUN, Metric())
    batch = channel.batch(RUN, [Metric(), Metric(model_id="m-1"), Metric(step=4), Metric(step=4)], [], [])
    assert first
    assert again
    assert batch
    assert not again.done(), "the first is not durable yet"
    assert [(point.step, point.value) for point in fake.points()] == [(3, 0.5), (4, 0.5)]
    assert [each.change.link_metric.model_id for each in fake.changes()] == ["m-1"]
    for other in (
        Metric(key="other"),
        Metric(value=0.25),
        Metric(timestamp=BEGIN + 1),
        Metric(value=0.0),
        Metric(value=-0.0),
        Metric(value=math.nan),
    ):
        for _ in range(2):
            channel.point(RUN, other)
    channel.met("e" * 32)
    channel.point("e" * 32, Metric())
    assert len(fake.points()) == 9
    fake.commit()
    assert first.done()
    assert again.done()


def test_what_is_known_is_bounded(channel: Channel, fake: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GENERATION", 10)
    for step in range(35):
        channel.point(RUN, Metric(step=step))
        for last in range(max(0, step - 10), step + 1):
            channel.point(RUN, Metric(step=last))
    assert [point.step for point in fake.points()] == list(range(35)), "the last ten are known"
    recent = channel._recent
    assert len(recent.newer) + len(recent.older) <= 20
    channel.point(RUN, Metric(step=0))
    assert len(fake.points()) == 36
    for number in range(25):
        channel.point(RUN, Metric(key=f"k{number}"))
    assert len(channel._series) <= 10


def test_a_forked_child_writes_what_its_parent_wrote(channel: Channel, fake: FakeCore) -> None:
    channel.point(RUN, Metric())
    channel.after_fork()
    channel.point(RUN, Metric())
    assert len(fake.points()) == 2


@pytest.mark.parametrize("together", [False, True])
def test_a_point_that_came_to_nothing_is_written_again(
    channel: Channel, fake: FakeCore, together: bool
) -> None:
    def log() -> RunOperation:
        metric = Metric(step=4)
        operation = channel.batch(RUN, [metric], [], []) if together else channel.point(RUN, metric)
        assert operation is not None
        return operation

    assert channel.point(RUN, Metric())  # the key is known from now on
    refused = log()
    assert log() is refused, "not known yet: who waits hears the same"
    fake.commit((0, fake.writers[0].written(), "LATE", "too late"))
    assert isinstance(refused.exception(), RejectedError)
    again = log()
    assert again is not refused
    fake.commit()
    assert again.exception() is None
    assert log() is again
    assert [point.step for point in fake.points()] == [3, 4, 4]


def test_a_point_that_was_dropped_is_written_again(
    channel: Channel, fake: FakeCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dropped:
        name = "dropped"

        def committed(self) -> int:
            return 0

        def reject(self, *_: int) -> tuple[str, str]:
            return DROPPED, "no room"

    assert channel.point(RUN, Metric())
    with monkeypatch.context() as full:
        full.setattr(RunLog, "log_metric", lambda *_: RunOperation(Dropped(), 0, 0))  # type: ignore[arg-type]
        assert channel.point(RUN, Metric(step=4))
    assert channel.point(RUN, Metric(step=4))
    assert [point.step for point in fake.points()] == [3, 4]
