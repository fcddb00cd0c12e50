"""How much of something is in memory at a time: who wants more waits, first come, first served. No I/O."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """Room for so many bytes."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Holds ``size`` bytes, or all there are, within the block, which begins when they are free."""
        size = min(size, self._size)
        if size:
            async with self._turn:
                while size > self._free:
                    self._freed.clear()
                    await self._freed.wait()
                self._free -= size
        try:
            yield
        finally:
            self._free += size
            self._freed.set()
