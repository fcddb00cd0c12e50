"""From points to a segment: a sorted Parquet object, or bytes for the catalog when it is small.

An object is written before the transaction that registers it; until then nobody reads it.
"""

import asyncio
import io
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace_storage.model import NewSegment, Rows
from headrace_storage.objects import ObjectStore
from headrace_storage.segments.columns import look_up, order_by_series, take, used
from headrace_storage.segments.inline import encode_inline, least_size
from headrace_storage.segments.names import Names, Texts, run_ids
from headrace_storage.segments.rollups import RollupBuilder
from headrace_storage.segments.schema import (
    COMMIT_OPTIONS,
    FORMAT,
    FORMAT_KEY,
    ROW_GROUP,
    SCHEMA,
    TIME,
    WRITER_OPTIONS,
)
from headrace_storage.segments.summary import SUMMARY, SummaryColumns, encode_summaries, merge, summarise

INLINE_LIMIT: Final = 192 << 10
"""Bytes up to which a segment is stored in the catalog: a step that logs a thousand metrics, names included.
As a Parquet object it takes ten times as long: 4 ms to encode and 5 to store, against 0.5 and 1."""

_SUMMARY_LIMIT: Final = 1 << 20
"""Bytes up to which a segment carries its summary; above, the fold reads the points."""


class SegmentWriter:
    """Writes segments of one daemon: object names begin with its incarnation."""

    def __init__(self, store: ObjectStore, incarnation: int, inline_limit: int = INLINE_LIMIT) -> None:
        self._store = store
        self._incarnation = incarnation
        self._inline_limit = inline_limit

    async def write(self, rows: Rows) -> NewSegment:
        """Encode the points (at least one) and, when they are too many for the catalog, store the object.

        Raises:
            OSError: the store failed.
        """
        if least_size(len(rows)) <= self._inline_limit:
            inline = encode_inline(rows)
            if len(inline) <= self._inline_limit:
                return NewSegment(len(rows), len(inline), crc32(inline), runs_of(rows), inline=inline)
        return await self.write_object(rows)

    async def write_object(self, rows: Rows) -> NewSegment:
        """Store the points, sorted, as an object, whatever their number. Raises as :meth:`write` does."""
        segment, data = await asyncio.to_thread(_encode, rows, self._new_path())
        await self._store.put(segment.path or "", data)
        return segment

    async def write_merged(self, points: Iterable[Rows]) -> NewSegment:
        """Store ``points`` that come sorted, a row group at a time, as an object without a summary.

        They are drawn in another thread, as they are written, and what that raises leaves. Raises as
        :meth:`write` does.
        """
        path, encoding = self._new_path(), _Encoding(points)
        await self._store.put_parts(path, encoding)
        return NewSegment(encoding.rows, encoding.size, encoding.checksum, sorted(encoding.runs), path=path)

    async def discard(self, segment: NewSegment) -> None:
        """Delete the object of a segment that is known never to be registered. Raises as :meth:`write`."""
        if segment.path is not None:
            await self._store.delete(segment.path, missing_ok=True)

    def _new_path(self) -> str:
        return f"{incarnation_prefix(self._incarnation)}{uuid.uuid4().hex}.parquet"


def incarnation_prefix(incarnation: int) -> str:
    """How the names of all objects of a daemon's incarnation begin."""
    return f"segments/{incarnation:08d}/"


def runs_of(rows: Rows) -> list[str]:
    """The ids of the runs that have points in ``rows``, ascending."""
    table, occurring = rows.series_table, used(rows.series, len(rows.series_table))
    if isinstance(table, Names):
        return sorted(run_ids(table.take(occurring)))
    return sorted({table[code].run_id for code in occurring.tolist()})


def encode_parquet(rows: Rows) -> bytes:
    """A Parquet file of points that :func:`sort_by_series` sorted, with their rollups."""
    return b"".join(_Encoding(take(rows, slice(start, start + ROW_GROUP)) for start in _starts(rows)))


