"""The agent: ships all journals of a folder, for every process of the node.

``headrace agent FOLDER [--exit-idle SECONDS]``. One per folder: a second one exits at
once. Forked children and processes with ``HEADRACE_SHIPPER=agent`` start it when none runs; they hold no
connection and run no gRPC themselves.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from headrace.journal.folder import try_lock
from headrace.shipping.carrier import Carrier, room_for
from headrace.shipping.courier import Courier
from headrace.shipping.link import Link
from headrace.shipping.shipper import Shipper

logger = logging.getLogger("headrace")

SCAN_SECONDS = 0.2
LOCATE_SECONDS = 10.0
FILES_AT_MOST = 1 << 16
LOCK = "agent.lock"


class Fleet:
    """A shipper for each tracking URI. Made and used in one loop."""

    def __init__(self, keep: float) -> None:
        self._keep = keep
        self._shipper_id = uuid.uuid4().bytes
        self._shippers: dict[str, tuple[Shipper, Link, asyncio.Task[None]]] = {}
        self._couriers: dict[str, Courier] = {}
        self._loop = asyncio.get_running_loop()

    def shipper_for(self, uri: str) -> Shipper:
        """The shipper of a tracking URI, started at first use."""
        if uri not in self._shippers:
            link = Link(uri)
            shipper = Shipper(link, self._shipper_id, self._keep)
            self._shippers[uri] = shipper, link, asyncio.create_task(shipper.run())
        return self._shippers[uri][0]

    def courier_for(self, uri: str) -> Courier:
        """The courier of a tracking URI, started at first use."""
        if uri not in self._couriers:
            self.shipper_for(uri)
            link = self._shippers[uri][1]

            def locate() -> str:
                asked = asyncio.run_coroutine_threadsafe(link.http_address(LOCATE_SECONDS), self._loop)
                return asked.result(2 * LOCATE_SECONDS)

            self._couriers[uri] = Courier(uri, locate)
        return self._couriers[uri]

    @property
    def couriers(self) -> list[Courier]:
        """All of them."""
        return list(self._couriers.values())

    @property
    def shippers(self) -> list[Shipper]:
        """All of them."""
        return [shipper for shipper, *_ in self._shippers.values()]

    @property
    def busy(self) -> bool:
        """Whether there is anything to ship."""
        shipping = any(shipper.lanes for shipper in self.shippers)
        return shipping or any(courier.busy for courier in self.couriers)

    @property
    def unreachable(self) -> bool:
        """Whether a daemon was not there when it was needed last."""
        return any(shipper.unreachable for shipper in self.shippers) or any(
            courier.unreachable for courier in self.couriers
        )

    @property
    def sent(self) -> int:
        """Chunks of files that were sent."""
        return sum(courier.sent for courier in self.couriers)

    async def stop(self) -> None:
        """Ends them; what is not delivered stays in its journal."""
        for courier in self.couriers:
            await asyncio.to_thread(courier.stop)
        for shipper, link, task in self._shippers.values():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            shipper.let_go()
            await link.close()


async def run_agent(root: Path, keep: float, exit_idle: float | None) -> None:
    """Ships the journals below ``root`` until SIGTERM or SIGINT, or ``exit_idle`` seconds without any."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    fleet = Fleet(keep)
    carrier = Carrier(
        root,
        keep,
        fleet.shipper_for,
        living=True,
        at_once=room_for(FILES_AT_MOST),
        courier_for=fleet.courier_for,
    )
    idle = 0.0
    while root.is_dir() and not stop.is_set() and (exit_idle is None or idle < exit_idle):
        try:
            carrier.scan()
            for shipper in fleet.shippers:
                shipper.tidy()
        except OSError:
            logger.exception("the folder of journals %s cannot be read", root)
        idle = 0.0 if fleet.busy else idle + SCAN_SECONDS
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SCAN_SECONDS)
    await fleet.stop()
    left = {standing.folder: standing.pending for standing in carrier.standings() if standing.pending}
    if left:
        logger.warning(
            "the agent ends; %s operations are not delivered yet and stay in %s, for the next agent, the "
            "next process here that logs to the same daemon, or: headrace sync %s",
            sum(left.values()),
            ", ".join(map(str, left)),
            root,
        )


_started: "list[subprocess.Popen[bytes]]" = []


def start(root: Path, exit_idle: float = 10.0) -> None:
    """Starts the folder's agent, unless one runs. Safe in a forked child: it only execs.

    The new process inherits the lock, so that however many processes need an agent at once start one.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    try:
        lock = try_lock(root / LOCK)
        if lock is None:
            return
        command = [sys.executable, "-m", "headrace", "agent", str(root), "--exit-idle", str(exit_idle)]
        command += ["--lock", str(lock)]
        try:
            with (root / "agent.log").open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - our own module
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    pass_fds=(lock,),
                )
            _started.append(process)
        finally:
            os.close(lock)
    except OSError as error:  # no reason for a call of log_metric to fail: the journal keeps what it logs
        logger.warning("no agent can be started for %s: %s", root, error)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="headrace agent", description="Ship all journals of a folder.")
    parser.add_argument("folder", type=Path, help="the folder of journals (HEADRACE_JOURNAL_DIR)")
    parser.add_argument(
        "--exit-idle", type=float, metavar="SECONDS", help="exit when nothing was to do for so long"
    )
    parser.add_argument(
        "--keep", type=float, default=600.0, metavar="SECONDS", help="keep delivered journals so long"
    )
    parser.add_argument("--lock", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    options.folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(options.folder / LOCK) if options.lock is None else options.lock
    if lock is None:
        logger.info("another agent ships the journals of %s", options.folder)
        return 0
    os.set_inheritable(lock, False)
    try:
        asyncio.run(run_agent(options.folder, options.keep, options.exit_idle))
    finally:
        os.close(lock)
    return 0
