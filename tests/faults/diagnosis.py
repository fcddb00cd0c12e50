"""What is to be known when something does not go on: who waits where, for what."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator

import asyncpg

from intents import INTENDED, PID, RETURNED
from processes import send, stack, state
from setting import Round, Setting


def describe(setting: Setting, current: Round) -> str:
    """Everything, as text."""
    return "\n".join(_lines(setting, current))


def _lines(setting: Setting, current: Round) -> Iterator[str]:
    yield "== journals that are not delivered"
    for name, place in current.journals.places().items():
        if place.committed < place.tail:
            at = next((slot.index for slot in setting.slots if slot.uri == place.uri), -1)
            yield (
                f"{name} slot {at} pid {place.pid} {state(place.pid) or 'dead'}: "
                f"committed {place.committed}, tail {place.tail}"
            )
    yield "== processes that log"
    for diary in current.diaries.all():
        pid = diary.words[PID]
        if state(pid):
            returned, intended = diary.words[RETURNED], diary.words[INTENDED]
            yield f"{diary.number}: pid {pid} {state(pid)}, returned {returned} of {intended}"
            yield stack(pid)
            send(pid, signal.SIGUSR1)
    time.sleep(0.5)
    yield "\n".join(current.log.read_text(errors="replace").splitlines()[-300:])
    for pid in current.agents():
        yield f"agent: pid {pid} {state(pid)}"
        yield stack(pid)
    yield "== daemons"
    for daemon in setting.daemons:
        alive = state(daemon.pid) or "dead"
        yield f"{daemon.name}: pid {daemon.pid} {alive}, port {daemon.port}, {daemon.starts} starts"
        yield stack(daemon.pid)
        if send(daemon.pid, signal.SIGUSR2):
            time.sleep(0.5)
        yield "\n".join(daemon.log.read_text(errors="replace").splitlines()[-150:])
    yield "== proxies"
    for slot in setting.slots:
        count, health = len(slot.proxy.connections), "faulty" if slot.faulty else "whole"
        yield f"slot {slot.index} {slot.style}: {count} connections to {slot.daemon.name}, {health}"
    yield f"== PostgreSQL: pid {setting.postgres.pid}, ready: {setting.postgres.ready()}"
    yield from _activity(setting)


def _activity(setting: Setting) -> list[str]:
    async def ask() -> list[str]:
        connection = await asyncpg.connect(setting.postgres.url, timeout=5, command_timeout=5)
        rows = await connection.fetch(
            "SELECT pid, application_name, state, wait_event_type, wait_event,"
            " pg_blocking_pids(pid) AS blocked_by, now() - query_start AS since, left(query, 100) AS query"
            " FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
        connection.terminate()
        return [" ".join(f"{name}={value}" for name, value in row.items()) for row in rows]

    with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return asyncio.run(ask())
    return ["(it does not answer)"]
