"""From cells to columns: what a group of writers logged, as the engine takes it. Pure, and columnar.

A record that cannot be taken becomes a reject of its own; the rest goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from uuid import UUID
from zlib import crc32

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from headrace_ingest.changes import run_change
from headrace_ingest.columnar import CELL, Columns
from headrace_ingest.dictionary import Dictionary, SeriesNames
from headrace_ingest.session import Batch, GapBatch
from headrace_proto.limits import MAX_TIMESTAMP
from headrace_proto.v1.tracking_pb2 import RunChange
from headrace_proto.wire import BLOB_HEAD, CELL_SIZE, LATE, METRIC, PAD, TIMESTAMP_GIVEN, UNWRITTEN
from headrace_storage.errors import InvalidArgumentError
from headrace_storage.model import Change, Gap, Reject, Rows, Series
from headrace_storage.segments.columns import join_tables, starts_of_groups

_NO_TIME: Final = np.iinfo(np.int64).min

_STRETCH: Final = 16
"""Cells of a series in succession, on average, from which on stretches are named instead of cells."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive whole records ``[first, end)`` of one writer.

    ``order_time`` is the running maximum of the writer's clock before them.
    """

    writer: UUID
    dictionary: Dictionary
    order_time: int
    batches: Sequence[Batch]

    @property
    def first(self) -> int:
        """The first sequence."""
        return self.batches[0].first

    @property
    def end(self) -> int:
        """The sequence after the last."""
        return self.batches[-1].end

    @property
    def count(self) -> int:
        """How many cells there are; a gap has none."""
        return sum(batch.count for batch in self.batches)


class Decoded(NamedTuple):
    """What the records of some parts say. ``order_times`` has the running maximum at the end of each part."""

    rows: Rows
    changes: Sequence[Change]
    rejects: Sequence[Reject]
    order_times: Sequence[int]
    gaps: Sequence[Gap] = ()


def decode(parts: Sequence[Part]) -> Decoded:
    """The records of ``parts``, in their order; each part is of another writer."""
    columns = _Columns(sum(part.count for part in parts))
    changes: list[Change] = []
    rejects: list[Reject] = []
    order_times: list[int] = []
    gaps: list[Gap] = []
    for number, part in enumerate(parts):
        begin, order_time = columns.length, part.order_time
        for batch in part.batches:
            if isinstance(batch, GapBatch):
                gaps.append(_gap(part, batch))
                continue
            data = batch.cells
            if isinstance(data, Columns):
                if _is_good(part.dictionary, data):
                    order_time = columns.append_columns(data, batch.first, number, order_time)
                    continue
                data = data.cells()
            cells = np.frombuffer(data, CELL)
            good = _good(part, batch, cells, rejects)
            order_time = columns.append(cells, good, batch.first, number, order_time)
            changes += _changes(part, batch, data, rejects)
        columns.name_series(begin, part.dictionary.series)
        order_times.append(order_time)
    rejects.sort(key=lambda reject: (reject.writer, reject.first))
    return Decoded(columns.rows([part.writer for part in parts]), changes, rejects, order_times, gaps)


def _heads(cells: NDArray[np.void]) -> NDArray[np.void]:
    """The cells; or the first, if its head (kind, flags, series) is that of all: what one array left."""
    heads = cells["head"]
    return cells[:1] if len(cells) and (heads == heads[0]).all() else cells


def _gap(part: Part, batch: GapBatch) -> Gap:
    runs = {run.run_id for run in part.dictionary.runs}
    return Gap(part.writer, batch.first, batch.end, batch.reason, sorted(runs))


class _Columns:
    """Columns with room for a number of rows, filled from the front."""

    def __init__(self, room: int) -> None:
        self.length = 0
        self._series = np.empty(room, np.uint32)
        self._step = np.empty(room, np.int64)
        self._timestamp = np.empty(room, np.int64)
        self._value = np.empty(room, np.float64)
        self._writer = np.empty(room, np.uint32)
        self._sequence = np.empty(room, np.int64)
        self._order_time = np.empty(room, np.int64)
        self._tables: list[tuple[slice, Sequence[Series]]] = []

    def append(
        self, cells: NDArray[np.void], good: Mask | None, first: int, writer: int, order_time: int
    ) -> int:
        """Adds the ``good`` cells (``None``: all) with the writer's series numbers; gives the order time."""
        if good is None:
            heads = _heads(cells)
            sequence = np.arange(first, first + len(cells))
        else:
            cells, sequence = cells[good], first + np.flatnonzero(good)
            heads = cells
        if len(cells) == 0:
            return order_time
        to = slice(self.length, self.length + len(cells))
        self._series[to] = heads["series"]
        self._step[to] = cells["step"]
        self._timestamp[to] = cells["timestamp"]
        self._value[to] = cells["value"]
        self._sequence[to] = sequence
        return self._finish(to, writer, heads["flags"], order_time)

    def append_columns(self, columns: Columns, first: int, writer: int, order_time: int) -> int:
        """Adds all cells, as :meth:`append` does."""
        to = slice(self.length, self.length + columns.count)
        self._series[to] = columns.spread(columns.heads["series"])
        columns.fill(columns.steps, self._step[to])
        columns.fill(columns.timestamps, self._timestamp[to])
        self._value[to] = columns.values
        self._sequence[to] = np.arange(first, first + columns.count)
        return self._finish(to, writer, columns.spread(columns.heads["flags"]), order_time)

    def _finish(self, to: slice, writer: int, flags: NDArray[np.uint8], order_time: int) -> int:
        """Fills in what follows from the rest."""
        self._writer[to] = writer
        timestamp = self._timestamp[to]
        given = flags & TIMESTAMP_GIVEN != 0
        clock = np.where(given, _NO_TIME, timestamp) if given.any() else timestamp
        reached = self._order_time[to]
        if (clock[1:] < clock[:-1]).any():
            clock = np.maximum.accumulate(clock, out=reached)
        np.maximum(clock, order_time, out=reached)
        self.length = to.stop
        return int(reached[-1])

    def name_series(self, begin: int, series: SeriesNames) -> None:
        """Turns the writer's numbers from row ``begin`` on into codes of a table of its own."""
        numbers = self._series[begin : self.length]
        if len(numbers) == 0:
            return
        used: NDArray[np.integer[Any]]
        span = int(numbers.max()) + 1
        starts = starts_of_groups(numbers)
        if len(starts) * _STRETCH <= len(numbers):
            used, positions = np.unique(numbers[starts], return_inverse=True)
            numbers[:] = np.repeat(positions, np.diff(starts, append=len(numbers)))
        elif span > 4 * len(numbers):
            used, positions = np.unique(numbers, return_inverse=True)
            numbers[:] = positions
        else:
            is_used = np.zeros(span, np.bool_)
            is_used[numbers] = True
            used = np.flatnonzero(is_used)
            code_of = np.empty(span, np.uint32)
            code_of[used] = np.arange(len(used))
            numbers[:] = code_of[numbers]
        self._tables.append((slice(begin, self.length), series.select(used)))

    def rows(self, writers: Sequence[UUID]) -> Rows:
        """All rows that were added."""
        end = self.length
        series, table = join_tables(
            [self._series[rows] for rows, _ in self._tables], [table for _, table in self._tables]
        )
        return Rows(
            series=series,
            step=self._step[:end],
            timestamp=self._timestamp[:end],
            value=self._value[:end],
            writer=self._writer[:end],
            sequence=self._sequence[:end],
            order_time=self._order_time[:end],
            series_table=table,
            writer_table=writers,
        )


