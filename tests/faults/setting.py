"""Everything that runs during a campaign: servers, proxies, and in rounds the processes that log.

Four slots, each with a proxy before the daemons: what logs there is replaced when it was killed. A round is
a run of its own with its own folder of journals, so that it can be judged and forgotten.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path

from diaries import Diaries
from journals import Journals, Place
from processes import running, send, state, wait_for
from proxy import Loop, Proxy
from servers import PROGRAMS, Daemon, Postgres

STYLES = ("plain", "definitions", "waits", "forks")
FIRST_LAUNCH = 1
NOTHING = 1 << 20
"""A step above all others."""

DELIVERY_SECONDS = 90.0
"""For what recovers within seconds, or within the 30 s after which a silent connection counts as dead."""


class Slot:
    """A place for a logging process, and its way to a daemon."""

    def __init__(self, index: int, daemons: list[Daemon], loop: Loop) -> None:
        self.index = index
        self.style = STYLES[index]
        self.daemon = daemons[index % 2]
        self.proxy = Proxy(loop, self.daemon.port)
        self.process: subprocess.Popen[bytes] | None = None
        self._faults = 0
        self._lock = threading.Lock()

    @property
    def uri(self) -> str:
        return f"headrace://127.0.0.1:{self.proxy.port}"

    @property
    def faulty(self) -> bool:
        """Whether a fault of this slot goes on: what it logs is not expected to arrive now."""
        return self._faults > 0

    @contextmanager
    def fault(self) -> Iterator[None]:
        """A fault of this slot, which others need not wait for."""
        with self._lock:
            self._faults += 1
        try:
            yield
        finally:
            with self._lock:
                self._faults -= 1

    def route(self, daemon: Daemon) -> None:
        """Sends new connections to this daemon."""
        self.daemon = daemon
        self.proxy.target = daemon.port


class Round:
    """One run: its processes, what they wrote in diaries, and where their journals are.

    The first processes are one launch, each that replaces one is another, which resumes the run from a step.
    """

    def __init__(self, folder: Path, slots: list[Slot], seed: str) -> None:
        self.folder = folder
        self.run_id = md5(seed.encode(), usedforsecurity=False).hexdigest()
        self.slots = slots
        self.seed = seed
        folder.mkdir()
        (folder / "diaries").mkdir()
        self.diaries = Diaries(folder / "diaries")
        self.journals = Journals(folder / "journals")
        self.log = folder / "ranks.log"
        self.random = random.Random(seed)
        self._numbers = 0
        self._lock = threading.Lock()
        for slot in slots:
            self.start(slot, together=True)

    def start(self, slot: Slot, *, together: bool = False) -> None:
        """Starts a process in the slot: ``together`` with others as one launch, else as one of its own."""
        number, step = self._next()
        token = f"{FIRST_LAUNCH}:{NOTHING}" if together else f"{number + FIRST_LAUNCH}:{step}"
        slot.process = self._started(
            slot, number, slot.style, HEADRACE_RUN_ID=self.run_id, HEADRACE_ATTEMPT=token
        )

    def fork(self, slot: Slot) -> "subprocess.Popen[bytes]":
        """Starts a process beside the slot's own that forks the run."""
        number, step = self._next()
        return self._started(slot, number, "a fork", FORK_FROM=self.run_id, FORK_STEP=str(step))

    def _next(self) -> tuple[int, int]:
        """Number and step of another process; half of all launches hide something."""
        with self._lock:
            self._numbers += 1
            return self._numbers, self.random.choice((NOTHING, self.random.randrange(300, 1000)))

    def _started(self, slot: Slot, number: int, style: str, **environment: str) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            **environment,
            "HEADRACE_TRACKING_URI": slot.uri,
            "HEADRACE_JOURNAL_DIR": str(self.folder / "journals"),
            "HEADRACE_SHIPPER": "agent" if slot.style == "waits" else "thread",
            "HEADRACE_EXIT_TIMEOUT": "5",
            "HEADRACE_READ_TIMEOUT": "5",
        }
        command: list[str | Path] = [
            sys.executable,
            PROGRAMS / "rank.py",
            self.diaries.folder,
            str(number),
            style,
            self.seed,
        ]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def wait_until_logging(self, slot: Slot, process: "subprocess.Popen[bytes] | None" = None) -> None:
        """Waits until the slot's process, or the one beside it, logged something."""
        process = process or slot.process
        assert process is not None

        def logs() -> bool:
            return any(diary.words[3] == process.pid and diary.words[1] for diary in self.diaries.all())

        wait_for(logs, DELIVERY_SECONDS, f"the process in slot {slot.index} ({slot.style}) logs")

    def backlog(self, chosen: Callable[[Place], bool]) -> dict[str, int]:
        """The tails, as they are now, of the journals that are ``chosen``."""
        return {name: place.tail for name, place in self.journals.places().items() if chosen(place)}

    def left(self, backlog: dict[str, int], *, everywhere: bool = False) -> dict[str, int]:
        """What of a backlog is not durable yet, in cells; ``everywhere``: in slots that are at fault too."""
        places = self.journals.places()
        faulty = {slot.uri for slot in self.slots if slot.faulty and not everywhere}
        return {
            name: tail - places[name].committed
            for name, tail in backlog.items()
            if places[name].committed < tail and places[name].uri not in faulty
        }

    def agents(self) -> list[int]:
        """The agents of this round's journals."""
        return running("agent", str(self.folder / "journals"))

    def stop(self) -> None:
        """Has every process end as programs end."""
        for slot in self.slots:
            if slot.process:
                send(slot.process.pid, signal.SIGCONT)

        def ended() -> bool:
            self.diaries.stop()
            parents = all(slot.process is None or slot.process.poll() is not None for slot in self.slots)
            return parents and not any(state(diary.words[3]) for diary in self.diaries.all())

        wait_for(ended, DELIVERY_SECONDS, "all processes that log end")

    def kill(self) -> None:
        """Leaves nothing running."""
        self.diaries.stop()
        for diary in self.diaries.all():
            if state(diary.words[3]) and str(self.diaries.folder) in _arguments(diary.words[3]):
                send(diary.words[3], signal.SIGKILL)
        for slot in self.slots:
            if slot.process and slot.process.poll() is None:
                slot.process.kill()
                slot.process.wait()
        for pid in self.agents():
            send(pid, signal.SIGKILL)


class Setting:
    """The servers and slots, from the beginning to the end of a campaign."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.folder = folder
        self.loop = Loop()
        self.postgres = Postgres(folder / "database")
        self.daemons = [Daemon(name, folder, self.postgres, self.loop, seed) for name in ("a", "b")]
        for daemon in self.daemons:
            daemon.wait_until_ready()
        self.slots = [Slot(index, self.daemons, self.loop) for index in range(len(STYLES))]

    def heal(self) -> None:
        """Ends every fault that lasts."""
        for proxy in [*(slot.proxy for slot in self.slots), *(daemon.database for daemon in self.daemons)]:
            proxy.heal()
        for daemon in self.daemons:
            daemon.send(signal.SIGCONT)
            daemon.arm("")
            daemon.wait_until_ready()

    def end(self) -> None:
        """Stops everything."""
        for daemon in self.daemons:
            daemon.end()
        self.postgres.end()
        self.loop.stop()


def _arguments(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""
