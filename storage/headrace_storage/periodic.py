"""The loop that background tasks share."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from headrace_storage.errors import StorageError

Lease = Callable[[], Awaitable[bool]]
"""Asked before each piece of work: whether this daemon is the one to do it now."""

_log = structlog.get_logger()


async def always() -> bool:
    """The lease of a daemon that is alone."""
    return True


async def repeat(task: str, work: Callable[[], Awaitable[object]], interval: float) -> None:
    """Run ``work`` for ever, ``interval`` seconds after it ended. A failure is logged, and tried again."""
    failure = ""
    while True:
        try:
            await work()
        except (StorageError, OSError) as error:
            if str(error) != failure:
                _log.warning("background task failed", task=task, error=str(error), retry_in=interval)
            failure = str(error)
        except Exception:  # noqa: BLE001  a bug in one task must not end the others
            _log.exception("background task failed unexpectedly", task=task, retry_in=interval)
        else:
            if failure:
                _log.info("background task works again", task=task)
            failure = ""
        await asyncio.sleep(interval)
