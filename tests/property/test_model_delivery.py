"""Whole deliveries in a simulated world: whatever goes wrong, each operation arrives once, in order, or is
reported as refused, a rewind hides what came before it, and a fork shows what was there. More schedules than
these are played by ``make interleavings SEED=1 COUNT=1000000``.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sim_history
from headrace.shipping.session import ShippingSession
from headrace_ingest.committer import Committer, Prepared
from headrace_storage import visibility
from headrace_storage.catalog import changes
from headrace_storage.catalog.changes import Ledger
from headrace_storage.errors import CatalogUnavailableError, WritersMovedError
from headrace_storage.model import Change, Group, OpenedWriter, Reject, StartAttempt
from headrace_storage.visibility import LAST, Bounds, Rewind, View, inherit
from sim_catalog import MemoryCatalog
from sim_loop import StalledError, VirtualLoop, simulate
from sim_world import play, small_and_silent

COUNT = 250


@pytest.fixture(scope="module", autouse=True)
def _small_and_silent() -> Iterator[None]:
    with small_and_silent():
        yield


def test_fixed_schedules() -> None:
    seen: Counter[str] = Counter()
    for seed in range(COUNT):
        seen += play(seed)
    assert set(seen) == {
        "catalog away",
        "commit refused",
        "cut a connection",
        "declare dead",
        "disk full",
        "kill a daemon",
        "kill a shipper",
        "outcome unknown, done",
        "outcome unknown, done later",
        "outcome unknown, still running",
        "second shipper",
        "start a second daemon",
    }


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(COUNT, 2**63))
def test_any_schedule(seed: int) -> None:
    play(seed)


def test_a_schedule_is_repeatable() -> None:
    for seed in range(20):
        assert play(seed) == play(seed)


def without_fences(_: MemoryCatalog, group: Group) -> None:
    assert group.advances


def forgets_commits(catalog: MemoryCatalog, group: Group) -> Sequence[Reject]:
    if group.id in catalog.committed:
        raise WritersMovedError([], [advance.writer.hex for advance in group.advances])
    return commit(catalog, group)


def hides_rejects(catalog: MemoryCatalog, *claim: Any) -> OpenedWriter:
    return open_writer(catalog, *claim)._replace(rejects=[])


async def acknowledges_early(committer: Committer, prepared: Prepared) -> None:
    committer._acknowledge(prepared.shares, prepared.group, ())
    try:
        await committer._commits.commit(prepared.group)
    except (CatalogUnavailableError, WritersMovedError):
        return


def resumes_where_it_was(session: ShippingSession, committed: int, credit: int) -> None:
    session.opened, session.credit = True, credit
    session.committed, session.sent = committed, max(committed, session.sent)


def rewinds_for_each_rank(ledger: Ledger, change: Change, start: StartAttempt) -> Reject | None:
    run = ledger.runs[change.run_id]
    if start.token in run.attempts and start.resume_from_step is not None:
        run.rewinds.append(Rewind(len(run.attempts) + 1, start.resume_from_step, 0))
    return start_attempt(ledger, change, start)


def inherits_what_comes_later(
    parent: str, attempts: int, rewinds: Sequence[Rewind], inherited: Mapping[str, Bounds], step: int
) -> dict[str, Bounds]:
    return inherit(parent, attempts + 1, rewinds, inherited, step)


def forgets_the_rewinds_of_a_fork(run_id: str, *history: Any) -> dict[str, Bounds]:
    views = shown(run_id, *history)
    return {source: history[1].get(source, bounds) for source, bounds in views.items()}


def hides_a_step_too_few(view: View, attempt: str) -> int | None:
    last = last_step(view, attempt)
    return last if last in (None, LAST) else last + 1


commit, open_writer = MemoryCatalog.commit, MemoryCatalog.open
start_attempt, last_step, shown = Ledger._start, View.last_step, visibility.shown


@pytest.mark.parametrize(
    ("where", "name", "mistake"),
    [
        (MemoryCatalog, "_check", without_fences),
        (MemoryCatalog, "commit", forgets_commits),
        (MemoryCatalog, "open", hides_rejects),
        (Committer, "_commit", acknowledges_early),
        (ShippingSession, "on_opened", resumes_where_it_was),
        (Ledger, "_start", rewinds_for_each_rank),
        (View, "last_step", hides_a_step_too_few),
        (changes, "inherit", inherits_what_comes_later),
        (sim_history, "shown", forgets_the_rewinds_of_a_fork),
    ],
)
def test_mistakes_are_noticed(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, mistake: Callable[..., object]
) -> None:
    monkeypatch.setattr(where, name, mistake)
    with pytest.raises(AssertionError, match="schedule"):
        _play_many()


def _play_many() -> None:
    for seed in range(400):
        play(seed)


def test_a_world_in_which_nothing_can_happen_is_noticed() -> None:
    async def wait(_: VirtualLoop) -> None:
        await asyncio.Event().wait()

    with pytest.raises(StalledError):
        simulate(wait)


def test_time_jumps() -> None:
    async def sleep(loop: VirtualLoop) -> float:
        await asyncio.sleep(1e6)
        return loop.time()

    assert simulate(sleep) == 1e6
