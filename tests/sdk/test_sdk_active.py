"""Which run a logging call means: in threads, tasks and notebook cells, and where none is active."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import headrace
from fake_core import FakeCore
from headrace.errors import HeadraceError


def in_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


def test_a_thread_without_a_run_logs_into_the_main_threads(fake: FakeCore) -> None:
    with headrace.start_run() as run:
        in_thread(lambda: headrace.log_metric("loss", 1.0))
        assert in_thread(headrace.active_run) is run
        in_thread(headrace.end_run)  # not the thread's to end
        assert headrace.active_run() is run
    assert [point.run_id for point in fake.points()] == [run.info.run_id]


def test_threads_have_runs_of_their_own_side_by_side(fake: FakeCore) -> None:
    barrier = threading.Barrier(4, timeout=60)

    def trial(number: int) -> str:
        with headrace.start_run(run_name=f"trial {number}") as run:
            barrier.wait()
            headrace.log_metric("loss", number)
            barrier.wait()
        return run.info.run_id

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(trial, range(4)))
    assert {(point.run_id, point.value) for point in fake.points()} == set(zip(runs, range(4), strict=True))
    assert headrace.active_run() is None


def test_a_threads_run_is_not_the_main_threads(fake: FakeCore) -> None:
    with headrace.start_run() as main:

        def trial() -> str:
            with headrace.start_run() as own, headrace.start_run(nested=True):
                return own.info.run_id

        own = in_thread(trial)
        headrace.log_metric("loss", 1.0)
    assert own != main.info.run_id
    assert "mlflow.parentRunId" not in fake.changes(own)[0].change.create.tags
    assert fake.points()[0].run_id == main.info.run_id


def test_a_threads_nested_run_is_inside_the_main_threads(fake: FakeCore) -> None:
    def trial() -> str:
        with headrace.start_run(nested=True) as own:
            return own.info.run_id

    with headrace.start_run() as main:
        own = in_thread(trial)
    assert fake.changes(own)[0].change.create.tags["mlflow.parentRunId"] == main.info.run_id


async def test_tasks_have_runs_of_their_own_side_by_side(fake: FakeCore) -> None:
    barrier = asyncio.Barrier(3)

    async def trial(number: int) -> str:
        with headrace.start_run() as run:
            await barrier.wait()
            headrace.log_metric("loss", number)
            await asyncio.to_thread(headrace.log_metric, "loss", number)
            await barrier.wait()
        return run.info.run_id

    runs = await asyncio.gather(*map(trial, range(3)))
    for number, run_id in enumerate(runs):
        assert [point.value for point in fake.points() if point.run_id == run_id] == [number, number]


def test_a_thread_among_several_runs_must_say_which(fake: FakeCore) -> None:
    one, two = contextvars.Context(), contextvars.Context()  # as two tasks have them
    first, second = one.run(headrace.start_run), two.run(headrace.start_run)
    with pytest.raises(HeadraceError, match=f"{first.info.run_id} and {second.info.run_id} are active"):
        in_thread(lambda: headrace.log_metric("loss", 1.0))
    in_thread(lambda: headrace.log_metric("loss", 2.0, run_id=second.info.run_id))
    two.run(headrace.end_run)
    in_thread(lambda: headrace.log_metric("loss", 3.0))
    one.run(headrace.end_run)
    assert [p.run_id for p in fake.points()] == [second.info.run_id, first.info.run_id]


def test_a_run_started_in_one_notebook_cell_is_ended_in_another() -> None:
    run = contextvars.Context().run(headrace.start_run)
    assert contextvars.Context().run(headrace.active_run) is run
    headrace.end_run()
    assert headrace.active_run() is None


def test_a_run_that_ended_elsewhere_is_not_active_in_a_copied_context() -> None:
    with headrace.start_run():
        copy = contextvars.copy_context()
    assert copy.run(headrace.active_run) is None
    copy.run(headrace.start_run)


def test_logging_without_a_run_starts_one_for_all_threads(fake: FakeCore) -> None:
    barrier = threading.Barrier(8, timeout=60)

    def log(number: int) -> None:
        barrier.wait()
        headrace.log_metric("loss", number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(8)))
    headrace.log_param("p", 1)
    run = headrace.active_run()
    assert run is not None
    assert fake.kinds() == ["create", "start_attempt", "param"]
    assert {point.run_id for point in fake.points()} == {run.info.run_id}
