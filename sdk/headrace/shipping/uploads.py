"""Uploads of entries of spools: a pack as one body, a file in parts that go on where they were cut."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from headrace.errors import UnavailableError
from headrace.shipping.http import CHUNK, FOREIGN, Http, StatusError, run_path
from headrace.spool.entry import Entry

PART: Final = 256 << 20
"""Bytes of one request: a daemon that ends waits for none of them for long."""

_SPOILED_AT_MOST: Final = 3


class Refused(Exception):  # noqa: N818 - an answer
    """The daemon will never take it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Uploader:
    """Uploads one entry at a time; what it learned of one that was cut, it knows at the next attempt."""

    def __init__(self, http: Http, on_sent: Callable[[int], None] = lambda _: None) -> None:
        """``on_sent``: told how many bytes of the entry are on their way."""
        self._http = http
        self._on_sent = on_sent
        self._reading: _Hashed | None = None
        self._spoiled = 0

    def upload_packs(self, run_id: str, packs: Sequence[Path]) -> None:
        """Uploads packs of one run together: the bytes of several, one after the other, are a pack.

        Raises as :meth:`upload`; refused, none is stored, and one of them alone may be to blame.
        """
        body = b"".join(path.read_bytes() for path in packs)
        with _told():
            self._http.call("POST", run_path(run_id, "artifact-pack"), body)

    def upload(self, entry: Entry, data: Path) -> None:
        """Returns when it is stored.

        Raises:
            Refused: it never will be.
            UnavailableError: not now; try again.
        """
        if entry.kind == "pack":
            self.upload_packs(entry.run_id, [data])
            return
        with _told():
            self._upload_file(entry, data)
        self._forget()

    def _upload_file(self, entry: Entry, data: Path) -> None:
        target = run_path(entry.run_id, "uploads", entry.upload_id)
        reading = self._open(entry, data)
        offset = self._offset(target)
        while offset < entry.size:
            count = min(PART, entry.size - offset)
            reading.seek(offset)
            try:
                with self._http.open(
                    "PATCH", target, _Watched(reading, self._on_sent), count, {"Upload-Offset": str(offset)}
                ) as (head, answer):
                    answer.read()
                    offset = int(head.headers["upload-offset"])
            except StatusError as error:
                if error.status != 409:
                    raise
                offset = int(error.headers["upload-offset"])
        told = {"path": entry.path, "size": entry.size, "sha256": reading.sha256(), "type": entry.type}
        try:
            self._http.json("POST", target, told)
        except StatusError as error:
            if error.status == 422:
                self._on_spoiled(error)
            raise

    def _on_spoiled(self, error: StatusError) -> None:
        """It is gone there, and goes again from its beginning, but not for ever."""
        self._spoiled += 1
        if self._spoiled >= _SPOILED_AT_MOST:
            raise Refused(error.error_code, error.message) from error

    def _offset(self, target: str) -> int:
        head, _ = self._http.call("GET", target)
        return int(head.headers["upload-offset"])

    def _open(self, entry: Entry, data: Path) -> "_Hashed":
        if self._reading is None or self._reading.name != entry.upload_id:
            self._forget()
            self._reading = _Hashed(entry.upload_id, data.open("rb"))
        return self._reading

    def _forget(self) -> None:
        self._spoiled = 0
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def close(self) -> None:
        """Uploads no more."""
        self._forget()
        self._http.close()


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Errors as :meth:`Uploader.upload` raises them."""
    try:
        yield
    except StatusError as error:
        # What the daemon did not say itself, but a proxy before it, is no refusal.
        if error.passing or error.status in (409, 422) or error.code_is(FOREIGN):
            raise UnavailableError(error.message) from error
        raise Refused(error.error_code, error.message) from error


class _Hashed:
    """A file that is read from front to back and hashed on the way, also when a part is read once more."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self._file = file
        self._hashed = 0
        self._checksum: Any = hashlib.sha256()

    def seek(self, offset: int) -> None:
        """The next read begins there."""
        if offset > self._hashed:  # another process sent what is before it
            self._file.seek(self._hashed)
            while self._hashed < offset and self.read(min(CHUNK, offset - self._hashed)):
                pass
        self._file.seek(offset)

    def read(self, count: int) -> bytes:
        """Up to so many bytes."""
        at = self._file.tell()
        data = self._file.read(count)
        if at <= self._hashed < at + len(data):
            self._checksum.update(data[self._hashed - at :] if at < self._hashed else data)
            self._hashed = at + len(data)
        return data

    def tell(self) -> int:
        """Where it is."""
        return self._file.tell()

    def sha256(self) -> str:
        """Of the whole file, as hex digits."""
        self._file.seek(self._hashed)
        while self.read(CHUNK):
            pass
        return str(self._checksum.hexdigest())

    def close(self) -> None:
        """Reads no more."""
        self._file.close()


class _Watched:
    """A body whose progress somebody looks at."""

    def __init__(self, reading: _Hashed, on_sent: Callable[[int], None]) -> None:
        self._reading = reading
        self._on_sent = on_sent

    def read(self, count: int) -> bytes:
        data = self._reading.read(count)
        self._on_sent(self._reading.tell())
        return data
