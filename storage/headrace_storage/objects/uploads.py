"""Uploads on their way: files under an id, which grow at their end, and become artifacts when they are whole.

An upload may be cut anywhere and go on at the size that it has, at another daemon of the store too: the file
is the only state, and what is remembered of its checksum is computed anew where it does not fit. Functions
block.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from headrace_storage.errors import (
    ChecksumMismatchError,
    InvalidArgumentError,
    NotFoundError,
    UploadBusyError,
    UploadOffsetError,
)
from headrace_storage.objects import attributes
from headrace_storage.objects.tree import Tree, discard

UPLOADS: Final = ".uploads"
"""The folder of uploads, at the root of a store: on its file system, so that a rename is one step."""

_ID: Final = re.compile(r"[0-9a-f]{32}")
_CHUNK: Final = 1 << 20
_WRITE: Final = 128 << 10
"""Bytes of one write. Measured on ext4 (Linux 6.18): with more, writing into a new file took up to four times
as long, since the kernel then looks for large pieces of memory.
"""
_SYNC_BYTES: Final = 64 << 20
_REMEMBERED: Final = 1000
_SYNCS: Final = 8
_AT_ONCE: Final = 64
"""Small files that are open at a time for one pack: a process may often open no more than 1024."""

_hashing = ThreadPoolExecutor(thread_name_prefix="hashing")


def _hash(checksum: Any, parts: Sequence[bytes]) -> None:
    for part in parts:
        checksum.update(part)


class Small(NamedTuple):
    """A file that is in memory whole; ``sha256`` "": nobody said."""

    path: str
    data: bytes
    sha256: str
    content_type: str


class Upload:
    """An upload that this process appends to. Nobody else does meanwhile."""

    def __init__(self, descriptor: int, size: int, checksum: Any) -> None:
        self._descriptor = descriptor
        self._checksum = checksum
        self._synced = size
        self.size = size
        """Bytes that are there."""

    def write(self, parts: Sequence[bytes]) -> None:
        """Appends ``parts``, one after the other; they are hashed while they are written."""
        hashing = _hashing.submit(_hash, self._checksum, parts)
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(self._descriptor, rest[:_WRITE]) :]
                self.size += len(part)
        except BaseException:
            self.size = -1  # less may be there than was hashed: it will be hashed anew
            raise
        finally:
            hashing.result()

    def sync(self) -> None:
        """Has the disk take what it does not have, if that is much: the end then waits for little."""
        if self.size - self._synced >= _SYNC_BYTES:
            self._synced = self.size
            os.fdatasync(self._descriptor)

    def finish(self, sha256: str, content_type: str) -> None:
        """Checks that it is what was meant ("": nobody said), and has all of it on the disk.

        ChecksumMismatchError: something went wrong on the way.
        """
        found = self._checksum.hexdigest()
        if sha256 not in {found, ""}:
            raise ChecksumMismatchError(sha256, found)
        attributes.write(self._descriptor, found, content_type)
        os.fsync(self._descriptor)


class Uploads:
    """The uploads of a store."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._checksums: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        with tree.folder(UPLOADS, make=True):
            pass

    def size(self, id_: str) -> int:
        """How many bytes of an upload are there; 0 of one that nobody began."""
        with self._tree.folder(UPLOADS) as folder, contextlib.suppress(FileNotFoundError):
            return os.stat(_checked(id_), dir_fd=folder, follow_symlinks=False).st_size
        return 0

    @contextmanager
    def append(self, id_: str, offset: int) -> Iterator[Upload]:
        """The upload, to be appended to at ``offset``; 0 begins one.

        Raises:
            UploadOffsetError: it has another size.
            UploadBusyError: somebody appends to it now.
        """
        with self._opened(id_, os.O_CREAT) as descriptor:
            upload = self._upload(id_, descriptor)
            if upload.size != offset:
                raise UploadOffsetError(offset, upload.size)
            try:
                yield upload
            finally:
                self._remember(id_, upload)

    def finish(self, id_: str, path: str, sha256: str, size: int, content_type: str) -> None:
        """Makes a whole upload the file ``path``, over what was there, in one step.

        Raises:
            UploadOffsetError: it is not whole, or somebody finished it before.
            ChecksumMismatchError: it is not what was meant; it is gone.
        """
        try:
            with self._opened(id_) as descriptor:
                upload = self._upload(id_, descriptor)
                if upload.size != size:
                    raise UploadOffsetError(size, upload.size)
                try:
                    upload.finish(sha256, content_type)
                    with self._tree.folder(UPLOADS) as folder:
                        self._tree.place(folder, id_, path)
                except (ChecksumMismatchError, InvalidArgumentError):
                    self.discard(id_)
                    raise
        except FileNotFoundError as error:
            raise UploadOffsetError(size, 0) from error
        self._checksums.pop(id_, None)

    def put(self, files: Sequence[Small]) -> None:
        """Stores small files whole. The disk is waited for once for all, not once for each.

        ChecksumMismatchError: one is not what was meant; none is stored.
        """
        checksums = [hashlib.sha256(file.data).hexdigest() for file in files]
        for file, found in zip(files, checksums, strict=True):
            if file.sha256 not in {found, ""}:
                raise ChecksumMismatchError(file.sha256, found)
        told = list(zip(files, checksums, strict=True))
        with self._tree.folder(UPLOADS) as folder, contextlib.ExitStack() as drafts:
            written: list[str] = []
            for start in range(0, len(told), _AT_ONCE):
                written += _drafts(folder, told[start : start + _AT_ONCE], drafts)
            for file, name in zip(files, written, strict=True):
                self._tree.place(folder, name, file.path, sync=False)
        for above in sorted({file.path.rpartition("/")[0] for file in files}):
            with contextlib.suppress(NotFoundError):  # removed since, with what was placed there
                self._tree.sync(above)

    def discard(self, id_: str) -> None:
        """Forgets an upload; one that is not there is no error."""
        self._checksums.pop(id_, None)
        with self._tree.folder(UPLOADS) as folder:
            discard(folder, _checked(id_))

    def sweep(self, seconds: float) -> int:
        """Deletes uploads that nobody appended to for so long, and what crashes left; how many."""
        swept = 0
        with self._tree.folder(UPLOADS) as folder:
            for name in os.listdir(folder):  # noqa: PTH208 -- of a descriptor
                with contextlib.suppress(OSError):
                    if time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime >= seconds:
                        discard(folder, name)
                        swept += 1
        return swept

    @contextmanager
    def _opened(self, id_: str, flags: int = 0) -> Iterator[int]:
        with self._tree.folder(UPLOADS) as folder:
            flags |= os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(_checked(id_), flags, 0o644, dir_fd=folder)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UploadBusyError(id_) from error
            if not os.fstat(descriptor).st_nlink:
                raise FileNotFoundError(id_)
            yield descriptor
        finally:
            os.close(descriptor)

    def _upload(self, id_: str, descriptor: int) -> Upload:
        size = os.fstat(descriptor).st_size
        at, checksum = self._checksums.pop(id_, (-1, None))
        if at != size:
            at, checksum = 0, hashlib.sha256()
            while at < size and (part := os.pread(descriptor, min(_CHUNK, size - at), at)):
                checksum.update(part)
                at += len(part)
        return Upload(descriptor, size, checksum)

    def _remember(self, id_: str, upload: Upload) -> None:
        self._checksums[id_] = upload.size, upload._checksum  # noqa: SLF001 - its own module
        while len(self._checksums) > _REMEMBERED:
            self._checksums.popitem(last=False)


