"""This process in the catalog: registered, heard of regularly, registered anew when it was declared dead."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from headrace_ingest.retry import persistently
from headrace_storage.catalog.incarnations import Incarnations
from headrace_storage.errors import CatalogUnavailableError
from headrace_storage.failpoints import failpoint
from headrace_storage.segments.write import SegmentWriter

log = structlog.get_logger("headrace")

HEARTBEAT: Final = 5.0
"""Seconds between two signs of life; far fewer than after which the collector declares a daemon dead."""


class Identity(NamedTuple):
    """The number that commits carry, and the writer of objects whose names begin with it."""

    number: int
    segments: SegmentWriter


class Incarnation:
    """Who this process is now: ``current``, once registered."""

    current: Identity

    def __init__(self, incarnations: Incarnations, segment_writer: Callable[[int], SegmentWriter]) -> None:
        self._incarnations = incarnations
        self._segment_writer = segment_writer
        self._registered = asyncio.Event()
        self._label = f"{socket.gethostname()}:{os.getpid()}"

    async def register(self) -> None:
        """Comes to life."""
        number = await self._incarnations.register(self._label)
        self.current = Identity(number, self._segment_writer(number))
        self._registered.set()
        self._registered = asyncio.Event()

    async def replaced(self, number: int) -> None:
        """Waits until ``number`` is not the current one any more."""
        while self.current.number == number:
            await self._registered.wait()

    async def renew(self, dead: int) -> None:
        """Comes to life again under a new number, if it still has the ``dead`` one. Waits for the catalog."""
        if self.current.number == dead:
            await persistently("registering anew", self.register)
            log.warning(
                "this daemon was declared dead and registered anew", before=dead, now=self.current.number
            )

    async def beat(self) -> None:
        """Gives signs of life, until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                await failpoint("heartbeat")
                await self._incarnations.heartbeat(self.current.number)
            except CatalogUnavailableError as error:
                log.debug("no heartbeat", error=str(error))

    async def retire(self) -> None:
        """Ends in order: after this, nothing of this process commits."""
        await self._incarnations.retire(self.current.number)
