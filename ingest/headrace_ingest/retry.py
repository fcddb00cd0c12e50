"""Trying again: what fails for a reason that passes is done in the end, and said once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from headrace_storage.errors import CatalogUnavailableError

log = structlog.get_logger("headrace")

Result = TypeVar("Result")

PASSING: Final = (CatalogUnavailableError, OSError)
"""The database is away, the disk is full: nothing that a daemon should end for."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0


async def persistently(what: str, work: Callable[[], Awaitable[Result]]) -> Result:
    """The result of ``work``, which is tried again, with growing pauses, while it fails by ``PASSING``."""
    pause = _FIRST_PAUSE
    while True:
        try:
            result = await work()
        except PASSING as error:
            if pause == _FIRST_PAUSE:
                log.warning("trying until it works", what=what, error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        else:
            if pause > _FIRST_PAUSE:
                log.info("works again", what=what)
            return result
