"""Operations on :class:`Rows`: join, select, sort. NumPy over whole columns, never a loop over points."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from headrace_storage.model import Rows, Series
from headrace_storage.segments.names import MANY, Names, joined

Entry = TypeVar("Entry", bound=Hashable)
Number = TypeVar("Number", bound=np.generic)

_RADIX_BITS = 16
"""NumPy's stable sort is a radix sort up to this width, ten times as fast as on wider integers."""

_STRETCH = 16
"""Rows of a series that follow each other, on average, from which on stretches are sorted instead of rows."""


def empty() -> Rows:
    """No points."""
    codes, integers = np.empty(0, np.uint32), np.empty(0, np.int64)
    return Rows(codes, integers, integers, np.empty(0), codes, integers, integers, (), ())


def concat(parts: Sequence[Rows]) -> Rows:
    """The points of ``parts``, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return empty()
    series, series_table = join_tables([p.series for p in parts], [p.series_table for p in parts])
    writer, writer_table = _join([p.writer for p in parts], [p.writer_table for p in parts])
    return Rows(
        series=series,
        step=np.concatenate([p.step for p in parts]),
        timestamp=np.concatenate([p.timestamp for p in parts]),
        value=np.concatenate([p.value for p in parts]),
        writer=writer,
        sequence=np.concatenate([p.sequence for p in parts]),
        order_time=np.concatenate([p.order_time for p in parts]),
        series_table=series_table,
        writer_table=writer_table,
    )


def take(rows: Rows, chosen: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Rows:
    """The points at ``chosen`` (positions, a mask, or a slice), with the same tables."""

    def of(column: NDArray[Number]) -> NDArray[Number]:
        # For positions, this is half as long as indexing.
        return column[chosen] if isinstance(chosen, slice) or chosen.dtype == bool else column.take(chosen)

    return Rows(
        series=of(rows.series),
        step=of(rows.step),
        timestamp=of(rows.timestamp),
        value=of(rows.value),
        writer=of(rows.writer),
        sequence=of(rows.sequence),
        order_time=of(rows.order_time),
        series_table=rows.series_table,
        writer_table=rows.writer_table,
    )


def used(codes: NDArray[np.uint32], size: int) -> NDArray[np.intp]:
    """Which of the codes below ``size`` occur, ascending."""
    starts = starts_of_groups(codes)
    if len(starts) * _STRETCH <= len(codes):
        codes = codes[starts]
    if len(codes) < size // 8:
        return np.unique(codes).astype(np.intp)
    flags = np.zeros(size, np.bool_)
    flags[codes.astype(np.intp)] = True
    return np.flatnonzero(flags)


def select_series(rows: Rows, run_id: str, key: str) -> Rows:
    """The points of one key of one run, of all its attempts."""
    wanted = np.fromiter(
        (s.key == key and s.run_id == run_id for s in rows.series_table), np.bool_, len(rows.series_table)
    )
    if wanted.all():
        return rows
    return take(rows, wanted[rows.series])


def sort_by_series(rows: Rows, *, by_step: bool = False) -> Rows:
    """The points by run, key and attempt; within a series by step, or in the order in which they stand.

    The result's table of series holds what occurs in it, each once, in that order: ``series`` ascends.
    """
    rows, order = order_by_series(rows)
    if order is not None:
        rows = take(rows, order)
    if by_step and not steps_ascend(rows.series, rows.step):
        rows = take(rows, np.lexsort((rows.step, rows.series)))
    return rows


def order_by_series(rows: Rows) -> tuple[Rows, NDArray[np.intp] | None]:
    """The points as they stand with the table of :func:`sort_by_series`, and the order that sorts them."""
    rows = _ranked(rows)
    return rows, order_of(rows.series, len(rows.series_table))


def sort_as_logged(rows: Rows) -> Rows:
    """The points in logged order: order time, then writer, then sequence."""
    by_id = sorted(range(len(rows.writer_table)), key=lambda code: rows.writer_table[code].int)
    rank = np.empty(len(by_id), np.uint32)
    rank[by_id] = np.arange(len(by_id), dtype=np.uint32)
    writer = rank[rows.writer]
    time, sequence = rows.order_time, rows.sequence
    later = (writer[1:] > writer[:-1]) | ((writer[1:] == writer[:-1]) & (sequence[1:] > sequence[:-1]))
    if ((time[1:] > time[:-1]) | ((time[1:] == time[:-1]) & later)).all():
        return rows
    return take(rows, np.lexsort((sequence, writer, time)))


def order_of(codes: NDArray[np.uint32], size: int) -> NDArray[np.intp] | None:
    """The stable ascending order of codes below ``size``; ``None`` when they ascend as they stand."""
    if (codes[1:] >= codes[:-1]).all():
        return None
    starts = starts_of_groups(codes)
    if len(starts) * _STRETCH <= len(codes):
        return _order_of_stretches(codes, starts)
    order = np.argsort(codes.astype(np.uint16), kind="stable")
    if size <= 1 << _RADIX_BITS:
        return order
    high = (codes >> _RADIX_BITS).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")]


def _order_of_stretches(codes: NDArray[np.uint32], starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The same, by sorting the stretches that begin at ``starts``."""
    by = np.argsort(codes[starts], kind="stable")
    lengths = np.diff(starts, append=len(codes))[by]
    order: NDArray[np.intp] = np.repeat(starts[by] - (np.cumsum(lengths) - lengths), lengths)
    order += np.arange(len(codes))
    return order


