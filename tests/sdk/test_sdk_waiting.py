"""Whether a logging call waits: as it says, else as the process does."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace import AsyncClient, Client, Metric, Param, RunTag, waiting
from headrace.errors import InvalidArgumentError, RejectedError

RUN = "0123456789abcdef0123456789abcdef"

Call = Callable[..., headrace.RunOperation]

FLUENT: list[Call] = [
    lambda **how: headrace.log_metric("a", 1.0, 1, **how),
    lambda **how: headrace.log_metric("a", 1, timestamp=5, model_id="m-1", **how),
    lambda **how: headrace.log_metrics({"a": 1.0}, **how),
    lambda **how: headrace.log_series("a", [1.0], **how),
    lambda **how: headrace.log_param("a", 1, **how),
    lambda **how: headrace.log_params({"a": 1}, **how),
    lambda **how: headrace.set_tag("a", 1, **how),
    lambda **how: headrace.set_tags({"a": 1}, **how),
    lambda **how: headrace.delete_tag("a", **how),
    lambda **how: headrace.log_batch([Metric("a", 1, 1, 1)], [Param("a", "1")], [RunTag("a", "1")], **how),
]

OF_CLIENT: list[Call] = [
    lambda **how: Client().log_metric(RUN, "a", 1.0, **how),
    lambda **how: Client().log_metric(RUN, "a", 1.0, model_id="m-1", **how),
    lambda **how: Client().log_series(RUN, "a", [1.0], **how),
    lambda **how: Client().log_param(RUN, "a", 1, **how),
    lambda **how: Client().set_tag(RUN, "a", 1, **how),
    lambda **how: Client().delete_tag(RUN, "a", **how),
    lambda **how: Client().log_batch(RUN, [Metric("a", 1, 1, 1)], **how),
    lambda **how: Client().set_terminated(RUN, **how),
    lambda **how: Client().update_run(RUN, name="new", **how),
]


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch, fake: FakeCore) -> list[headrace.RunOperation]:
    """The operations that were waited for; waiting commits."""
    operations: list[headrace.RunOperation] = []
    wait = headrace.RunOperation.wait

    def recorded(operation: headrace.RunOperation, timeout: float | None = None) -> None:
        operations.append(operation)
        fake.commit()
        wait(operation, timeout)

    headrace.start_run()  # which waits by itself
    monkeypatch.setattr(headrace.RunOperation, "wait", recorded)
    return operations


@pytest.mark.parametrize("call", [*FLUENT, *OF_CLIENT])
def test_as_the_call_says(waited: list[headrace.RunOperation], call: Call) -> None:
    for quick in ({}, {"synchronous": None}, {"synchronous": False}):
        assert not call(**quick).done()
    assert waited == []
    operation = call(synchronous=True)
    assert operation.done()
    assert waited == [operation]


@pytest.mark.parametrize("call", [*FLUENT, *OF_CLIENT])
def test_as_the_process_says(waited: list[headrace.RunOperation], call: Call) -> None:
    headrace.config.enable_async_logging(False)
    assert waited == [call()]
    assert not call(synchronous=False).done()
    headrace.config.enable_async_logging()
    assert not call().done()
    assert len(waited) == 1


@pytest.mark.parametrize(("text", "always"), [("false", True), ("0", True), ("True", False), ("yes", False)])
def test_the_environment_says_it(monkeypatch: pytest.MonkeyPatch, text: str, always: bool) -> None:
    monkeypatch.setenv("HEADRACE_ENABLE_ASYNC_LOGGING", text)
    with headrace.start_run():
        assert waiting.always is always


def test_what_the_environment_cannot_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_ENABLE_ASYNC_LOGGING", "maybe")
    with pytest.raises(InvalidArgumentError, match="HEADRACE_ENABLE_ASYNC_LOGGING is 'maybe'"):
        headrace.start_run()


def test_an_async_client_never_waits(fake: FakeCore, waited: list[headrace.RunOperation]) -> None:
    headrace.config.enable_async_logging(False)
    assert not AsyncClient().log_metric(RUN, "a", 1.0).done()
    before = fake.written()
    with pytest.raises(InvalidArgumentError, match="synchronous would block the event loop"):
        AsyncClient().log_metric(RUN, "a", 1.0, synchronous=True)
    assert fake.written() == before
    assert waited == []


def test_a_refusal_has_the_servers_code(fake: FakeCore) -> None:
    with headrace.start_run():
        operation = headrace.log_param("lr", 1)
        fake.commit((operation._first, operation._end, "RESOURCE_DOES_NOT_EXIST", "the run was erased"))
        with pytest.raises(RejectedError, match="erased") as caught:
            operation.wait()
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_flushing_by_mlflows_name(fake: FakeCore) -> None:
    headrace.flush_async_logging()
    assert fake.asked == [("flush", fake.settings.exit_timeout)]


# Links of metrics to models and datasets.

DATASET = SimpleNamespace(name="train", digest="d1")


def links(fake: FakeCore, run_id: str) -> list[Any]:
    """What is said of points that are linked: a point of a model, or a tag of the run."""
    found: list[Any] = []
    for change in (record.change for record in fake.changes(run_id)):
        if change.HasField("link_metric"):
            said = change.link_metric
            dataset = (said.dataset_name, said.dataset_digest)
            found.append((said.key, said.value, said.step, said.model_id, *dataset))
        elif change.HasField("tag") and change.tag.key.startswith("headrace.link."):
            found.append(json.loads(change.tag.value))
    return found


def test_points_are_linked(fake: FakeCore) -> None:
    with headrace.start_run() as run:
        headrace.log_metric("f1", 0.5, 1, model_id="m-1", dataset=DATASET)
        headrace.log_metrics({"a": 1, "b": 2.0}, step=3, model_id="m-2", timestamp=77)
        headrace.log_metric("c", 1.0, 4, dataset=DATASET, run_id=run.info.run_id)
    points = [(point.key, point.value, point.step) for point in fake.points()]
    assert points == [("f1", 0.5, 1), ("a", 1.0, 3), ("b", 2.0, 3), ("c", 1.0, 4)]
    assert links(fake, run.info.run_id) == [
        ("f1", 0.5, 1, "m-1", "train", "d1"),
        ("a", 1.0, 3, "m-2", "", ""),
        ("b", 2.0, 3, "m-2", "", ""),
        {"metric": "c", "dataset_name": "train", "dataset_digest": "d1", "step": 4},
    ]
    [first, second] = [c.change.link_metric for c in fake.changes() if c.change.HasField("link_metric")][:2]
    assert [first.timestamp, second.timestamp] == [fake.points()[0].timestamp, 77]


def test_points_of_a_client_are_linked(fake: FakeCore, ask: Ask) -> None:
    ask("log_metric", RUN, "a", 1.0, step=1, dataset_name="train", dataset_digest="d1", model_id="m-1")
    ask("log_batch", RUN, [Metric("b", 1.0, 1, 2, model_id="m-1"), Metric("c", 1.0, 1, 2)])
    assert links(fake, RUN) == [("a", 1.0, 1, "m-1", "train", "d1"), ("b", 1.0, 2, "m-1", "", "")]
    assert len(fake.points()) == 3


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ({"model_id": ""}, "model_id"), ({"model_id": 5}, "model_id"),
        ({"dataset": "train"}, "dataset is a str"),
        ({"dataset": SimpleNamespace(name="a")}, "a name and a digest"),
    ],
)  # fmt: skip
def test_what_is_no_link(fake: FakeCore, link: dict[str, Any], problem: str) -> None:
    with headrace.start_run():
        with pytest.raises(InvalidArgumentError, match=problem):
            headrace.log_metric("a", 1.0, **link)
        with pytest.raises(InvalidArgumentError, match=problem):
            headrace.log_metrics({"a": 1.0}, **link)
    with pytest.raises(InvalidArgumentError, match="dataset_name is missing"):
        Client().log_metric(RUN, "a", 1.0, dataset_digest="d1")
    assert fake.points() == []
