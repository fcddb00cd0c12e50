"""What the logging calls write, and what they return."""

import enum
import math
from collections.abc import Callable
from typing import Any

import pytest

import headrace
from fake_core import FakeCore
from headrace.errors import InvalidArgumentError, OperationTimeoutError, RejectedError
from headrace.operation import RunOperation
from headrace.together import together

RUN = "0123456789abcdef0123456789abcdef"


def changes(fake: FakeCore) -> list[str]:
    """Changes after those of the start, as short texts."""
    texts = []
    for record in fake.changes():
        kind = record.change.WhichOneof("change")
        if kind in ("param", "tag", "delete_tag"):
            change = getattr(record.change, kind)
            texts.append(f"{kind} {change.key}" + (f"={change.value}" if kind != "delete_tag" else ""))
    return texts


def test_points_carry_what_was_given(fake: FakeCore) -> None:
    with headrace.start_run() as run:
        headrace.log_metric("a", 1.0)
        headrace.log_metric("a", 2.0, 5, None, 77)
        headrace.log_metrics({"b": 3, "c": 4.0}, step=6, timestamp=78)
        headrace.log_metric("a", 5.0, run_id=RUN)
        headrace.log_metrics({"a": 6.0}, run_id=RUN)
        headrace.log_series("a", [7.0], run_id=RUN)
    points = [(p.key, p.value, p.step, p.timestamp) for p in fake.points() if p.run_id == run.info.run_id]
    assert points == [("a", 1.0, 0, None), ("a", 2.0, 5, 77), ("b", 3.0, 6, 78), ("c", 4.0, 6, 78)]
    assert [p.value for p in fake.points() if p.run_id == RUN] == [5.0, 6.0, 7.0]


def test_naming_the_active_run_logs_in_its_attempt(fake: FakeCore) -> None:
    with headrace.start_run() as run:
        headrace.log_metric("a", 1.0)
        headrace.log_metric("a", 2.0, run_id=run.info.run_id)
        headrace.Client().log_metric(run.info.run_id, "a", 3.0)
    assert len({(point.run_id, point.attempt) for point in fake.points()}) == 1


def test_params_and_tags_become_text(fake: FakeCore) -> None:
    with headrace.start_run():
        headrace.log_param("lr", 0.1)
        headrace.log_params({"layers": [1, 2], "none": None})
        headrace.set_tag("t", True)
        headrace.set_tags({"u": "ü", "v": ""})
        headrace.delete_tag("t")
    assert changes(fake) == [
        "param lr=0.1",
        "param layers=[1, 2]",
        "param none=None",
        "tag t=True",
        "tag u=ü",
        "tag v=",
        "delete_tag t",
    ]


def test_a_batch_in_order(fake: FakeCore) -> None:
    metrics = [headrace.Metric("a", 1.0, 5, 2), headrace.Metric("a", math.inf, 6, -2)]
    with headrace.start_run():
        operation = headrace.log_batch(metrics, [headrace.Param("p", "1")], [headrace.RunTag("t", "2")])
    assert [(p.key, p.value, p.timestamp, p.step) for p in fake.points()] == [
        ("a", 1.0, 5, 2),
        ("a", math.inf, 6, -2),
    ]
    assert changes(fake) == ["param p=1", "tag t=2"]
    assert operation.done()


@pytest.mark.parametrize(
    "bad",
    [
        {"metrics": [headrace.Metric("a", 1.0, 0, 0), headrace.Metric("b", "x", 0, 0)]},  # type: ignore[arg-type]
        {"metrics": [headrace.Metric("a", 1.0, 0, 0), headrace.Metric("b", 1.0, -1, 0)]},
        {"metrics": [headrace.Metric("a", 1.0, 0, 0), headrace.Metric("b", 1.0, 0, 0.5)]},  # type: ignore[arg-type]
        {"metrics": [headrace.Metric("a", 1.0, 0, 0), headrace.Metric("b", 1.0, 0, 2**63)]},
        {"metrics": [headrace.Metric("a", 1.0, 0, 0)], "params": [headrace.Param("p", "x" * 6001)]},
        {"params": [headrace.Param("p", "x")], "tags": [headrace.RunTag("t", "x" * 8001)]},
        {"params": [headrace.Param("p", "a\0b")]},
    ],
)
def test_nothing_of_a_bad_batch_is_logged(fake: FakeCore, bad: dict[str, Any]) -> None:
    with headrace.start_run():
        before = fake.written()
        with pytest.raises(InvalidArgumentError):
            headrace.log_batch(**bad)
        assert fake.written() == before


def test_nothing_of_bad_params_or_tags_is_logged(fake: FakeCore) -> None:
    with headrace.start_run():
        with pytest.raises(InvalidArgumentError, match="param 'b' has 6001 characters, the bound is 6000"):
            headrace.log_params({"a": 1, "b": "x" * 6001})
        with pytest.raises(InvalidArgumentError, match="tag 'b' has 8001 characters, the bound is 8000"):
            headrace.set_tags({"a": 1, "b": "x" * 8001})
    assert changes(fake) == []


