"""Histories as messages: columns of numbers in fewer bytes, which cost more on their way than to pack.

Steps and times mostly differ in their lowest two or three bytes (``tracking.proto``, ``HistoryChunk``).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.segments.logged import Columns

CHUNK: Final = 1 << 16
"""Points in one message: 1.5 MiB, packed about half of it."""

_ALL: Final = 0xFF
_MOST_PLACES: Final = 5
"""Bytes that vary up to which leaving the others out takes less time than sending them."""


def history_chunks(parts: Iterable[Columns], *, packed: bool) -> Iterator[bytes]:
    """The messages, serialised, of points that come in parts."""
    for part in parts:
        for at in range(0, len(part.step), CHUNK):
            end = at + CHUNK
            columns = Columns(part.step[at:end], part.timestamp[at:end], part.value[at:end])
            if packed:
                chunk = packed_chunk(columns)
            else:
                steps, timestamps, values = (column.tobytes() for column in columns)
                chunk = pb.HistoryChunk(steps=steps, timestamps=timestamps, values=values)
            yield chunk.SerializeToString()


def packed_chunk(columns: Columns) -> pb.HistoryChunk:
    """Points, one at least, as a packed chunk."""
    steps, timestamps, values = map(pack, columns)
    return pb.HistoryChunk(steps=steps, timestamps=timestamps, values=values, packed=len(columns.step))


def pack(column: NDArray[Any]) -> bytes:
    """A column of at least one 8-byte value, as ``HistoryChunk`` describes it."""
    column = np.ascontiguousarray(column)
    words = column.view(np.uint64)
    differences = int(np.bitwise_or.reduce(words ^ words[0]))
    places = [place for place in range(8) if differences >> 8 * place & 0xFF]
    first = words[:1].tobytes()
    if len(places) > _MOST_PLACES:
        return b"".join((first, bytes([_ALL]), column.tobytes()))
    octets = column.view(np.uint8).reshape(-1, 8)
    varying = bytes([sum(1 << place for place in places)])
    return b"".join((first, varying, *(octets[:, place].tobytes() for place in places)))
