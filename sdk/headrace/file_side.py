"""The part of a core that carries files: the spool that this process fills, the courier, reads over HTTP."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from headrace import progress
from headrace.journal.folder import boot_folder
from headrace.journal.room import is_full
from headrace.operation import RunOperation
from headrace.shipping import agent
from headrace.shipping.courier import Courier
from headrace.shipping.http import Http, StatusError
from headrace.spool.entry import Entry
from headrace.spool.spool import PREFIX, Limits, Spool, without_room

if TYPE_CHECKING:
    from headrace.core import Core

logger = logging.getLogger("headrace")

T = TypeVar("T")


class FileSide:
    """See the module. A core has one; a forked child's core has another one."""

    def __init__(self, core: "Core") -> None:
        self.spools: list[Spool] = []
        """All that this process filled; each is an operation's fate."""
        self._core = core
        self._lock = threading.RLock()
        self._spool: Spool | None = None
        self._closed: list[Spool] = []
        self._courier: Courier | None = None
        self._connections: list[Http] = []  # that nobody uses now

    # Out.

    def secure(self, entry: Callable[[int, str, int], Entry], write: Callable[[Path], int]) -> RunOperation:
        """Secures a file for its upload: what ``write`` writes to a path, whose size it returns.

        ``entry`` is told the size, and the place in which journal has to be committed before it begins.
        """
        writer = self._core.current_writer()
        try:
            spool = self.spool()
        except OSError as error:
            if not is_full(error):
                raise
            settings = self._core.settings
            return without_room(boot_folder(settings.journal_dir) / PREFIX, settings.on_full, error)
        return spool.add(lambda size: entry(size, writer.name, writer.written()), write)

    def spool(self) -> Spool:
        """The spool that this process fills now."""
        with self._lock:
            if self._spool is None:
                self._spool = self._new_spool()
            return self._spool

    def _new_spool(self) -> Spool:
        core = self._core
        root = boot_folder(core.settings.journal_dir)
        limits = Limits(core.settings.artifact_spool_max, core.settings.on_full)
        spool = Spool(root, core.header(), limits)
        self.spools.append(spool)
        if core.ended:
            logger.warning(
                "files that are logged after the end of the process stay in %s, for: headrace sync %s",
                spool.folder,
                root.parent,
            )
        elif core.uses_agent or not self.courier().take_on(spool.folder, spool):
            core.watch(spool)
        return spool

    def courier(self) -> Courier:
        """The thread that uploads, for the core's tracking URI."""
        with self._lock:
            if self._courier is None:
                self._courier = Courier(self._core.uri, self._core.http_address)
            return self._courier

    @contextmanager
    def shown(self) -> Iterator[Callable[[], None]]:
        """Shows, to who waits for them, how far uploads are; what it gives is called again and again."""
        spool, seen = self._spool, 0
        with (progress.wanted() if spool and spool.pending() else progress.silent)("uploading", 0) as advance:

            def look() -> None:
                nonlocal seen
                now = spool.sent if spool else 0
                advance(max(0, now - seen))
                seen = now

            yield look

    # In.

    def over_http(self, work: Callable[[Http], T]) -> T:
        """What ``work`` returns, with a connection to the daemon's HTTP side; raises typed errors."""
        http = self._connections.pop() if self._connections else Http(self._core.http_address)
        try:
            result = work(http)
        except StatusError as error:
            http.close()
            raise error.typed() from error
        except BaseException:
            http.close()
            raise
        self._connections.append(http)
        return result

    # End.

    def stop(self) -> None:
        """Uploads no more; what is left is for others: the agent, when the daemon takes files at all."""
        courier, self._courier = self._courier, None
        if courier is not None:
            courier.stop()
        while self._connections:
            self._connections.pop().close()
        if any(spool.pending() and not spool.daemon_absent() for spool in self._closed):
            agent.start(boot_folder(self._core.settings.journal_dir).parent)

    def close(self) -> None:
        """Says that no more will come."""
        spools, self.spools, self._spool = self.spools, [], None
        for spool in spools:
            spool.close()
        self._closed += spools
