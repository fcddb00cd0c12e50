"""The points of one series in logged order: order time, then writer, then sequence.

Parts of a series are mostly in order as they lie, each and one after the other: then nothing is copied.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from headrace_storage.model import Rows

_WORD: Final = 63
"""Bits of a number that orders points."""

_NAMES: Final = ["run_id", "key"]
_COLUMNS: Final = ["step", "timestamp", "value", "writer", "sequence", "order_time"]


class Logged(NamedTuple):
    """Points of one series as columns of one length; ``writer`` indexes into ``writers``."""

    step: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    value: NDArray[np.float64]
    writer: NDArray[np.uint32]
    sequence: NDArray[np.int64]
    order_time: NDArray[np.int64]
    writers: Sequence[UUID]


class Columns(NamedTuple):
    """Points as columns of one length. ``timestamp``: milliseconds since the Unix epoch, UTC."""

    step: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    value: NDArray[np.float64]


def logged_of(rows: Rows) -> Logged:
    """Points of one series that are in memory."""
    return Logged(
        rows.step, rows.timestamp, rows.value, rows.writer, rows.sequence, rows.order_time, rows.writer_table
    )


def logged_in(parquet: pq.ParquetFile, groups: Sequence[int], run_id: str, key: str) -> Iterator[Logged]:
    """Of some row groups of a file that is opened with its names as dictionaries; parts have points.

    Groups that hold nothing but the series are read without its names.
    """
    only = [group for group in groups if _holds_only(parquet.metadata.row_group(group), run_id, key)]
    mixed = [group for group in groups if group not in only]
    for chosen, names in ((only, []), (mixed, _NAMES)):
        if not chosen:
            continue
        for batch in parquet.read_row_groups(chosen, columns=names + _COLUMNS).to_batches():
            at = _where(batch, run_id, key) if names else slice(None)
            part = _part(batch, at)
            if len(part.step):
                yield part


def in_logged_order(parts: Sequence[Logged]) -> list[Columns]:
    """The points of all parts, as one or more that follow one another."""
    parts = [part for part in parts if len(part.step)]
    if not parts:
        return []
    keys = _order_keys(parts)
    if keys is None:
        whole = _joined(parts)
        return [_take(whole, np.lexsort((whole.sequence, whole.writer, whole.order_time)))]
    by_first = sorted(zip(keys, parts, strict=True), key=lambda pair: int(pair[0][0]))
    follow = all(before[-1] < after[0] for (before, _), (after, _) in pairwise(by_first))
    if follow and all((key[1:] > key[:-1]).all() for key in keys):
        return [Columns(part.step, part.timestamp, part.value) for _, part in by_first]
    return [_take(_joined(parts), np.argsort(np.concatenate(keys)))]


def _holds_only(group: Any, run_id: str, key: str) -> bool:
    """Whether statistics say that all rows of a row group are of the series."""
    columns = {column.path_in_schema: column.statistics for column in map(group.column, range(2))}
    return all(
        (statistics := columns[name]) is not None
        and statistics.has_min_max
        and statistics.min == text == statistics.max
        for name, text in (("run_id", run_id), ("key", key))
    )


def _where(batch: pa.RecordBatch, run_id: str, key: str) -> NDArray[np.bool_]:
    at = np.ones(len(batch), np.bool_)
    for name, text in zip(_NAMES, (run_id, key), strict=True):
        column = batch.column(name)
        at &= column.indices.to_numpy() == pc.index(column.dictionary, text).as_py()
    return at


def _part(batch: pa.RecordBatch, at: NDArray[np.bool_] | slice) -> Logged:
    def numbers(name: str) -> NDArray[Any]:
        column = batch.column(name)
        array: NDArray[Any] = (column if name == "value" else column.view(pa.int64())).to_numpy()
        return array[at]

    writer = batch.column("writer")
    return Logged(
        numbers("step"),
        numbers("timestamp"),
        numbers("value"),
        writer.indices.to_numpy().view(np.uint32)[at],
        numbers("sequence"),
        numbers("order_time"),
        [UUID(hex=text) for text in writer.dictionary.to_pylist()],
    )


def _order_keys(parts: Sequence[Logged]) -> list[NDArray[np.int64]] | None:
    """For each point a number, no two alike, by which they order; ``None`` where 63 bits are too few."""
    ranks = _ranks(parts)
    writer_bits = max(int(rank.max()) for rank in ranks).bit_length()
    if not writer_bits:
        return [part.sequence for part in parts]  # in whose order a writer's order time never falls
    times = [(int(part.order_time.min()), int(part.order_time.max())) for part in parts]
    sequences = [(int(part.sequence.min()), int(part.sequence.max())) for part in parts]
    first_time, first_sequence = min(times)[0], min(sequences)[0]
    time_bits = (max(last for _, last in times) - first_time).bit_length()
    sequence_bits = (max(last for _, last in sequences) - first_sequence).bit_length()
    if time_bits + writer_bits + sequence_bits > _WORD:
        return None
    keys = []
    for part, rank in zip(parts, ranks, strict=True):
        key = (part.order_time - first_time) << (writer_bits + sequence_bits)
        key += part.sequence - first_sequence
        key += rank.take(part.writer) << sequence_bits
        keys.append(key)
    return keys


def _ranks(parts: Sequence[Logged]) -> list[NDArray[np.int64]]:
    """For each part the places of its writers among all of them."""
    everyone = sorted({writer for part in parts for writer in part.writers}, key=lambda writer: writer.int)
    place = {writer: at for at, writer in enumerate(everyone)}
    return [np.array([place[writer] for writer in part.writers], np.int64) for part in parts]


def _joined(parts: Sequence[Logged]) -> Logged:
    """All parts as one, whose writers stand in their order."""
    writers = [rank.take(part.writer) for part, rank in zip(parts, _ranks(parts), strict=True)]
    return Logged(
        np.concatenate([part.step for part in parts]),
        np.concatenate([part.timestamp for part in parts]),
        np.concatenate([part.value for part in parts]),
        np.concatenate(writers).astype(np.uint32),
        np.concatenate([part.sequence for part in parts]),
        np.concatenate([part.order_time for part in parts]),
        (),
    )


def _take(part: Logged, order: NDArray[np.intp]) -> Columns:
    return Columns(part.step.take(order), part.timestamp.take(order), part.value.take(order))
