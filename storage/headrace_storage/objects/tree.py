"""A folder that nothing leaves: each step down is taken from a descriptor, and never through a symbolic link.

Paths are relative, their names checked by whoever takes them from users; here a name that is no name is an
error of the program. Functions block; they run in threads.
"""

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from headrace_storage.errors import InvalidArgumentError, NotFoundError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TRIES: Final = 100
"""How often a file is placed at most, while others remove its folders."""

_IN_THE_WAY: Final = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST)


class Listed(NamedTuple):
    """A file or folder below another one; ``size`` in bytes, 0 of a folder."""

    path: str
    is_folder: bool
    size: int


class Tree:
    """Files and folders below ``root``, which is made if need be. What is changed survives a power loss."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root.resolve()

    @contextmanager
    def folder(self, path: str, *, make: bool = False) -> Iterator[int]:
        """A descriptor of the folder ``path`` ("": the root).

        Raises:
            NotFoundError: there is none, or a symbolic link is there.
            InvalidArgumentError: ``make``, and a file or link is in the way.
            FileNotFoundError: ``make``, and somebody removes folders on the way.
        """
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names_of(path):
                inner = _step(descriptor, name, path, make=make)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def open(self, path: str) -> int:
        """A descriptor to read the file ``path``; NotFoundError when there is no regular file."""
        above, _, name = path.rpartition("/")
        with self.folder(above) as folder:
            try:
                # A pipe that somebody put there must not block.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(_name(name), flags, dir_fd=folder)
            except OSError as error:
                raise _missing(path, error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotFoundError("artifact", path)
        return descriptor

    def place(self, folder: int, name: str, path: str, *, sync: bool = True) -> None:
        """Moves the file ``name`` in ``folder`` to ``path``, over what was there, in one step.

        Without ``sync`` only :meth:`sync` of the folder makes it survive a power loss.
        InvalidArgumentError: a folder, or a file instead of a folder, is in the way.
        """
        for left in reversed(range(_TRIES)):
            try:
                self._place(folder, name, path, sync=sync)
            except FileNotFoundError:
                # A folder above was removed meanwhile, and is made again; unless it is the file that is gone.
                os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not left:
                    raise
            else:
                return

    def _place(self, folder: int, name: str, path: str, *, sync: bool) -> None:
        above, _, last = path.rpartition("/")
        with self.folder(above, make=True) as target:
            try:
                os.rename(name, _name(last), src_dir_fd=folder, dst_dir_fd=target)
            except OSError as error:
                if error.errno in _IN_THE_WAY:
                    raise InvalidArgumentError("path", f"{path!r} is a folder already") from error
                raise
            if sync:
                os.fsync(target)

    def sync(self, path: str) -> None:
        """Has the disk know what was placed in a folder."""
        with self.folder(path) as folder:
            os.fsync(folder)

    def list(self, path: str) -> Sequence[Listed]:
        """What is directly in a folder, by name; of a file itself; nothing where nothing is."""
        try:
            with self.folder(path) as folder:
                return sorted(_entries(folder, path))
        except NotFoundError:
            return ()

    def walk(self, path: str) -> Iterator[Listed]:
        """All files below a folder, deep, in the order of their paths by name."""
        for entry in self.list(path):
            if entry.is_folder:
                yield from self.walk(entry.path)
            else:
                yield entry

    def remove(self, path: str, graves: str) -> bool:
        """Removes a file, or a folder with all in it, in one step; whether there was anything.

        It goes to the folder ``graves`` first.
        """
        above, _, name = path.rpartition("/")
        grave = f"{uuid.uuid4().hex}.removed"
        with self.folder(graves, make=True) as yard:
            try:
                with self.folder(above) as folder:
                    os.rename(_name(name), grave, src_dir_fd=folder, dst_dir_fd=yard)
                    os.fsync(folder)
            except (FileNotFoundError, NotFoundError):
                return False
            discard(yard, grave)
        return True


def names_of(path: str) -> list[str]:
    """The names of a path; none of the empty one."""
    return [_name(name) for name in path.split("/")] if path else []


def discard(folder: int, name: str) -> None:
    """Deletes a file or a folder with all in it, and never what a link points to."""
    try:
        os.unlink(name, dir_fd=folder)
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=folder, ignore_errors=True)
    except FileNotFoundError:
        pass


def _name(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise InvalidArgumentError("path", f"holds {name!r}, which is no name")
    return name


def _step(descriptor: int, name: str, path: str, *, make: bool) -> int:
    if make:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=descriptor)
            os.fsync(descriptor)
    try:
        return os.open(name, _FOLDER, dir_fd=descriptor)
    except OSError as error:
        if make and error.errno in _IN_THE_WAY:
            raise InvalidArgumentError("path", f"{path!r} needs a folder where {name!r} is none") from error
        if make:
            raise
        raise _missing(path, error) from error


def _missing(path: str, error: OSError) -> Exception:
    gone = error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)
    return NotFoundError("artifact", path) if gone else error


def _entries(folder: int, path: str) -> Iterator[Listed]:
    prefix = f"{path}/" if path else ""
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    yield Listed(prefix + entry.name, is_folder=True, size=0)
                elif entry.is_file(follow_symlinks=False):
                    yield Listed(
                        prefix + entry.name, is_folder=False, size=entry.stat(follow_symlinks=False).st_size
                    )