def to_table(rows: Rows) -> pa.Table:
    """The points as an Arrow table of :data:`SCHEMA`; numbers are not copied."""
    places, names = _names_used(rows)
    runs, keys, attempts = (_dictionary(column, places, rows.series) for column in names.columns)
    writers = Texts.of([writer.hex for writer in rows.writer_table])
    columns = [
        runs,
        keys,
        pa.array(rows.step),
        pa.array(rows.timestamp).view(TIME),
        pa.array(rows.value),
        _dictionary(writers, None, rows.writer),
        pa.array(rows.sequence),
        pa.array(rows.order_time).view(TIME),
        attempts,
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


class _Encoding:
    """A Parquet file whose bytes come as its row groups do, and what there is to say about it at the end."""

    def __init__(self, groups: Iterable[Rows], options: dict[str, Any] = WRITER_OPTIONS) -> None:
        self._options = options
        self.rows = self.size = self.checksum = 0
        self.runs: set[str] = set()
        self._groups = groups

    def __iter__(self) -> Iterator[bytes]:
        sink, rollups = _Sink(), RollupBuilder()
        with pq.ParquetWriter(sink, SCHEMA, **self._options) as writer:
            writer.add_key_value_metadata({FORMAT_KEY: str(FORMAT)})
            for rows in self._groups:
                writer.write_table(to_table(rows))
                rollups.add(rows)
                self.rows += len(rows)
                self.runs.update(run_ids(rows.series_table))
                yield from self._counted(sink.drain())
            sink.write(rollups.finish())  # between the last row group and the footer
        yield from self._counted(sink.drain())

    def _counted(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        for part in parts:
            self.size += len(part)
            self.checksum = crc32(part, self.checksum)
            yield part


class _Sink(io.RawIOBase):
    """A file whose bytes are taken out while it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def drain(self) -> list[bytes]:
        """What was written since the last time."""
        parts, self._parts = self._parts, []
        return parts


def _encode(rows: Rows, path: str) -> tuple[NewSegment, bytes]:
    """Sort and encode, a row group at a time: only the order of all points is there beside them."""
    rows, order = order_by_series(rows)
    summaries: list[SummaryColumns] | None = []
    if len(rows.series_table) * SUMMARY.itemsize >= _SUMMARY_LIMIT:
        summaries = None

    def groups() -> Iterator[Rows]:
        for start in _starts(rows):
            place = slice(start, start + ROW_GROUP)
            group = take(rows, place if order is None else order[place])
            if summaries is not None:
                summaries.append(summarise(group))
            yield group

    encoding = _Encoding(groups(), COMMIT_OPTIONS)
    data = b"".join(encoding)
    summary = None if summaries is None else encode_summaries(merge(summaries))
    if summary is not None and len(summary) > _SUMMARY_LIMIT:
        summary = None
    segment = NewSegment(
        encoding.rows, encoding.size, encoding.checksum, sorted(encoding.runs), path=path, summary=summary
    )
    return segment, data


def _starts(rows: Rows) -> range:
    return range(0, len(rows), ROW_GROUP)


def _names_used(rows: Rows) -> tuple[NDArray[np.uint32] | None, Names]:
    """The names of the series that occur, and the place of each series among them (``None``: its code)."""
    occurring = used(rows.series, len(rows.series_table))
    if len(occurring) == len(rows.series_table):
        return None, Names.of(rows.series_table).narrowed()
    if isinstance(rows.series_table, Names):
        names = rows.series_table.take(occurring).narrowed()
    else:
        names = Names.of([rows.series_table[code] for code in occurring.tolist()])
    places = np.zeros(len(rows.series_table), np.uint32)
    places[occurring] = np.arange(len(occurring))
    return places, names


def _dictionary(
    names: Texts, places: NDArray[np.uint32] | None, codes: NDArray[np.uint32]
) -> pa.DictionaryArray:
    """A string column: the names at the ``places`` (``None``: all) of ``codes``."""
    if len(names.texts) == 1:
        column = np.zeros(len(codes), np.int32)
    else:
        column = look_up(names.codes if places is None else names.codes.take(places), codes)
    return pa.DictionaryArray.from_arrays(pa.array(column), names.texts, safe=False)
