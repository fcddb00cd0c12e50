"""What an object store promises to the engine."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """Named byte strings. Names are relative, with ``/`` between folders: ``segments/00000001/ab.parquet``.

    Every method raises OSError when the store fails, and ValueError for a name that leaves the store.
    """

    @property
    def identity(self) -> str:
        """Names this store for ever, also when it is moved."""
        ...

    async def put(self, path: str, data: bytes | memoryview) -> None:
        """Store ``data`` durably, replacing what was there: readers see all of it or what was there before.

        When it raises, the object is there whole or not at all.
        """
        ...

    async def put_parts(self, path: str, parts: Iterable[bytes | memoryview]) -> None:
        """As :meth:`put`, of ``parts`` one after the other. They are drawn in another thread, when needed.

        What drawing raises leaves, and nothing is stored.
        """
        ...

    async def get(self, path: str) -> bytes:
        """The bytes of an object; FileNotFoundError when there is none."""
        ...

    def local_path(self, path: str) -> Path:
        """Where the object's bytes can be opened as a file. It need not exist."""
        ...

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        """Delete an object; FileNotFoundError when there is none, unless ``missing_ok``."""
        ...

    async def list(self, prefix: str) -> Sequence[str]:
        """The names that begin with ``prefix``, a folder ending in ``/``, and what crashes left there."""
        ...
