"""Files on their way in: in chunks, checked against their checksum, going on where they were cut."""

import contextlib
import hashlib
import http.client
import os
import re
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from headrace.entities import FileInfo
from headrace.errors import HeadraceError, NotFoundError, UnavailableError
from headrace.files import names
from headrace.files.inside import Inside
from headrace.progress import Progress, silent
from headrace.shipping.backoff import Backoff
from headrace.shipping.http import CHUNK, Head, Http, StatusError, run_path

_SHA256: Final = re.compile(r"[0-9a-f]{64}")

SMALL: Final = 1 << 20
"""Files below this come together, larger ones each by itself."""

ATTEMPTS: Final = 6
"""Attempts in a row of which none brings anything."""


def listing(http: Http, run_id: str, path: str, *, deep: bool = False) -> list[FileInfo]:
    """What is in a folder of a run, or all files below it."""
    query = {"path": path, "deep": 1} if deep else {"path": path}
    found = http.json("GET", run_path(run_id, "artifacts", query=query))
    try:
        files = [_listed(file) for file in found["files"]]
    except (KeyError, TypeError, ValueError) as error:
        raise HeadraceError(f"the daemon's list of files is none: {error!r}", "DATA_LOSS") from error
    for file in files:
        names.checked(file.path, "the daemon's name of a file")
        if path and not file.path.startswith(f"{path}/"):
            raise HeadraceError(f"asked for {path!r}, the daemon names {file.path!r}", "DATA_LOSS")
    return files


def _listed(file: dict[str, Any]) -> FileInfo:
    size = None if file["file_size"] is None else max(0, int(file["file_size"]))
    return FileInfo(str(file["path"]), bool(file["is_dir"]), size)