def _drafts(folder: int, files: Sequence[tuple[Small, str]], undo: contextlib.ExitStack) -> list[str]:
    """Writes small files, each with its checksum, and has the disk take them; their names in ``folder``."""
    names, descriptors = [], []
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.ExitStack() as opened:
        for file, checksum in files:
            names.append(uuid.uuid4().hex)
            descriptors.append(os.open(names[-1], flags, 0o644, dir_fd=folder))
            opened.callback(os.close, descriptors[-1])
            undo.callback(discard, folder, names[-1])
            rest = memoryview(file.data)
            while rest:
                rest = rest[os.write(descriptors[-1], rest) :]
            attributes.write(descriptors[-1], checksum, file.content_type)
        _sync(descriptors)
    return names


def _sync(descriptors: Sequence[int]) -> None:
    """Has the disk take all of them at the same time: journals of file systems then commit once for many.

    Measured on ext4: 0.1 to 0.3 ms a file instead of 1.3 to 2.9.
    """
    if len(descriptors) == 1:
        os.fsync(descriptors[0])
        return
    with ThreadPoolExecutor(_SYNCS) as threads:
        for _ in threads.map(os.fsync, descriptors):
            pass


def _checked(id_: str) -> str:
    if not _ID.fullmatch(id_):
        raise InvalidArgumentError("upload", "is not 32 lower-case hexadecimal digits")
    return id_
