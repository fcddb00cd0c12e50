"""Segments whose bytes the catalog stores, read many at a time: a run may have thousands of them."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from headrace_storage.errors import SegmentCorruptError, SegmentMissingError
from headrace_storage.model import Rows, SegmentRef
from headrace_storage.segments.columns import concat, select_series, take
from headrace_storage.segments.inline import decode_alike, decode_inline, shape_of


def read_small(refs: Sequence[SegmentRef]) -> Rows:
    """All points of inline segments, one after the other.

    Raises:
        SegmentMissingError: a reference comes without its bytes.
        SegmentCorruptError: bytes are not those that were written.
    """
    parts = _alike(refs)
    if len(parts) == 1:
        return parts[0][1]
    places = [np.repeat(places, len(rows) // len(places)) for places, rows in parts]
    order = np.argsort(np.concatenate([np.empty(0, np.intp), *places]), kind="stable")
    return take(concat([rows for _, rows in parts]), order)


def read_small_series(refs: Sequence[SegmentRef], run_id: str, key: str) -> Rows:
    """The points of one series, in no order. Raises as :func:`read_small` does."""
    selected = (select_series(rows, run_id, key) for _, rows in _alike(refs))
    return concat([rows for rows in selected if len(rows)])


def _alike(refs: Sequence[SegmentRef]) -> list[tuple[list[int], Rows]]:
    """The points of those that are of one shape, and which these are: few shapes, often one."""
    shapes: dict[bytes, list[int]] = {}
    for place, ref in enumerate(refs):
        if ref.inline is None:
            raise SegmentMissingError(_name(ref), ref.id)
        if crc32(ref.inline) != ref.checksum:
            raise SegmentCorruptError(_name(ref), "its checksum is wrong", ref.id)
        shapes.setdefault(shape_of(ref.inline), []).append(place)
    return [(places, _decoded([refs[place] for place in places])) for places in shapes.values()]


def _decoded(refs: Sequence[SegmentRef]) -> Rows:
    try:
        return decode_alike([ref.inline or b"" for ref in refs])
    except ValueError:
        for ref in refs:  # which one is it?
            try:
                decode_inline(ref.inline or b"")
            except ValueError as error:
                raise SegmentCorruptError(_name(ref), str(error), ref.id) from error
        raise


def _name(ref: SegmentRef) -> str:
    return f"{ref.id} (in the catalog)"
