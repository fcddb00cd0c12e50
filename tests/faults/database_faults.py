"""What happens to PostgreSQL, and between it and the daemons."""

import asyncio
import signal
import time
from typing import Any

import asyncpg

from fault import Fault, Field, faults
from processes import send, wait_for

COMMITS = b"headrace commits"
PATIENCE = 30.0


def kill(field: Field) -> int:
    return _end(field, signal.SIGKILL)


def stop_immediately(field: Field) -> int:
    """As a failover looks from here: every connection ends, and nobody answers for a while."""
    return _end(field, signal.SIGQUIT)


def _end(field: Field, how: signal.Signals) -> int:
    postgres = field.setting.postgres
    wait_for(postgres.ready, 60, "PostgreSQL is ready")
    pid = postgres.pid
    if not send(pid, how):
        return 0
    wait_for(lambda: postgres.ready() and postgres.pid != pid, 60, "PostgreSQL restarts")
    return 1


async def _connect(field: Field) -> Any:
    return await asyncpg.connect(field.setting.postgres.url, timeout=PATIENCE, command_timeout=PATIENCE)


def _ask(field: Field, work: Any) -> int:
    """Runs ``work(connection)``; 0 when another fault is in its way."""

    async def run() -> int:
        connection = await _connect(field)
        try:
            async with asyncio.timeout(PATIENCE):
                return int(await work(connection))
        finally:
            connection.terminate()

    try:
        return asyncio.run(run())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return 0


def end_the_committing_backend(field: Field) -> int:
    """Some of them while they commit: what became of that, the daemon cannot know."""

    async def work(connection: Any) -> int:
        ended, deadline = 0, time.monotonic() + 2
        while ended < 3 and time.monotonic() < deadline:
            ended += await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = 'headrace commits' AND state = 'active'"
            )
            await asyncio.sleep(0.002)
        return ended

    return _ask(field, work)


def connection_limit(field: Field) -> int:
    """Somebody takes every connection, and the daemons lose theirs."""

    async def work(connection: Any) -> int:
        taken, held = [], field.random.uniform(0.3, 2)
        try:
            for attempt in range(80):
                if attempt == 30:
                    await connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name LIKE 'headrace %'"
                    )
                try:
                    taken.append(await _connect(field))
                except asyncpg.TooManyConnectionsError:
                    if attempt > 30:
                        break
            await asyncio.sleep(held)
        finally:
            for other in taken:
                other.terminate()
        return 1

    return _ask(field, work)


def _lock(field: Field, tables: str, seconds: float) -> int:
    async def work(connection: Any) -> int:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")
            await asyncio.sleep(seconds)
        return 1

    return _ask(field, work)


def lock(field: Field) -> int:
    """Commits stand still."""
    return _lock(field, "progress", field.random.uniform(0.5, 2))


def lock_until_dead(field: Field) -> int:
    """Commits and signs of life stand still, for longer than after which a daemon counts as dead."""
    return _lock(field, "progress, heartbeats", field.random.uniform(5, 7))


def lose_the_answer_to_a_commit(field: Field) -> int:
    return _in_doubt(field, "lose_answer_to")


def cut_during_a_commit(field: Field) -> int:
    return _in_doubt(field, "cut_during")


def _in_doubt(field: Field, how: str) -> int:
    proxies = [daemon.database for daemon in field.setting.daemons]
    before = sum(proxy.hits for proxy in proxies)
    for proxy in proxies:
        setattr(proxy, how, COMMITS)
    deadline = time.monotonic() + 2
    while sum(proxy.hits for proxy in proxies) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    for proxy in proxies:
        setattr(proxy, how, b"")
    return sum(proxy.hits for proxy in proxies) - before


def cut(field: Field) -> int:
    proxy = field.random.choice(field.setting.daemons).database
    proxy.cut_after(field.random.randrange(30_000))
    field.sleep(0.1, 0.5)
    proxy.heal()
    return 1


def hold(field: Field) -> int:
    proxy = field.random.choice(field.setting.daemons).database
    proxy.hold()
    field.sleep(0.5, 3)
    proxy.heal()
    return 1


ALL: list[Fault] = faults(
    "database",
    {
        "PostgreSQL: SIGKILL": kill,
        "PostgreSQL: stopped at once, restarted": stop_immediately,
        "PostgreSQL: committing backend ended": end_the_committing_backend,
        "PostgreSQL: no connection left": connection_limit,
        "PostgreSQL: a lock held": lock,
        "PostgreSQL: a lock held until daemons count as dead": lock_until_dead,
        "PostgreSQL: answer to a commit lost": lose_the_answer_to_a_commit,
        "PostgreSQL: cut during a commit": cut_during_a_commit,
        "PostgreSQL: cut within a message": cut,
        "PostgreSQL: silent for a while": hold,
    },
)
