"""Commits whose outcome is unknown: zombies, killed backends, lost answers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from catalog_daemon import CELLS, Daemon
from headrace_storage.catalog.commit import _commit
from headrace_storage.catalog.database import Database
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import CatalogUnavailableError, WritersMovedError
from headrace_storage.model import Group, RunChange, SetParam, SetTag
from lossy_proxy import LossyProxy, lossy_proxy

RUN = uuid4().hex
CHANGES: list[tuple[str, RunChange]] = [
    (RUN, SetParam("lr", "1")),
    (RUN, SetTag("stage", "a")),
    (RUN, SetParam("lr", "2")),
]


@pytest.fixture
async def zombie(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of its own, where a transaction can be left open."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def until_somebody_waits(connection: asyncpg.Connection, number: int = 1) -> None:
    waiting = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while await connection.fetchval(waiting) < number:  # noqa: ASYNC110 -- only polling can tell
        await asyncio.sleep(0.005)


async def stored_segments(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM segments"))


def metrics_only(daemon: Daemon, writer: UUID) -> Group:
    return daemon.group(writer, runs=[RUN], new_runs=[RUN])


def with_changes(daemon: Daemon, writer: UUID) -> Group:
    return daemon.group(writer, runs=[RUN], new_runs=[RUN], changes=CHANGES)


KILL_ONE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid() LIMIT 1"
)

KINDS = pytest.mark.parametrize("make", [metrics_only, with_changes])
Make = Callable[[Daemon, UUID], Group]


@KINDS
@pytest.mark.parametrize("zombie_commits", [True, False])
async def test_a_retry_waits_for_the_zombie_and_commits_once(
    daemon: Daemon, zombie: asyncpg.Connection, make: Make, zombie_commits: bool
) -> None:
    group = make(daemon, await daemon.open())
    transaction = zombie.transaction()
    await transaction.start()
    rejects = await _commit(group, zombie)

    retry = asyncio.create_task(daemon.commits.commit(group))
    await until_somebody_waits(zombie)
    assert not retry.done()
    await (transaction.commit() if zombie_commits else transaction.rollback())

    assert await retry == rejects
    assert await stored_segments(zombie) == 1
    assert await zombie.fetchval("SELECT count(*) FROM progress") == 1
    assert await zombie.fetchval("SELECT count(*) FROM rejects") == len(group.changes) // 3


async def test_the_same_group_many_times_at_once_commits_once(
    daemon: Daemon, zombie: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_storage.catalog.database._CONTENTION_ATTEMPTS", 1)
    writers = [await daemon.open() for _ in range(100)]
    for turn in range(5):
        group = daemon.group(*writers, runs=[RUN], new_runs=[RUN])
        await asyncio.gather(*(daemon.commits.commit(group) for _ in range(6)))
        assert await stored_segments(zombie) == turn + 1


async def test_an_open_waits_for_the_commit_under_the_old_epoch(
    database: Database, daemon: Daemon, zombie: asyncpg.Connection
) -> None:
    writer = await daemon.open()
    transaction = zombie.transaction()
    await transaction.start()
    await _commit(metrics_only(daemon, writer), zombie)
    other = await Daemon.start(database)
    opening = asyncio.create_task(other.reopen(writer))
    await until_somebody_waits(zombie)
    await transaction.commit()
    assert (await opening).committed == CELLS


async def test_a_zombie_that_wakes_up_after_an_open_is_fenced(
    database: Database, daemon: Daemon, zombie: asyncpg.Connection
) -> None:
    writer = await daemon.open()
    group = metrics_only(daemon, writer)
    await (await Daemon.start(database)).open(writer)
    with pytest.raises(WritersMovedError):
        await daemon.commits.commit(group)
    with pytest.raises(WritersMovedError):
        await _commit(group, zombie)
    assert await stored_segments(zombie) == 0


async def test_one_that_commits_is_not_declared_dead(
    database: Database, daemon: Daemon, zombie: asyncpg.Connection
) -> None:
    group = metrics_only(daemon, await daemon.open())
    transaction = zombie.transaction()
    await transaction.start()
    await _commit(group, zombie)
    incarnations = Incarnations(database)
    assert await incarnations.mark_dead(older_than=-1) == []
    await transaction.commit()
    assert await incarnations.mark_dead(older_than=-1) == [daemon.incarnation]


@KINDS
async def test_a_killed_backend_leaves_nothing_and_the_retry_commits(
    daemon: Daemon, zombie: asyncpg.Connection, make: Make
) -> None:
    group = make(daemon, await daemon.open())
    blocker = zombie.transaction()
    await blocker.start()
    await _commit(replace(group, id=uuid4()), zombie)

    commit = asyncio.create_task(daemon.commits.commit(group))
    await until_somebody_waits(zombie)
    await zombie.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with pytest.raises(CatalogUnavailableError):
        await commit
    await blocker.rollback()
    await daemon.commits.commit(group)
    assert await stored_segments(zombie) == 1


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[LossyProxy]:
    async with lossy_proxy(database_url) as proxy:
        yield proxy


@KINDS
async def test_a_lost_answer_is_an_unknown_outcome_and_the_retry_finds_the_commit(
    daemon: Daemon, zombie: asyncpg.Connection, proxy: LossyProxy, make: Make
) -> None:
    writer = await daemon.open()
    distant = replace(daemon, database=await Database.connect(proxy.url, max_connections=1))
    await distant.commits.commit(make(distant, writer))
    group = make(distant, writer)
    # What ends the transaction: COMMIT, or the one statement, which its group id identifies.
    proxy.lose_answer_to(b"COMMIT;" if group.changes else group.id.bytes)
    with pytest.raises(CatalogUnavailableError):
        await distant.commits.commit(group)
    while await stored_segments(zombie) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    rejects = await distant.commits.commit(group)
    assert proxy.lost == 1
    assert [reject.first for reject in rejects] == ([12] if group.changes else [])
    assert await stored_segments(zombie) == 2
    await distant.commits.commit(make(distant, writer))
    await distant.database.close()


async def test_metrics_alone_cost_one_round_trip(daemon: Daemon, proxy: LossyProxy) -> None:
    writer = await daemon.open()
    distant = replace(daemon, database=await Database.connect(proxy.url, max_connections=1))
    for _ in range(3):
        before = proxy.requests
        await distant.commits.commit(metrics_only(distant, writer))
    assert proxy.requests - before == 1
    await distant.database.close()


async def test_daemons_that_fight_over_writers_lose_and_repeat_nothing(
    database: Database, zombie: asyncpg.Connection
) -> None:
    """Three daemons, four writers, backends killed all the while."""
    writers = [uuid4() for _ in range(4)]
    acked = dict.fromkeys(writers, 0)
    daemons = [await Daemon.start(database) for _ in range(3)]

    async def ship(daemon: Daemon, index: int) -> None:
        for turn in range(25):
            mine = [writers[(index + turn) % 4], writers[(index + turn + 1) % 4]]
            try:
                for writer in mine:
                    await persistently(partial(daemon.reopen, writer))
                for _ in range(3):
                    group = daemon.group(*mine, runs=[RUN], new_runs=[RUN])
                    await persistently(partial(daemon.commits.commit, group))
                    for advance in group.advances:
                        acked[advance.writer] = max(acked[advance.writer], advance.end)
            except WritersMovedError:
                continue

    finished = asyncio.Event()

    async def kill() -> int:
        killed = 0
        while not finished.is_set():
            await asyncio.sleep(0.02)
            killed += len(await zombie.fetch(KILL_ONE))
        return killed

    killer = asyncio.create_task(kill())
    await asyncio.gather(*(ship(daemon, index) for index, daemon in enumerate(daemons)))
    finished.set()
    assert await killer > 0

    groups = {}
    for writer in writers:
        rows = await zombie.fetch(
            "SELECT first, end_, group_id FROM progress WHERE writer_id = $1 ORDER BY first", writer
        )
        assert [row["first"] for row in rows] == [0, *(row["end_"] for row in rows[:-1])]
        assert rows[-1]["end_"] >= acked[writer] > 0
        groups.update({row["group_id"]: row for row in rows})
    assert await stored_segments(zombie) == len(groups)
    assert await zombie.fetchval("SELECT sum(rows) FROM segments") == await zombie.fetchval(
        "SELECT sum(end_ - first) FROM progress"
    )


async def persistently(call: Callable[[], object]) -> None:
    """Do what the committer does: the same again until the outcome is known."""
    while True:
        try:
            await call()  # type: ignore[misc]
        except CatalogUnavailableError:
            continue
        return
