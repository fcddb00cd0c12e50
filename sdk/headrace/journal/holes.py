"""What a crash of the machine left of a file of cells. Pure.

Pages that never reached the disk read as zeros: cells of kind 0. What lies before such a hole is whole, up to
the hole records follow one another. Behind it the next record may begin anywhere, for the hole may have
swallowed the head of a blob record: from there to the end of the file only what proves itself counts, by a
strictly checked head (points, padding) or by its checksum (blobs). Each file begins with a record.
"""

from zlib import crc32

from headrace_proto.limits import MAX_TIMESTAMP
from headrace_proto.wire import (
    BLOB,
    BLOB_HEAD,
    CELL_SIZE,
    LATE,
    METRIC,
    METRIC_CELL,
    PAD,
    TIMESTAMP_GIVEN,
    UNWRITTEN,
    blob_cells,
)

_PADDING = bytes([PAD]) + bytes(CELL_SIZE - 1)


def holes(cells: bytes, series: int) -> list[tuple[int, int]]:
    """The ranges ``[first, end)`` of ``cells`` that are lost; ``series`` is the number of defined series."""
    count = len(cells) // CELL_SIZE
    if cells[::CELL_SIZE].count(METRIC) == count:
        return []
    found: list[tuple[int, int]] = []
    at, lost_from = 0, -1
    while at < count:
        size = _proven(cells, at, series) if found or lost_from >= 0 else _plain(cells, at)
        if not 0 < size <= count - at:
            lost_from = at if lost_from < 0 else lost_from
            at += 1
            continue
        if lost_from >= 0:
            found.append((lost_from, at))
            lost_from = -1
        at += size
    if lost_from >= 0:
        found.append((lost_from, count))
    return found


def _plain(cells: bytes, at: int) -> int:
    """The cells of the record at ``at``, which begins there; 0 when it is lost."""
    kind, _, size = METRIC_CELL.unpack_from(cells, at * CELL_SIZE)[:3]
    return 0 if kind == UNWRITTEN else int(size) if kind == BLOB else 1


def _proven(cells: bytes, at: int, series: int) -> int:
    """The cells of the record at ``at``, if one certainly begins there; else 0."""
    begin = at * CELL_SIZE
    if cells[begin] in (METRIC, LATE):
        _, flags, reserved, number, _, timestamp, _ = METRIC_CELL.unpack_from(cells, begin)
        known = flags in (0, TIMESTAMP_GIVEN) and reserved == 0 and number < series
        return 1 if known and 0 <= timestamp <= MAX_TIMESTAMP else 0
    if cells[begin] == BLOB:
        _, _, size, _, length, checksum, _, _ = BLOB_HEAD.unpack_from(cells, begin)
        payload = cells[begin + CELL_SIZE : begin + CELL_SIZE + length]
        return int(size) if size == blob_cells(length) and crc32(payload) == checksum else 0
    return 1 if cells[begin : begin + CELL_SIZE] == _PADDING else 0
