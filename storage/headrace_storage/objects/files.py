"""Files of users in a local folder: the store of artifacts."""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from headrace_storage.objects import attributes
from headrace_storage.objects.tree import Listed, Tree
from headrace_storage.objects.uploads import UPLOADS, Small, Upload, Uploads


class Reading:
    """A file that is being read: what it was when it was opened, whatever becomes of its name."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.size = found.st_size
        self.modified = found.st_mtime
        self.sha256 = attributes.sha256(descriptor)
        self.content_type = attributes.content_type(descriptor)

    def read(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset`` on. Blocks."""
        return os.pread(self._descriptor, count, offset)

    def close(self) -> None:
        """Reads no more."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LocalFiles:
    """Files below ``root``, which is created. See ``contract.FileStore``."""

    def __init__(self, root: Path) -> None:
        self._tree = Tree(root)
        self._uploads = Uploads(self._tree)
        self.root = self._tree.root

    async def put(self, files: Sequence[Small]) -> None:
        """Store small files, each whole or not at all."""
        await asyncio.to_thread(self._uploads.put, files)

    async def uploaded(self, id_: str) -> int:
        """How many bytes of an upload are there."""
        return await asyncio.to_thread(self._uploads.size, id_)

    def append(self, id_: str, offset: int) -> AbstractContextManager[Upload]:
        """An upload to append to, from its end; entering, leaving and ``write`` block."""
        return self._uploads.append(id_, offset)

    async def finish(self, id_: str, path: str, sha256: str, size: int, content_type: str) -> None:
        """Makes a whole upload the file ``path``."""
        await asyncio.to_thread(self._uploads.finish, id_, path, sha256, size, content_type)

    async def discard(self, id_: str) -> None:
        """Forgets an upload."""
        await asyncio.to_thread(self._uploads.discard, id_)

    async def open(self, path: str) -> Reading:
        """A file to read; NotFoundError when there is none."""
        return await asyncio.to_thread(self._open, path)

    async def list(self, path: str, *, deep: bool = False) -> Sequence[Listed]:
        """What is in a folder; ``deep``: all files below it."""
        return await asyncio.to_thread(lambda: list(self._tree.walk(path)) if deep else self._tree.list(path))

    async def delete(self, path: str) -> bool:
        """Delete a file, or a folder with all in it; whether there was anything."""
        return await asyncio.to_thread(self._tree.remove, path, UPLOADS)

    async def sweep(self, seconds: float) -> int:
        """Delete uploads that nobody went on with for so long; how many."""
        return await asyncio.to_thread(self._uploads.sweep, seconds)

    def _open(self, path: str) -> Reading:
        descriptor = self._tree.open(path)
        try:
            return Reading(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
