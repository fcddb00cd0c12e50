"""``--workers N``: processes that share one port, started, watched and ended by their parent."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Final

import structlog

from headrace_ingest.app import DRAIN_SECONDS
from headrace_ingest.config import Config, StartError

log = structlog.get_logger("headrace")

READY: Final = b"ready\n"
"""What a worker writes on its standard output when it serves."""

_RESTART_PAUSE: Final = 1.0
_KILL_AFTER: Final = DRAIN_SECONDS + 2


async def supervise(
    config: Config, database_url: str, target: str, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Runs the workers until ``stop``, then has them drain. ``ready`` is called when all serve."""
    task = json.dumps({"config": config.to_json(), "database_url": database_url, "target": target})
    workers = [_Worker(number, task) for number in range(1, config.workers + 1)]
    keeping: list[asyncio.Task[None]] = []
    try:
        await asyncio.gather(*(worker.start() for worker in workers))
        ready()
        keeping = [asyncio.create_task(worker.keep()) for worker in workers]
        await stop.wait()
    finally:
        for keeper in keeping:
            keeper.cancel()
        await asyncio.gather(*(worker.end() for worker in workers))


class _Worker:
    """A process that serves. It ends when its standard input does, that is, with its parent."""

    def __init__(self, number: int, task: str) -> None:
        self._number = number
        self._task = task
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it serves; :class:`StartError` when it does not come to that."""
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "headrace_ingest.worker", str(self._number)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin  # noqa: S101 -- for the type checker
        assert process.stdout  # noqa: S101
        # Not by the command line or the environment, which others can read: it may hold a password.
        process.stdin.write(self._task.encode() + b"\n")
        if await process.stdout.readline() != READY:
            raise StartError(f"worker {self._number} did not start, see the line above")

    async def keep(self) -> None:
        """Starts the worker again whenever it ends, until cancelled."""
        while self._process:
            status = await self._process.wait()
            log.error("a worker ended, starting it again", worker=self._number, status=status)
            await asyncio.sleep(_RESTART_PAUSE)
            with contextlib.suppress(StartError):
                await self.start()

    async def end(self) -> None:
        """Has the worker drain, and kills it when that takes too long."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _KILL_AFTER)
        except TimeoutError:
            log.warning("a worker is killed, it did not drain in time", worker=self._number)
            process.kill()
            await process.wait()
