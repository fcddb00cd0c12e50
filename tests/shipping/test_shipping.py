"""The shipper against a daemon in memory: everything arrives once, in order, whatever breaks."""

import asyncio
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from headrace.config import Settings
from headrace.core import Core
from headrace.errors import NotFoundError, OperationTimeoutError, RejectedError, UnavailableError
from headrace.journal import layout
from headrace.shipping.sync import SyncProgress, sync

RUN = "0123456789abcdef" * 2


def arrived(daemon: Any) -> list[tuple[str, int, float]]:
    return [point for writer in daemon.writers for point in daemon.points(writer)]


def test_wait_returns_when_it_arrived(core: Core, daemon: Any) -> None:
    log = core.run_log(RUN)
    for step in range(100):
        log.log_metric("loss", 1.0 / (step + 1), step).wait(30)
        assert arrived(daemon)[-1] == ("loss", step, 1.0 / (step + 1))
    assert core.pending().operations == 0


def test_a_flood_arrives_whole(core: Core, daemon: Any) -> None:
    log = core.run_log(RUN)
    for step in range(100_000):
        log.log_metric("a", 1.0, step)
    log.log_series("b", range(200_000))
    assert not core.flush(30)
    points = arrived(daemon)
    assert [step for key, step, _ in points if key == "a"] == list(range(100_000))
    assert [value for key, _, value in points if key == "b"] == list(map(float, range(200_000)))