class Download:
    """Downloads of one run into one folder."""

    def __init__(self, http: Http, run_id: str, into: Path, progress: Progress = silent) -> None:
        self._http = http
        self._run_id = run_id
        self._inside = Inside(into)
        self._progress = progress

    def get(self, path: str) -> Path:
        """Downloads the file or folder ``path`` ("": all); where it is. NotFoundError: there is none."""
        if path and self._is_file(path):
            self._file(path)
        else:
            self._folder(path)
        return self._inside.root / path if path else self._inside.root

    def _is_file(self, path: str) -> bool:
        try:
            self._http.call("HEAD", run_path(self._run_id, "artifacts", path))
        except StatusError as error:
            if error.status == 404:
                return False
            raise
        return True

    def _folder(self, path: str) -> None:
        files = listing(self._http, self._run_id, path, deep=True)
        if not files and path and not listing(self._http, self._run_id, path):
            raise NotFoundError(f"there is no artifact {path!r}")
        self._inside.make(path)
        total = sum(file.file_size or 0 for file in files)
        with self._progress(path or self._run_id, total) as advance:
            small = {file.path for file in files if (file.file_size or 0) < SMALL}
            if len(small) > 1:
                small -= self._together(path, small, advance)
            for file in files:
                if file.path in small or (file.file_size or 0) >= SMALL:
                    self._resuming(file.path, advance)

    def _together(self, path: str, wanted: set[str], advance: Callable[[int], None]) -> set[str]:
        """Downloads small files as one archive; those that came."""
        came: set[str] = set()
        last = ""

        def attempt() -> bool:
            nonlocal last
            target = run_path(
                self._run_id, "artifact-archive", query={"path": path, "after": last, "below": SMALL}
            )
            try:
                with self._http.open("GET", target, b"", 0, {}) as (_, answer):
                    for name, data in _members(answer):
                        if name in wanted:
                            self._inside.write(name, data)
                            came.add(name)
                            last = name
                            advance(len(data))
            except tarfile.TarError as error:
                raise UnavailableError(f"the archive broke off: {error}") from error
            return True

        _persistently(attempt, lambda: len(came))
        return came

    def _file(self, path: str) -> None:
        head, _ = self._http.call("HEAD", run_path(self._run_id, "artifacts", path))
        with self._progress(path, _described(head)[1]) as advance:
            self._resuming(path, advance)

    def _resuming(self, path: str, advance: Callable[[int], None]) -> None:
        sizes = [0]

        def attempt() -> bool:
            return self._part(path, advance, sizes)

        _persistently(attempt, lambda: sizes[0])

    def _part(self, path: str, advance: Callable[[int], None], sizes: list[int]) -> bool:
        """Gets what is missing of a file; false when what is there is of no use, and was thrown away."""
        target = run_path(self._run_id, "artifacts", path)
        head, _ = self._http.call("HEAD", target)
        sha256, size = _described(head)
        etag = f'"{sha256}"'
        with self._inside.folder(path) as (folder, name):
            draft = f".{name.encode()[:80].decode(errors='ignore')}.{sha256[:16]}.part"
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(draft, flags, 0o644, dir_fd=folder), "r+b") as file:
                checksum, inode = hashlib.sha256(), os.fstat(file.fileno()).st_ino
                while there := file.read(CHUNK):  # by an attempt before, maybe of another process
                    checksum.update(there)
                offset = file.tell()
                if offset > size:
                    file.truncate(0)
                    return False
                advance(max(0, offset - sizes[0]))
                sizes[0] = offset
                if offset < size:
                    wanted = {"Range": f"bytes={offset}-", "If-Range": etag}
                    with self._http.open("GET", target, b"", 0, wanted) as (answered, answer):
                        if answered.headers.get("etag") != etag:  # it was replaced meanwhile
                            _discard(folder, draft)
                            return False
                        if offset and answered.status != 206:
                            return False
                        while data := answer.read(min(CHUNK, size - sizes[0])):
                            file.write(data)
                            checksum.update(data)
                            sizes[0] += len(data)
                            advance(len(data))
                if sizes[0] < size:
                    raise UnavailableError(f"{path} broke off at byte {sizes[0]} of {size}")
            if checksum.hexdigest() != sha256:
                _discard(folder, draft)
                sizes[0] = 0
                raise _DamagedError(f"{path} is not what was stored: its checksum is wrong", "DATA_LOSS")
            try:
                self._inside.place(folder, draft, name)
            except FileNotFoundError:
                # Another process went on with the same draft, wrote the same, and was done first.
                return _inode(folder, name) == inode
        return True

    def archive(self, path: str, target: Path) -> Path:
        """Downloads a folder of the run as one tar archive."""
        if target.is_dir():
            target /= f"{self._run_id}.tar"
        # Of its own: another process may download the same.
        draft = target.with_name(f".{uuid.uuid4().hex}.part")
        wanted = run_path(self._run_id, "artifact-archive", query={"path": path})
        try:
            with (
                self._progress(target.name, 0) as advance,
                self._http.open("GET", wanted, b"", 0, {}) as (_, answer),
                draft.open("xb") as file,
            ):
                while data := answer.read(CHUNK):
                    file.write(data)
                    advance(len(data))
            return draft.rename(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _described(head: Head) -> tuple[str, int]:
    """The SHA-256 of a file, which becomes a part of a name, and its size."""
    sha256, size = head.headers.get("etag", "").strip('"'), head.headers.get("content-length", "")
    if not _SHA256.fullmatch(sha256) or not size.isdecimal():
        raise HeadraceError(f"the daemon describes a file as {sha256[:80]!r}, {size[:20]!r}", "DATA_LOSS")
    return sha256, int(size)


class _DamagedError(HeadraceError):
    """What was downloaded is not what was stored."""


def _persistently(attempt: Callable[[], bool], came: Callable[[], int]) -> None:
    """Tries until it works, as long as every few attempts something comes."""
    backoff, left, before = Backoff(0.1, 5.0), ATTEMPTS, 0
    while True:
        left -= 1
        try:
            if attempt():
                return
            raise UnavailableError("the file is replaced again and again")  # noqa: TRY301
        except (UnavailableError, _DamagedError, StatusError) as error:
            if isinstance(error, StatusError) and not error.passing:
                raise
            if came() > before:
                before, left = came(), ATTEMPTS
                backoff.reset()
            if not left:
                raise
        time.sleep(backoff.next())


def _discard(folder: int, draft: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft, dir_fd=folder)


def _inode(folder: int, name: str) -> int | None:
    with contextlib.suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino
    return None


def _members(answer: http.client.HTTPResponse) -> Any:
    """The files in an archive: names and bytes. What is no small file of a checked sum is left out."""
    with tarfile.open(fileobj=answer, mode="r|") as archive:
        for member in archive:
            if not member.isreg() or member.size >= SMALL:
                continue
            file = archive.extractfile(member)
            data = file.read() if file is not None else b""
            if hashlib.sha256(data).hexdigest() == member.pax_headers.get("HEADRACE.sha256"):
                yield member.name, data
    with contextlib.suppress(OSError, http.client.HTTPException):
        answer.read()  # the end, so that the connection can be used again


def into(dst_path: str | os.PathLike[str] | None) -> Path:
    """The folder to download into: ``dst_path``, else a new one."""
    return Path(tempfile.mkdtemp(prefix="headrace-")) if dst_path is None else Path(dst_path)
