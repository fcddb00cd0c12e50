"""A folder as an object store."""

import asyncio
import os
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import aiofiles
import aiofiles.os

_IDENTITY = "store-id"


class LocalStore:
    """Objects are files under ``root``, which is created. What is stored survives a power loss.

    An object is written under a temporary name, synced and renamed, then its folder is synced.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        _make_folders(self._root)
        self.identity = _read_or_make_identity(self._root)

    async def put(self, path: str, data: bytes | memoryview) -> None:
        """Store ``data`` durably as ``path``."""
        await self.put_parts(path, (data,))

    async def put_parts(self, path: str, parts: Iterable[bytes | memoryview]) -> None:
        """Store ``parts``, one after the other, durably as ``path``."""
        await asyncio.to_thread(_write, self.local_path(path), parts)

    async def get(self, path: str) -> bytes:
        """The bytes of an object; FileNotFoundError when there is none."""
        async with aiofiles.open(self.local_path(path), "rb") as file:
            data: bytes = await file.read()
        return data

    def local_path(self, path: str) -> Path:
        """The object's file; ValueError for a name that is absolute, empty, or leaves the folder."""
        parts = path.split("/")
        if "\0" in path or "\\" in path or any(part in {"", ".", ".."} for part in parts):
            raise ValueError(f"{path!r} is not the name of an object")
        return self._root.joinpath(*parts)

    async def delete(self, path: str, *, missing_ok: bool = False) -> None:
        """Delete an object; FileNotFoundError when there is none, unless ``missing_ok``."""
        try:
            await aiofiles.os.remove(self.local_path(path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    async def list(self, prefix: str) -> Sequence[str]:
        """The names that begin with ``prefix``, a folder ending in ``/``; ascending."""
        folder = self.local_path(prefix.removesuffix("/"))
        return await asyncio.to_thread(_names_under, folder, self._root)


def _names_under(folder: Path, root: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(root).as_posix() for path in files)


def _write(target: Path, parts: Iterable[bytes | memoryview]) -> None:
    _make_folders(target.parent)
    temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _make_folders(folder: Path) -> None:
    """Create a folder and those above it, so that they survive a power loss."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_or_make_identity(root: Path) -> str:
    """The store's name for ever. Two processes that make one at the same time agree."""
    path = root / _IDENTITY
    if not path.exists():
        mine = root / f"{_IDENTITY}.{uuid.uuid4().hex}.tmp"
        mine.write_text(uuid.uuid4().hex + "\n", encoding="ascii")
        with mine.open("rb") as file:
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(mine, path)
        mine.unlink()
        _sync_folder(root)
    return path.read_text(encoding="ascii").strip()