@pytest.mark.parametrize("seed", range(5))
def test_cut_streams_lose_nothing_and_double_nothing(
    core: Core, daemon: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("headrace.shipping.shipper.Backoff.next", lambda _: 0.001)
    daemon.chaos, daemon.credit, daemon.reject_every = random.Random(seed), 1024, 101
    operations = []
    for step in range(3000):
        operations.append(core.run_log(RUN).log_metric(f"k{step % 90}", 1.0, step))
        if step % 50 == 0:
            time.sleep(0.002)
    for operation in operations:
        operation.exception(30)
    assert daemon.cuts > 5
    assert [step for _, step, _ in arrived(daemon)] == list(range(3000))
    refused = [number for number, operation in enumerate(operations) if operation.exception()]
    assert refused == list(range(0, 3000, 101))


def test_a_refusal_is_raised_by_its_own_operation(core: Core, daemon: Any) -> None:
    daemon.reject_every = 2
    log = core.run_log(RUN)
    first, second = log.log_metric("x", 1.0), log.log_metric("x", 2.0)
    second.wait(30)
    with pytest.raises(RejectedError, match="NO: refused") as caught:
        first.wait(30)
    assert caught.value.operation is first


def test_operations_are_awaitable_from_any_loop(core: Core) -> None:
    async def main() -> None:
        log = core.run_log(RUN)
        await log.log_metric("x", 1.0)
        await asyncio.gather(*map(asyncio.ensure_future, (waited(log, step) for step in range(200))))

    async def waited(log: Any, step: int) -> None:
        await log.log_metric("x", 1.0, step)

    asyncio.run(main())
    asyncio.run(main())


def test_callbacks_are_called_once(core: Core) -> None:
    called: list[Any] = []
    event = threading.Event()
    operation = core.run_log(RUN).log_metric("x", 1.0)
    operation.add_done_callback(called.append)
    operation.wait(30)
    operation.add_done_callback(called.append)
    operation.add_done_callback(lambda _: event.set())
    assert event.wait(30)
    assert called == [operation, operation]


def test_an_absent_daemon_delays_and_nothing_else(served: Any, settings: Settings, daemon: Any) -> None:
    served.stop()
    core = Core(served.uri, settings)
    try:
        log = core.run_log(RUN)
        operation = log.log_metric("x", 1.0)
        with pytest.raises(OperationTimeoutError, match="stays in the journal"):
            operation.wait(0.05)
        with pytest.raises(UnavailableError):
            core.call("ListExperiments", _any_request(), 5)
        assert not core.reachable(5)
        served.start()
        operation.wait(30)
        assert arrived(daemon) == [("x", 0, 1.0)]
    finally:
        core.close(1)
        core.end_shipping()


def test_typed_errors(core: Core) -> None:
    from headrace_proto.v1.tracking_pb2 import GetRunRequest  # noqa: PLC0415

    with pytest.raises(NotFoundError, match="there is no run 'abc'"):
        core.call("GetRun", GetRunRequest(run_id="abc"))


def test_sync_delivers_what_a_dead_process_left(served: Any, settings: Settings, daemon: Any) -> None:
    served.stop()
    dead = Core(served.uri, settings)
    for step in range(5000):
        dead.run_log(RUN).log_metric("x", 1.0, step)
    dead.close(0.0)
    dead.end_shipping()
    served.start()
    seen: list[SyncProgress] = []
    report = sync(settings.journal_dir, progress=seen.append)
    assert (report.delivered, report.pending, report.journals) == (5000, 0, 1)
    assert [step for _, step, _ in arrived(daemon)] == list(range(5000))
    assert seen[-1] == SyncProgress(5000, 5000)
    assert sync(settings.journal_dir, keep=0.0).delivered == 0
    assert not list(settings.journal_dir.glob("*/[0-9a-f]*")), "delivered and old: deleted"


def test_sync_says_that_no_daemon_answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.shipping.sync.PATIENCE_SECONDS", 0.5)
    dead = Core("headrace://127.0.0.1:1", settings)
    dead.run_log(RUN).log_metric("x", 1.0)
    dead.close(0.0)
    dead.end_shipping()
    with pytest.raises(UnavailableError, match="nothing was lost"):
        sync(settings.journal_dir)


def test_the_next_process_delivers_leftovers(served: Any, settings: Settings, daemon: Any) -> None:
    served.stop()
    dead = Core(served.uri, settings)
    dead.run_log(RUN).log_metric("left", 1.0)
    dead.close(0.0)
    dead.end_shipping()
    served.start()
    following = Core(served.uri, settings)
    following.run_log(RUN).log_metric("own", 1.0).wait(20)
    deadline = time.monotonic() + 20
    while len(arrived(daemon)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert {key for key, _, _ in arrived(daemon)} == {"left", "own"}
    following.close(1)
    following.end_shipping()


def test_a_journal_that_is_delivered_is_closed_at_the_daemon(
    served: Any, settings: Settings, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.core.TIDY_SECONDS", 0.05)
    served.stop()
    dead = Core(served.uri, settings)
    dead.run_log(RUN).log_metric("left", 1.0)
    dead.close(0.0)
    dead.end_shipping()
    served.start()
    following = Core(served.uri, settings)
    following.run_log(RUN).log_metric("own", 1.0).wait(20)
    deadline = time.monotonic() + 20
    while not daemon.closed and time.monotonic() < deadline:
        time.sleep(0.02)
    [closed] = daemon.closed
    assert daemon.points(closed) == [("left", 0, 1.0)]
    following.close(1)
    following.end_shipping()


def test_closing_says_what_is_left_and_how_it_is_delivered(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    core = Core("headrace://127.0.0.1:1", settings)
    core.run_log(RUN).log_metric("x", 1.0)
    core.run_log(RUN).log_metric("x", 2.0)
    core.close(0.2)
    core.end_shipping()
    assert "2 operations are not delivered to" in caplog.text
    assert f"headrace sync {settings.journal_dir}" in caplog.text


def test_committed_files_go_after_a_while(
    served: Any, tmp_path: Path, daemon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "FIRST_FILE", 64 * 32)
    monkeypatch.setattr(layout, "LARGEST_FILE", 64 * 32)
    monkeypatch.setattr("headrace.core.TIDY_SECONDS", 0.05)
    core = Core(served.uri, Settings(journal_dir=tmp_path, journal_keep=0.0))
    operation = None
    for step in range(1000):
        operation = core.run_log(RUN).log_metric("x", 1.0, step)
    assert operation is not None
    operation.wait(20)
    deadline = time.monotonic() + 10
    while len(list(tmp_path.glob("*/*/[0-9]*.cells"))) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(list(tmp_path.glob("*/*/[0-9]*.cells"))) == 1
    assert len(arrived(daemon)) == 1000
    core.close(1)
    core.end_shipping()


def _any_request() -> Any:
    from headrace_proto.v1.tracking_pb2 import ListExperimentsRequest  # noqa: PLC0415

    return ListExperimentsRequest()