def steps_ascend(series: NDArray[np.uint32], step: NDArray[np.int64]) -> bool:
    """Whether the steps of each stretch of equal series do not descend."""
    return not ((series[1:] == series[:-1]) & (step[1:] < step[:-1])).any()


def starts_of_groups(codes: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Where each stretch of equal codes begins."""
    if not len(codes):
        return np.empty(0, np.intp)
    return np.concatenate(([0], np.flatnonzero(codes[1:] != codes[:-1]) + 1))


def look_up(values: NDArray[Number], codes: NDArray[np.uint32]) -> NDArray[Number]:
    """``values[codes]``, a few times as fast where equal codes follow each other."""
    starts = starts_of_groups(codes)
    if len(starts) * _STRETCH <= len(codes):
        return np.repeat(values.take(codes[starts]), np.diff(starts, append=len(codes)))
    return values.take(codes)


def series_codes(
    run: NDArray[np.integer], key: NDArray[np.integer], attempt: NDArray[np.integer]
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """One code for each distinct triple of codes, and for each such code a position where it occurs."""
    if not len(run):
        return np.empty(0, np.uint32), np.empty(0, np.intp)
    change = (run[1:] != run[:-1]) | (key[1:] != key[:-1]) | (attempt[1:] != attempt[:-1])
    starts = np.concatenate(([0], np.flatnonzero(change) + 1))
    runs, keys, attempts = (column[starts].astype(np.int64) for column in (run, key, attempt))
    triples = (runs * (keys.max() + 1) + keys) * (attempts.max() + 1) + attempts
    _, first, code = np.unique(triples, return_index=True, return_inverse=True)
    return np.repeat(code.astype(np.uint32), np.diff(starts, append=len(run))), starts[first]


def join_tables(
    codes: Sequence[NDArray[np.uint32]], tables: Sequence[Sequence[Series]]
) -> tuple[NDArray[np.uint32], Sequence[Series]]:
    """Codes into one table of series that holds each entry once."""
    if not any(isinstance(table, Names) for table in tables):
        return _join(codes, tables)
    if all(table is tables[0] for table in tables):
        return np.concatenate(codes), tables[0]
    ranks, names = joined(tables).ranked()
    offsets = np.cumsum([0, *map(len, tables)]).tolist()
    return np.concatenate(
        [look_up(ranks[start:], c) for start, c in zip(offsets, codes, strict=False)]
    ), names


def _join(
    codes: Sequence[NDArray[np.uint32]], tables: Sequence[Sequence[Entry]]
) -> tuple[NDArray[np.uint32], list[Entry]]:
    """Codes into one table that holds each entry once."""
    if not tables:
        return np.empty(0, np.uint32), []
    if all(part is tables[0] for part in tables):
        return np.concatenate(codes), list(tables[0])
    table = list(dict.fromkeys(chain.from_iterable(tables)))
    place = {entry: code for code, entry in enumerate(table)}
    maps = [np.fromiter((place[entry] for entry in part), np.uint32, len(part)) for part in tables]
    return np.concatenate([look_up(m, c) for m, c in zip(maps, codes, strict=True)]), table


def _ranked(rows: Rows) -> Rows:
    """The same points with a series table that ascends and holds what occurs, each series once."""
    occurring = used(rows.series, len(rows.series_table))
    if len(occurring) < MANY:
        entries = [rows.series_table[code] for code in occurring.tolist()]
        ascends = all(before < after for before, after in pairwise(entries))
        ordered: Sequence[Series] = entries if ascends else sorted(set(entries))
        place = {entry: rank for rank, entry in enumerate(ordered)}
        ranks = np.fromiter((place[entry] for entry in entries), np.uint32, len(entries))
    else:
        names = Names.of(rows.series_table)
        if len(occurring) < len(names):
            names = names.take(occurring).narrowed()
        ranks, ordered = names.ranked()
    series = rows.series
    if len(occurring) < len(rows.series_table) or (ranks[1:] < ranks[:-1]).any():
        mapping = np.zeros(len(rows.series_table), np.uint32)
        mapping[occurring] = ranks
        series = look_up(mapping, series)
    return replace(rows, series=series, series_table=ordered)
