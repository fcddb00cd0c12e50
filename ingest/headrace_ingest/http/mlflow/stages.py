"""Whether runs may be logged to, known for a moment: most batches cost no look at the catalog."""

import time
from typing import Final
from uuid import UUID

from headrace_storage.catalog.experiments import ACTIVE
from headrace_storage.catalog.runs import Runs
from headrace_storage.errors import InvalidArgumentError, NotFoundError

_SECONDS: Final = 2.0
"""For so long a run may still be logged to that was deleted elsewhere; it is there when it is restored."""

_MOST: Final = 10_000


class Stages:
    """The runs that were active a moment ago."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._until: dict[str, float] = {}

    async def check(self, run_id: str) -> str:
        """The run's id, as it is stored.

        Raises:
            NotFoundError: there is no such run.
            InvalidArgumentError: it is deleted.
        """
        if self._until.get(run_id, 0.0) > time.monotonic():
            return run_id
        try:
            id_ = UUID(hex=run_id).hex
        except ValueError:
            raise NotFoundError("run", run_id) from None
        if await self._runs.stage(id_) != ACTIVE:
            raise InvalidArgumentError("run_id", f"names the deleted run {id_}; restore it first")
        if len(self._until) >= _MOST:
            self._until.clear()
        self._until[id_] = time.monotonic() + _SECONDS
        return id_

    def forget(self) -> None:
        """A run was deleted, or restored."""
        self._until.clear()
