"""Deletes files that nobody can ask for: of erased runs and models, and uploads that clients gave up."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Final

import structlog

from headrace_storage.catalog.erase import Eraser
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.objects import Locations
from headrace_storage.periodic import Lease, always, repeat

_Find = Callable[[int], Awaitable[Sequence[tuple[Any, str]]]]
"""Ids of what was erased, with artifact URIs; so many at most."""

_Forget = Callable[[Collection[Any]], Awaitable[None]]

_log = structlog.get_logger()

_BATCH: Final = 100


class Sweeper:
    """The task that deletes files. Several at once do no harm."""

    def __init__(
        self,
        eraser: Eraser,
        locations: Locations,
        *,
        lease: Lease = always,
        interval: float = 30.0,
        abandoned_after: float = 7 * 86_400.0,
    ) -> None:
        """``abandoned_after``: seconds for which an upload that was cut may go on."""
        self._eraser = eraser
        self._locations = locations
        self._lease = lease
        self._interval = interval
        self._abandoned_after = abandoned_after
        self._now: set[asyncio.Future[int]] = set()

    async def run(self) -> None:
        """Sweep for ever."""
        await repeat("sweep", self.once, self._interval)

    def soon(self) -> None:
        """Sweep now, beside what the caller does. What goes wrong is left to :meth:`run`."""
        task = asyncio.ensure_future(self.once())
        self._now.add(task)
        task.add_done_callback(self._on_swept)

    def _on_swept(self, task: "asyncio.Future[int]") -> None:
        self._now.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.warning("files of erased runs wait for the next sweep", error=str(error))

    async def once(self) -> int:
        """Delete what can go now; of how many erased runs and models."""
        if not await self._lease():
            return 0
        for store in self._locations.stores:
            await store.sweep(self._abandoned_after)
        eraser = self._eraser
        runs, stuck = await self._sweep(eraser.with_files, eraser.forget_files)
        models, others = await self._sweep(eraser.models_with_files, eraser.forget_models)
        for error in [*stuck, *others]:
            raise error
        return runs + models

    async def _sweep(self, find: _Find, forget: _Forget) -> tuple[int, Collection[OSError]]:
        """Delete what there is to find; how much, and why some cannot be deleted, which holds no other up."""
        swept, stuck = 0, dict[Any, OSError]()
        while found := [pair for pair in await find(_BATCH + len(stuck)) if pair[0] not in stuck]:
            for id_, uri in found:
                try:
                    await self._delete(uri)
                except OSError as error:
                    stuck[id_] = error
            gone = [id_ for id_, _ in found if id_ not in stuck]
            await forget(gone)
            swept += len(gone)
        return swept, stuck.values()

    async def _delete(self, uri: str) -> None:
        try:
            store, folder = self._locations.place(uri)
        except InvalidArgumentError:
            _log.warning("files of an erased run are where this daemon may delete nothing", uri=uri)
            return
        # The folder of the run or model: its artifacts are in one of that name.
        await store.delete(folder.removesuffix("/artifacts"))