def _is_good(dictionary: Dictionary, columns: Columns) -> bool:
    """Whether all cells are points to take."""
    earliest, latest = columns.timestamps.bounds(columns.rows)
    return (
        not dictionary.problems
        and int(columns.heads["series"].max()) < len(dictionary.series)
        and earliest >= 0
        and latest <= MAX_TIMESTAMP
    )


def _good(part: Part, batch: Batch, cells: NDArray[np.void], rejects: list[Reject]) -> Mask | None:
    """Which cells are points to take; ``None``: all. The bad ones are added to ``rejects``."""
    heads, series, timestamp = _heads(cells), cells["series"], cells["timestamp"]
    defined, problems = len(part.dictionary.series), part.dictionary.problems
    if (
        not problems
        and (heads["kind"] == METRIC).all()
        and heads["series"].max() < defined
        and timestamp.min() >= 0
        and timestamp.max() <= MAX_TIMESTAMP
    ):
        return None
    is_metric = cells["kind"] == METRIC
    undecided = ~_in_blobs(batch, cells)
    is_metric &= undecided
    is_defined = series < defined
    is_refused = np.zeros(len(cells), np.bool_)
    if problems:
        is_refused[is_defined] = _flags(part.dictionary.refused_series(defined), defined)[series[is_defined]]
    is_time = (timestamp >= 0) & (timestamp <= MAX_TIMESTAMP)
    good: Mask = is_metric & is_defined & ~is_refused & is_time
    is_bad = undecided & ~good & (cells["kind"] != PAD)
    for begin, end in _runs_alike(is_bad, is_metric | (cells["kind"] == LATE), cells):
        code, message, run_id = _refusal(part.dictionary, cells[begin:end])
        rejects.append(Reject(part.writer, batch.first + begin, batch.first + end, code, message, run_id))
    return good


