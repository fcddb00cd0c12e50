"""The servers of the campaign, each kept running as a service is: a PostgreSQL, two daemons on one folder."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from processes import send, state, wait_for
from proxy import Loop, Proxy

PROGRAMS = Path(__file__).parent / "programs"
START_SECONDS = 60.0


class Postgres:
    """``programs/postgres.py``, which starts the server again whenever it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        with (folder / "owner.log").open("ab") as log:
            command: list[str | Path] = [sys.executable, PROGRAMS / "postgres.py", folder]
            self._owner = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for((folder / "url").exists, START_SECONDS, "PostgreSQL starts")
        self.url = (folder / "url").read_text()
        directory = parse_qs(urlsplit(self.url).query)["host"][0]
        self.socket = f"{directory}/.s.PGSQL.5432"

    @property
    def pid(self) -> int:
        """Of the server's first process; 0 while it is down."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        return 0

    def ready(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(OSError, IndexError):
            lines = (self.folder / "postgres" / "postmaster.pid").read_text().splitlines()
            return lines[7].strip() == "ready" and bool(state(int(lines[0])))
        return False

    def end(self) -> None:
        """Stops it."""
        self._owner.terminate()
        try:
            self._owner.wait(30)
        except subprocess.TimeoutExpired:
            self._owner.kill()


class Daemon:
    """``programs/daemon.py``: whenever it ends, a thread starts it again, without failpoints."""

    def __init__(self, name: str, folder: Path, postgres: Postgres, loop: Loop, seed: str) -> None:
        self.name = name
        self.folder = folder
        self.database = Proxy(loop, postgres.socket)
        self.log = folder / f"{name}.log"
        self.port = 0
        self.starts = 0
        self._spec = folder / f"{name}.failpoints"
        self._seed = seed
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)
        self._keeper.start()

    @property
    def pid(self) -> int:
        """Of the daemon that runs, or ran last; 0 before the first."""
        return self._process.pid if self._process else 0

    def ready(self) -> bool:
        """Whether it serves."""
        with contextlib.suppress(OSError, ValueError):
            known = json.loads((self.folder / "data" / f"{self.name}.json").read_text())
            self.port = int(known["address"].rpartition(":")[2])
            return known["pid"] == self.pid and bool(state(self.pid))
        return False

    def wait_until_ready(self) -> None:
        """Waits for it, also through restarts."""
        wait_for(self.ready, START_SECONDS, f"daemon {self.name} serves")

    def arm(self, failpoints: str) -> None:
        """Loads these failpoints, none when empty; lost when the daemon ends."""
        self._spec.write_text(f"seed={self._seed},{failpoints}" if failpoints else "")
        if self.ready():
            send(self.pid, signal.SIGUSR1)

    def hits(self, failpoint: str, action: str) -> int:
        """How often that happened, in the daemon's life and former lives."""
        return self.log.read_bytes().count(f"failpoint {failpoint} {action}\n".encode())

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        send(self.pid, number)

    def end(self) -> None:
        """Stops it for good."""
        self._ending = True
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        self._keeper.join(20)
        self.send(signal.SIGKILL)

    def _keep(self) -> None:
        pause = threading.Event()
        while not self._ending:
            self._start()
            assert self._process is not None
            self._process.wait()
            pause.wait(0.05)

    def _start(self) -> None:
        self._spec.unlink(missing_ok=True)
        url = f"postgresql://headrace@127.0.0.1:{self.database.port}/postgres?sslmode=disable"
        options = ["--data", str(self.folder / "data"), "--grpc-port", str(self.port), "--database-url", url]
        environment = os.environ | {"HEADRACE_FAILPOINTS": ""}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, PROGRAMS / "daemon.py", self.name, self._spec, *options],
                stdout=log,
                stderr=log,
                env=environment,
            )
        self.starts += 1
