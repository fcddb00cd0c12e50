"""With HEADRACE_STEP_POLICY=reject, a point below the last step of its key is marked, whatever the call."""

import struct
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from headrace.config import Settings
from headrace.core import Core
from headrace.errors import InvalidArgumentError
from headrace.journal.ordered_log import OrderedLog
from headrace.journal.run_log import RunLog

RUN = "0123456789abcdef" * 2
OTHER = "f" * 32
keys = st.sampled_from(["loss", "acc"])
steps = st.integers(-3, 5) | st.sampled_from([-(2**63), 2**63 - 1])
calls = st.lists(
    st.one_of(
        st.tuples(st.just("metric"), keys, steps),
        st.tuples(st.just("metrics"), st.sets(keys, min_size=1), steps),
        st.tuples(st.just("series"), keys, st.lists(steps, min_size=1, max_size=9)),
        st.tuples(st.just("batch"), st.lists(st.tuples(keys, steps), min_size=1, max_size=9)),
    ),
    max_size=12,
)


def perform(log: RunLog, call: tuple[Any, ...]) -> list[tuple[str, int]]:
    """Makes the call; the points in their order, by key and step."""
    kind, *arguments = call
    if kind == "metric":
        key, step = arguments
        log.log_metric(key, 1.0, step)
        return [(key, step)]
    if kind == "metrics":
        names, step = arguments
        log.log_metrics(dict.fromkeys(names, 1.0), step)
        return [(key, step) for key in names]
    if kind == "series":
        key, given_steps = arguments
        log.log_series(key, [1.0] * len(given_steps), given_steps)
        return [(key, step) for step in given_steps]
    log.log_batch([(key, 1.0, None, step) for key, step in arguments[0]], [b"a param"])
    return list(arguments[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls)
def test_steps_do_not_go_back(journals: Any, read: Any, made: list[tuple[Any, ...]]) -> None:
    writer = journals.writer()
    log, again = OrderedLog(writer, RUN, "a"), OrderedLog(writer, RUN, "a")
    taken: list[tuple[str, int]] = []
    late: list[tuple[str, int]] = []
    for number, call in enumerate(made):
        for key, step in perform(log if number % 2 else again, call):
            before = [other for name, other in taken if name == key]
            (late if step < max(before, default=step) else taken).append((key, step))
    found = read(writer.folder)
    assert [point[1:3] for point in found.points] == taken
    assert [point[1:3] for point in found.late] == late


def test_runs_attempts_and_journals_have_steps_of_their_own(journals: Any, read: Any) -> None:
    writer, another = journals.writer(), journals.writer()
    for log in (
        OrderedLog(writer, RUN, "a"),
        OrderedLog(writer, OTHER, "a"),
        OrderedLog(writer, RUN, "b"),
        OrderedLog(another, RUN, "a"),
    ):
        log.log_metric("loss", 1.0, 7)
        log.log_metric("loss", 1.0, 6)
    assert [point[2] for point in read(writer.folder).points] == [7, 7, 7]
    assert [point[2] for point in read(another.folder).points] == [7]


def test_points_are_as_those_of_any_log(journals: Any, read: Any) -> None:
    class Key(str):
        __slots__ = ()

    found = []
    for kind in (OrderedLog, RunLog):
        writer = journals.writer()
        log = kind(writer, RUN, "a")
        log.log_metric("loss", 0.5, 1, 10)
        log.log_metrics({Key("loss"): 0.25, "acc": -0.0}, 2, 11)
        log.log_series("acc", array("d", [1.0, float("inf")]), [3, 4], [12, 13])
        log.log_series("curve", [1.0] * 3, timestamps=[1, 2, 3])
        assert log.log_metrics({}).done()
        found.append(read(writer.folder).points)
        with pytest.raises(InvalidArgumentError, match="has 2 items and values has 1"):
            log.log_series("acc", [1.0], [1, 2])
        with pytest.raises(InvalidArgumentError, match="step"):
            log.log_metric("loss", 1.0, 2**63)
        with pytest.raises(InvalidArgumentError, match="key"):
            log.log_metric(7, 1.0, 2)  # type: ignore[arg-type]
        assert len(read(writer.folder).points) == len(found[-1])
    assert found[0] == found[1]
    assert struct.unpack("<d", found[0][0][4]) == (0.5,)


def test_what_could_not_be_written_moves_nothing(
    journals: Any, read: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = journals.writer()
    log = OrderedLog(writer, RUN, "a")
    with monkeypatch.context() as broken:
        broken.setattr("headrace.journal.ordered_log.append_cells", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            log.log_metric("loss", 1.0, 9)
    log.log_metric("loss", 1.0, 3)
    assert [point[2] for point in read(writer.folder).points] == [3]


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_policy_is_that_of_when_the_run_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = Core("headrace://127.0.0.1:1", Settings(journal_dir=tmp_path, shipper="agent"))
    monkeypatch.setattr(core, "watch", lambda _: None)
    assert type(core.run_log(RUN, "a")) is RunLog
    monkeypatch.setenv("HEADRACE_STEP_POLICY", "reject")
    assert type(core.run_log(OTHER, "a")) is OrderedLog
    assert type(core.run_log(RUN, "a")) is RunLog
    monkeypatch.setenv("HEADRACE_STEP_POLICY", "drop")
    with pytest.raises(InvalidArgumentError, match="HEADRACE_STEP_POLICY is 'drop'; expected keep or reject"):
        core.run_log(RUN, "b")
    core.close(0.0)
