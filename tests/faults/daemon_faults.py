"""What happens to daemons: killed, stopped, failing at each step of their work."""

import signal
import time
from functools import partial

from fault import Fault, Field, Inject, faults
from headrace_storage.failpoints import NAMES
from processes import StalledError, wait_for
from servers import Daemon

RARE = frozenset(["publish", "compact.before", "compact.after", "fold", "collect", "heartbeat"])
"""Failpoints of background tasks: one daemon of the two does these, after a while."""

SURE = RARE | {"open.before", "open.after"}
"""Failpoints that are not passed often enough for a chance."""


def _other(field: Field, daemon: Daemon) -> Daemon:
    return next(other for other in field.setting.daemons if other is not daemon)


def _fail_over(field: Field, daemon: Daemon) -> None:
    """Has half of the slots, by the seed, go to the other daemon; the rest wait for this one."""
    for slot in field.setting.slots:
        if slot.daemon is daemon and field.random.random() < 0.5:
            slot.route(_other(field, daemon))


def kill(field: Field) -> int:
    daemon = field.random.choice(field.setting.daemons)
    daemon.wait_until_ready()
    daemon.send(signal.SIGKILL)
    _fail_over(field, daemon)
    return 1


def restart(field: Field) -> int:
    daemon = field.random.choice(field.setting.daemons)
    daemon.wait_until_ready()
    daemon.send(signal.SIGTERM)
    _fail_over(field, daemon)
    starts = daemon.starts
    wait_for(lambda: daemon.starts > starts and daemon.ready(), 60, f"daemon {daemon.name} restarts")
    return 1


def zombie(field: Field) -> int:
    """A daemon stands still, another takes over; it wakes up, with what it was about to commit."""
    daemon = field.random.choice(field.setting.daemons)
    other = _other(field, daemon)
    daemon.wait_until_ready()
    other.wait_until_ready()
    daemon.send(signal.SIGSTOP)
    left = []
    for slot in field.setting.slots:
        if slot.daemon is daemon:
            slot.route(other)
            left += slot.proxy.detach()
    field.sleep(0.5, 6)  # after 4 s it is declared dead
    daemon.send(signal.SIGCONT)
    time.sleep(0.3)
    for connection in left:
        field.setting.loop.call(connection.cut)
    return 1


def at_failpoint(name: str, action: str, field: Field) -> int:
    """Loads a failpoint into both daemons until it happened; how often it did."""
    daemons = field.setting.daemons
    chance = 1.0 if name in SURE else field.random.choice([1.0, 0.3, 0.1])
    if name == "collect":
        _leave_something_to_collect(daemons[0])
    before = [daemon.hits(name, action.partition("(")[0]) for daemon in daemons]

    def happened() -> int:
        now = [daemon.hits(name, action.partition("(")[0]) for daemon in daemons]
        return sum(now) - sum(before)

    # One for what every stream does, so that the other goes on; both where only one of them works.
    for daemon in daemons if name in RARE else [field.random.choice(daemons)]:
        daemon.wait_until_ready()
        daemon.arm(f"{name}={action}:{chance}")
        if name.startswith("open"):
            for slot in field.setting.slots:
                slot.proxy.cut()
    try:
        wait_for(happened, 10 if name in RARE else 4, "it happens")
        if action != "kill":
            field.sleep(0.1, 1)
    except StalledError:
        pass  # no opportunity: not counted
    for daemon in daemons:
        if daemon.ready():
            daemon.arm("")
    return happened()


def _leave_something_to_collect(daemon: Daemon) -> None:
    """A daemon that is killed leaves an incarnation, which is declared dead 4 s later."""
    daemon.wait_until_ready()
    starts = daemon.starts
    daemon.send(signal.SIGKILL)
    wait_for(lambda: daemon.starts > starts and daemon.ready(), 60, f"daemon {daemon.name} restarts")


KINDS: dict[str, Inject] = {
    "daemon: SIGKILL": kill,
    "daemon: SIGTERM, restarted": restart,
    "daemon: SIGSTOP, another takes over, SIGCONT": zombie,
    **{f"daemon: killed at {name}": partial(at_failpoint, name, "kill") for name in sorted(NAMES)},
    **{f"daemon: error at {name}": partial(at_failpoint, name, "error") for name in sorted(NAMES)},
    **{
        f"daemon: stalled at {name}": partial(at_failpoint, name, "sleep(0.5)")
        for name in ("commit.before", "commit.after", "segment.written", "compact.before", "acknowledge")
    },
}

ALL: list[Fault] = faults("daemons", KINDS)
