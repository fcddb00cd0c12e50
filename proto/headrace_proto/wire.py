"""The bytes of a journal: cells and definitions, as they lie on disk and travel in ``Append``.

**Cells** are 32 bytes, little-endian; a cell's index in the journal is its sequence number.

====== ======================================================================================
kind   layout
====== ======================================================================================
METRIC kind u8, flags u8, reserved u16, series u32, step i64, timestamp i64 (ms), value f64
BLOB   kind u8, flags u8, cells u16, run u32, length u32, crc32 u32, timestamp i64 (ms), reserved
       i64; then ``length`` bytes (a serialised ``RunChange``), zero-padded to whole cells;
       ``cells`` counts them all, the head included
PAD    kind u8, rest zero: skipped, only to fill a file whose remainder a blob does not fit
LATE   as METRIC: a point that its writer refused, because its step is below the last of its series
       and the run's steps must not go back; stored nowhere, reported as a reject
====== ======================================================================================

Kind 0 is a cell that was never written. Flag TIMESTAMP_GIVEN marks a timestamp that the user passed:
it is data only and takes no part in the order between writers.

**Definitions** name the numbers in cells. A frame is ``length u32, crc32 u32`` and ``length`` bytes:

====== ======================================================================
RUN    1 u8, 3 zero bytes, run u32, run id 16 bytes, then the attempt, UTF-8
SERIES 2 u8, 3 zero bytes, series u32, run u32, then the key, UTF-8
====== ======================================================================

Runs and series are numbered from 0 without gaps, each in its own row of numbers. The newest number may be
defined again before a cell uses it (a writer that was interrupted does so); the last definition counts.
The crc is zlib's.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

FORMAT: Final = 1
"""The version of everything on this page; ``Open.format``."""

CELL_SIZE: Final = 32

UNWRITTEN: Final = 0
METRIC: Final = 1
BLOB: Final = 2
PAD: Final = 3
LATE: Final = 4

TIMESTAMP_GIVEN: Final = 1
GIVEN_HEAD: Final = TIMESTAMP_GIVEN << 8

METRIC_CELL: Final = struct.Struct("<BBHIqqd")
METRIC_WORDS: Final = struct.Struct("<Qqqd")
"""The same as 8-byte words, the first of which :func:`metric_head` gives."""
BLOB_HEAD: Final = struct.Struct("<BBHIIIqq")

MAX_BLOB_CELLS: Final = 0xFFFF
MAX_BLOB_BYTES: Final = (MAX_BLOB_CELLS - 1) * CELL_SIZE

FRAME_HEAD: Final = struct.Struct("<II")
RUN_FRAME: Final = struct.Struct("<B3xI16s")
SERIES_FRAME: Final = struct.Struct("<B3xII")
RUN: Final = 1
SERIES: Final = 2
MAX_DEFINITION: Final = 4096
"""Bytes of one definition's payload."""


class MalformedError(ValueError):
    """Bytes that break the format on this page."""


class RunDefinition(NamedTuple):
    """Run ``run`` of a journal is this one, in this attempt."""

    run: int
    run_id: str
    attempt: str


class SeriesDefinition(NamedTuple):
    """Series ``series`` of a journal is this key of run ``run``."""

    series: int
    run: int
    key: str


def metric_head(series: int) -> int:
    """The first word of a metric cell without flags. With TIMESTAMP_GIVEN: plus ``GIVEN_HEAD``."""
    return METRIC | series << 32


def blob_cells(length: int) -> int:
    """Cells that a blob record with ``length`` bytes of payload takes, its head included."""
    return 1 + (length + CELL_SIZE - 1) // CELL_SIZE


def blob_record(run: int, payload: bytes, timestamp: int) -> bytes:
    """A whole blob record: head, payload, padding."""
    cells = blob_cells(len(payload))
    if cells > MAX_BLOB_CELLS:
        raise ValueError(f"a record of {len(payload)} bytes, the bound is {MAX_BLOB_BYTES}")
    head = BLOB_HEAD.pack(BLOB, 0, cells, run, len(payload), crc32(payload), timestamp, 0)
    return (head + payload).ljust(cells * CELL_SIZE, b"\0")


def run_frame(definition: RunDefinition) -> bytes:
    """The definition of a run, framed."""
    body = RUN_FRAME.pack(RUN, definition.run, bytes.fromhex(definition.run_id))
    return _frame(body + definition.attempt.encode())


def series_frame(definition: SeriesDefinition) -> bytes:
    """The definition of a series, framed."""
    body = SERIES_FRAME.pack(SERIES, definition.series, definition.run)
    return _frame(body + definition.key.encode())


def _frame(body: bytes) -> bytes:
    return FRAME_HEAD.pack(len(body), crc32(body)) + body


def whole_frames(data: bytes | memoryview) -> int:
    """The length of the longest prefix of ``data`` that is made of whole, intact frames.

    Zeros are none: pages that never reached the disk, whose length and checksum fit each other.
    """
    at, size = 0, len(data)
    while at + FRAME_HEAD.size <= size:
        length, checksum = FRAME_HEAD.unpack_from(data, at)
        end = at + FRAME_HEAD.size + length
        if not 0 < length <= MAX_DEFINITION or end > size:
            break
        if crc32(data[at + FRAME_HEAD.size : end]) != checksum:
            break
        at = end
    return at


def is_damaged(data: bytes | memoryview) -> bool:
    """Whether what follows whole frames is neither cut (its rest may come) nor zeros, but wrong."""
    if len(data) < FRAME_HEAD.size or not any(data):
        return False
    length, _ = FRAME_HEAD.unpack_from(data)
    return not 0 < length <= MAX_DEFINITION or FRAME_HEAD.size + length <= len(data)


def parse_definitions(data: bytes) -> Iterator[RunDefinition | SeriesDefinition]:
    """The definitions in ``data``, which holds whole frames; :class:`MalformedError` when it does not."""
    at, size = 0, len(data)
    while at < size:
        if at + FRAME_HEAD.size > size:
            raise MalformedError("a definition frame is cut in its head")
        length, checksum = FRAME_HEAD.unpack_from(data, at)
        at += FRAME_HEAD.size
        if length > MAX_DEFINITION:
            raise MalformedError(f"a definition of {length} bytes, the bound is {MAX_DEFINITION}")
        body = data[at : at + length]
        if len(body) != length or crc32(body) != checksum:
            raise MalformedError("a definition frame is cut or its checksum is wrong")
        at += length
        yield _definition(body)


def _definition(body: bytes) -> RunDefinition | SeriesDefinition:
    try:
        if body[0] == RUN:
            _, run, run_id = RUN_FRAME.unpack_from(body)
            return RunDefinition(run, run_id.hex(), body[RUN_FRAME.size :].decode())
        if body[0] == SERIES:
            _, series, run = SERIES_FRAME.unpack_from(body)
            return SeriesDefinition(series, run, body[SERIES_FRAME.size :].decode())
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise MalformedError("a definition that cannot be read") from error
    raise MalformedError(f"a definition of unknown type {body[0]}")
