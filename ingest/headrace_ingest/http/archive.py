"""A folder as one tar archive, made while it is sent: nothing of it is stored, or in memory whole."""

import asyncio
import tarfile
from collections.abc import AsyncIterator, Sequence
from typing import Final

from headrace_ingest.http.transfer import chunks
from headrace_storage.errors import NotFoundError
from headrace_storage.objects import Listed, Place, Reading

SHA256: Final = "HEADRACE.sha256"
"""The pax record of each file with its checksum."""

_GATHER: Final = 256 << 10
"""Bytes that go to the network together: files may be small and many."""


async def archive(place: Place, files: Sequence[Listed]) -> AsyncIterator[bytes]:
    """The archive of ``files``, under their paths below ``place``. One that is gone meanwhile is left out."""
    gathered = bytearray()
    for file in files:
        try:
            reading = await place.store.open(file.path)
        except NotFoundError:
            continue
        with reading:
            gathered += _head(place.below(file.path), reading)
            async for data in chunks(reading, 0, reading.size):
                gathered += data
                if len(gathered) >= _GATHER:
                    yield bytes(gathered)
                    gathered.clear()
            gathered += bytes(-reading.size % tarfile.BLOCKSIZE)
        await asyncio.sleep(0)  # others too
    gathered += bytes(2 * tarfile.BLOCKSIZE)
    yield bytes(gathered)


def _head(path: str, reading: Reading) -> bytes:
    info = tarfile.TarInfo(path)
    info.size = reading.size
    info.mtime = reading.modified
    info.mode = 0o644
    info.pax_headers = {SHA256: reading.sha256}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
