"""The part of an asyncpg connection that the catalog uses, with types (asyncpg ships none)."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Connection(Protocol):
    """One connection; a statement runs at a time."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Run a statement, or a script when there are no arguments."""
        ...

    async def fetch(self, query: str, *args: object) -> list[Any]:
        """All rows."""
        ...

    async def fetchrow(self, query: str, *args: object) -> Any:
        """The first row, or ``None``."""
        ...

    async def fetchval(self, query: str, *args: object) -> Any:
        """The first value of the first row, or ``None``."""
        ...

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False
    ) -> AbstractAsyncContextManager[object]:
        """A transaction, or a savepoint inside one."""
        ...