def test_calls_return_before_anything_is_durable(fake: FakeCore) -> None:
    with headrace.start_run():
        operations = [
            headrace.log_metric("a", 1.0),
            headrace.log_metrics({"a": 1.0, "b": 2.0}),
            headrace.log_series("a", [1.0]),
            headrace.log_param("p", 1),
            headrace.log_params({"q": 1, "r": 2}),
            headrace.set_tag("t", 1),
            headrace.set_tags({"u": 1, "v": 2}),
            headrace.delete_tag("t"),
            headrace.log_batch([headrace.Metric("a", 1.0, 0, 0)], [headrace.Param("s", "1")]),
        ]
        assert all(isinstance(operation, RunOperation) for operation in operations)
        assert not any(operation.done() for operation in operations)
        fake.commit()
        assert all(operation.done() for operation in operations)


def test_synchronous_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[RunOperation] = []
    with headrace.start_run():
        monkeypatch.setattr(RunOperation, "wait", lambda operation: waited.append(operation))  # noqa: PLW0108
        calls: list[Callable[..., RunOperation]] = [
            lambda **options: headrace.log_metric("a", 1.0, **options),
            lambda **options: headrace.log_metrics({"a": 1.0}, **options),
            lambda **options: headrace.log_series("a", [1.0], **options),
            lambda **options: headrace.log_param("p", 1, **options),
            lambda **options: headrace.log_params({"q": 1, "r": 1}, **options),
            lambda **options: headrace.set_tag("t", 1, **options),
            lambda **options: headrace.set_tags({"u": 1, "v": 1}, **options),
            lambda **options: headrace.delete_tag("t", **options),
            lambda **options: headrace.log_batch(tags=[headrace.RunTag("x", "y")], **options),
        ]
        for call in calls:
            for asynchronous in ({}, {"synchronous": None}, {"synchronous": False}):
                call(**asynchronous)
            assert waited == []
            operation = call(synchronous=True)
            assert waited == [operation]
            waited.clear()


def test_flush_raises_what_is_left(fake: FakeCore) -> None:
    fake.answers = False
    with headrace.start_run():
        headrace.log_metric("a", 1.0)
        with pytest.raises(OperationTimeoutError, match="headrace sync"):
            headrace.flush(timeout=3)
        assert fake.asked[-1] == ("flush", 3)
        fake.answers = True
        headrace.flush()
        assert fake.asked[-1] == ("flush", fake.settings.exit_timeout)


# Several operations as one.


def several(fake: FakeCore) -> tuple[list[RunOperation], RunOperation]:
    log = fake.run_log(RUN)
    parts = [log.log_metric("a", float(number)) for number in range(3)]
    return parts, together(parts)


def test_several_are_done_when_the_last_is(fake: FakeCore) -> None:
    _, operation = several(fake)
    called: list[RunOperation] = []
    operation.add_done_callback(called.append)
    assert not operation.done()
    with pytest.raises(OperationTimeoutError):
        operation.wait(0)
    assert called == []
    fake.commit()
    operation.wait(0)
    assert called == [operation]
    late: list[RunOperation] = []
    operation.add_done_callback(late.append)
    assert late == [operation]


async def test_several_can_be_awaited(fake: FakeCore) -> None:
    _, operation = several(fake)
    fake.commit()
    await operation


def test_several_are_refused_when_one_is(fake: FakeCore) -> None:
    _, operation = several(fake)
    fake.commit((1, 2, "INVALID_PARAMETER_VALUE", "no such luck"))
    with pytest.raises(RejectedError, match="no such luck") as caught:
        operation.wait(0)
    assert caught.value.operation is operation
    assert caught.value.code == "INVALID_PARAMETER_VALUE"
    assert operation.exception() is not None


def test_several_of_different_journals(fake: FakeCore) -> None:
    parts, _ = several(fake)
    other = FakeCore(fake.folder / "other")
    far = other.run_log(RUN).log_metric("a", 1.0)
    operation = together([*parts, far])
    fake.commit()
    assert not operation.done()
    other.commit()
    operation.wait(0)
    assert "several" in repr(operation)


def test_one_is_itself_and_none_is_done(fake: FakeCore) -> None:
    parts, _ = several(fake)
    assert together(parts[:1]) is parts[0]
    nothing = together([])
    called: list[RunOperation] = []
    nothing.add_done_callback(called.append)
    nothing.wait(0)
    assert called == [nothing]


def test_members_of_an_enumeration_are_logged_under_their_value_by_every_call(fake: FakeCore) -> None:
    class Key(str, enum.Enum):  # noqa: UP042 - equals "a", which MLflow stores, and str() of it is "Key.LOSS"
        LOSS = "a"

    with headrace.start_run():
        for _ in range(2):
            headrace.log_metrics({Key.LOSS: 1.0})
            headrace.log_metrics({"a": 2.0})
            headrace.log_metric(Key.LOSS, 3.0)
    assert [(point.key, point.value) for point in fake.points()] == [("a", 1.0), ("a", 2.0), ("a", 3.0)] * 2
