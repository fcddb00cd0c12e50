"""What an object store promises to the engine, and a store of files to users."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from headrace_storage.objects.files import Reading
from headrace_storage.objects.tree import Listed
from headrace_storage.objects.uploads import Small, Upload


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


class FileStore(Protocol):
    """Files under names that users chose, below one root. Paths are relative, their names checked before.

    Every method raises OSError when the store fails, NotFoundError for a file that is not there, and
    InvalidArgumentError for a path that leaves the store or has something in its way. Links are never
    followed.
    """

    async def put(self, files: Sequence[Small]) -> None:
        """Store small files durably: each is there whole or not at all.

        ChecksumMismatchError: one is not what was meant; none is stored.
        """
        ...

    async def uploaded(self, id_: str) -> int:
        """How many bytes of an upload, 32 hex digits that its client chose, are there."""
        ...

    def append(self, id_: str, offset: int) -> AbstractContextManager[Upload]:
        """An upload to append to at ``offset``, its size.

        UploadOffsetError tells another size; UploadBusyError: somebody else appends now.
        """
        ...

    async def finish(self, id_: str, path: str, sha256: str, size: int, content_type: str) -> None:
        """Make a whole upload the file ``path``, durably, over what was there, in one step.

        UploadOffsetError: it has another size. ChecksumMismatchError: it is not what was meant, and is gone.
        """
        ...

    async def discard(self, id_: str) -> None:
        """Forget an upload; one that is not there is no error."""
        ...

    async def open(self, path: str) -> Reading:
        """A file to read, as it is now, whatever becomes of its name."""
        ...

    async def list(self, path: str, *, deep: bool = False) -> Sequence[Listed]:
        """What is in a folder, by name, or, ``deep``, all files below it; nothing where nothing is."""
        ...

    async def delete(self, path: str) -> bool:
        """Delete a file, or a folder with all in it, in one step for readers; whether there was anything."""
        ...

    async def sweep(self, seconds: float) -> int:
        """Delete uploads that nobody went on with for so long; how many it were."""
        ...