def _in_blobs(batch: Batch, cells: NDArray[np.void]) -> Mask:
    """Which cells belong to blob records."""
    inside = np.zeros(len(cells) + 1, np.int8)
    heads = np.array(batch.blobs, np.int64)
    if len(heads):
        inside[heads] += 1
        inside[heads + cells["size"][heads]] -= 1
    deep: Mask = np.cumsum(inside[:-1], dtype=np.int8) > 0
    return deep


def _flags(numbers: NDArray[np.uint32], size: int) -> Mask:
    flags = np.zeros(size, np.bool_)
    flags[numbers] = True
    return flags


def _runs_alike(is_bad: Mask, is_point: Mask, cells: NDArray[np.void]) -> Iterator[tuple[int, int]]:
    """Ranges of neighbouring bad cells of one kind and, if they are points, of one series."""
    bad = np.flatnonzero(is_bad)
    if len(bad) == 0:
        return
    kind, series = cells["kind"][bad], np.where(is_point[bad], cells["series"][bad], 0)
    breaks = np.flatnonzero((np.diff(bad) != 1) | (np.diff(kind) != 0) | (series[1:] != series[:-1])) + 1
    for begin, end in zip([0, *breaks.tolist()], [*breaks.tolist(), len(bad)], strict=True):
        yield int(bad[begin]), int(bad[end - 1]) + 1


def _refusal(dictionary: Dictionary, cells: NDArray[np.void]) -> tuple[str, str, str | None]:
    """Why cells that are alike are refused: code, message, run id."""
    cell = cells[0]
    kind, number = int(cell["kind"]), int(cell["series"])
    if kind == UNWRITTEN:
        return "DATA_LOSS", "the record was lost when the host of its journal crashed", None
    if kind not in {METRIC, LATE}:
        return "BAD_REQUEST", f"a record of kind {kind}, which this daemon does not know; upgrade it", None
    if number >= len(dictionary.series):
        return "BAD_REQUEST", f"series {number} was not defined on this stream", None
    run_id = dictionary.series[number].run_id
    if problem := dictionary.problems.get(number):
        return "INVALID_PARAMETER_VALUE", problem, run_id
    key, timestamp = dictionary.series[number].key, int(cell["timestamp"])
    if kind == LATE:
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        message = f"metric {key[:50]!r} was at a higher step already (HEADRACE_STEP_POLICY=reject)"
        return "INVALID_PARAMETER_VALUE", f"step {cell['step']}{more}: {message}", run_id
    message = f"timestamp of metric {key[:50]!r} is {timestamp} ms, the bounds are 0 and {MAX_TIMESTAMP}"
    return "INVALID_PARAMETER_VALUE", message, run_id


def _changes(part: Part, batch: Batch, data: memoryview, rejects: list[Reject]) -> Iterator[Change]:
    """The changes of runs in the blob records; those that cannot be taken are added to ``rejects``."""
    for head in batch.blobs:
        _, _, cells, run, length, checksum, _, _ = BLOB_HEAD.unpack_from(data, head * CELL_SIZE)
        begin = (head + 1) * CELL_SIZE
        payload = bytes(data[begin : begin + length])
        sequence, end = batch.first + head, batch.first + head + cells
        runs = part.dictionary.runs
        run_id = runs[run].run_id if run < len(runs) else None
        if problem := part.dictionary.run_problem(run):
            rejects.append(Reject(part.writer, sequence, end, "BAD_REQUEST", problem, run_id))
        elif crc32(payload) != checksum:
            message = "the record's checksum is wrong: it was damaged in its journal or on the way"
            rejects.append(Reject(part.writer, sequence, end, "DATA_LOSS", message, run_id))
        else:
            try:
                change = run_change(RunChange.FromString(payload))
            except (InvalidArgumentError, DecodeError) as error:
                code = "INVALID_PARAMETER_VALUE" if isinstance(error, InvalidArgumentError) else "BAD_REQUEST"
                rejects.append(Reject(part.writer, sequence, end, code, str(error), run_id))
            else:
                yield Change(part.writer, sequence, end, runs[run].run_id, change)
