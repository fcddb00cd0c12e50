"""Histories of many series as messages, page by page. No gRPC."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from typing import Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from headrace_ingest import messages
from headrace_ingest.history_questions import after_page, check, page_token_of, restrictions
from headrace_ingest.packing import CHUNK, history_chunks, pack, packed_chunk
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage.catalog.runs import Runs
from headrace_storage.catalog.summaries import Summaries
from headrace_storage.catalog.writers import Writers
from headrace_storage.downsample import Curve, Downsampler
from headrace_storage.history import History
from headrace_storage.scan import Piece, Point, Scans, Selection
from headrace_storage.segments.logged import Columns
from headrace_storage.visibility import LAST

_RUNS_AT_ONCE: Final = 50
"""Runs whose keys are in memory, where all keys are asked for: a run may have a hundred thousand."""

_AHEAD: Final = 16
"""Messages of a history that are made at once, in a thread: 13 to 24 MiB."""

_END: Final = UUID(int=(1 << 128) - 1)


class _Asked(NamedTuple):
    """What to read, and about how many points its series have, where that matters."""

    selection: Selection
    counts: Mapping[tuple[str, str], int]


class Histories:
    """Answers questions about histories."""

    def __init__(
        self,
        runs: Runs,
        writers: Writers,
        summaries: Summaries,
        *,
        history: History,
        scans: Scans,
        downsampler: Downsampler,
    ) -> None:
        self._runs = runs
        self._writers = writers
        self._summaries = summaries
        self._history = history
        self._scans = scans
        self._downsampler = downsampler

    async def one(self, request: pb.GetMetricHistoryRequest) -> AsyncGenerator[bytes, None]:
        """Points of a key in logged order, as serialised chunks."""
        run = await self._runs.get_run(request.run_id)
        selection = Selection([run.run_id], [request.key], *restrictions(request))
        parts = None
        if selection == Selection([run.run_id], [request.key]):
            parts = await self._history.columns(run.run_id, request.key)
        if parts is not None:
            async for chunk in _made(history_chunks(parts, packed=request.packed)):
                yield chunk
            return
        async for piece in self._scans.scan(selection, as_logged=True):
            columns = Columns(piece.part.step, piece.part.timestamp, piece.part.value)
            async for chunk in _made(history_chunks([columns], packed=request.packed)):
                yield chunk

    async def many(self, request: pb.GetMetricHistoriesRequest) -> AsyncGenerator[bytes, None]:
        """Points or buckets of several series, as serialised messages."""
        check(request)
        run_ids = await self._runs.existing(request.run_ids)
        asked = self._asked(request, run_ids, after_page(request, run_ids))
        answers = self._buckets(request, asked) if request.buckets else self._points(request, asked)
        async for answer in answers:
            yield answer

    async def _asked(
        self, request: pb.GetMetricHistoriesRequest, run_ids: Sequence[str], after: Point | None
    ) -> AsyncIterator[_Asked]:
        """What to read, one after the other: some runs at a time, where their keys must be found out."""
        restricted = restrictions(request)
        keys = sorted(set(request.keys))
        if after is not None:
            run_ids = [run_id for run_id in run_ids if run_id >= after.run_id]
        if keys and not request.buckets:
            yield _Asked(Selection(run_ids, keys, *restricted, after), {})
            return
        for start in range(0, len(run_ids), _RUNS_AT_ONCE):
            some = run_ids[start : start + _RUNS_AT_ONCE]
            found = await self._summaries.get_many(some, keys or None)
            counts = {(one.run_id, one.key): one.count for of_run in found.values() for one in of_run}
            names = sorted({key for _, key in counts})
            yield _Asked(Selection(some, names, *restricted, None if start else after), counts)

    async def _pieces(self, asked: AsyncIterator[_Asked]) -> AsyncGenerator[Piece, None]:
        async for selection, _ in asked:
            async with aclosing(self._scans.scan(selection)) as pieces:
                async for piece in pieces:
                    yield piece

    async def _points(
        self, request: pb.GetMetricHistoriesRequest, asked: AsyncIterator[_Asked]
    ) -> AsyncIterator[bytes]:
        sender = _Sender(self._writers)
        left = request.max_points or LAST
        waiting: Piece | None = None
        token = ""
        async with aclosing(self._pieces(asked)) as pieces:
            async for piece in pieces:
                # There is a next page when something of it was seen.
                if waiting is not None and left:
                    async for message in sender.send(waiting):
                        yield message
                    waiting = None
                waiting = waiting or piece.cut(left)
                if len(waiting.part) < len(piece.part) or not left:
                    token = page_token_of(request, waiting.last())
                    break
                left -= len(waiting.part)
        if waiting is not None:
            async for message in sender.send(waiting, token):
                yield message

    async def _curves(self, buckets: int, asked: AsyncIterator[_Asked]) -> AsyncGenerator[Curve, None]:
        async for selection, counts in asked:
            async for curve in self._downsampler.get(selection, buckets, counts):
                if len(curve.buckets):
                    yield curve

    async def _buckets(
        self, request: pb.GetMetricHistoriesRequest, asked: AsyncIterator[_Asked]
    ) -> AsyncIterator[bytes]:
        left = request.max_points or LAST
        waiting: list[Curve] = []
        last: Curve | None = None
        async with aclosing(self._curves(request.buckets, asked)) as curves:
            async for curve in curves:
                if last is not None and len(curve.buckets) > left:
                    end = Point(last.run_id, last.key, LAST, LAST, _END, LAST)
                    yield _curves(waiting, page_token_of(request, end))
                    return
                if waiting and sum(len(one.buckets) for one in waiting) + len(curve.buckets) > CHUNK // 4:
                    yield _curves(waiting, "")
                    waiting = []
                waiting.append(curve)
                left -= len(curve.buckets)
                last = curve
        if waiting:
            yield _curves(waiting, "")


class _Sender:
    """Makes messages of pieces, which tell of each writer once."""

    def __init__(self, writers: Writers) -> None:
        self._writers = writers
        self._told: dict[UUID, int] = {}
        self._table: Sequence[UUID] = ()
        self._places: NDArray[np.int64] = np.empty(0, np.int64)

    async def send(self, piece: Piece, token: str = "") -> AsyncIterator[bytes]:
        """The messages of a piece, the last one with the token."""
        fresh = await asyncio.to_thread(self._fresh, piece)
        told = [piece.writers[code] for code in fresh]
        labels = await self._writers.labels(told) if told else {}
        new = [
            pb.MetricHistories.Writer(writer_id=writer.hex, labels=labels.get(writer, {})) for writer in told
        ]
        async for message in _made(self._messages(piece, new, token)):
            yield message

    def _fresh(self, piece: Piece) -> list[int]:
        """Writers that occur for the first time, which get places."""
        if piece.writers is not self._table:  # of another scan
            self._table, self._places = piece.writers, np.empty(0, np.int64)
        grown = [self._told.get(writer, -1) for writer in piece.writers[len(self._places) :]]
        self._places = np.concatenate((self._places, np.array(grown, np.int64)))
        occurs = np.bincount(piece.part.writer, minlength=len(self._places)) > 0
        fresh: list[int] = np.flatnonzero(occurs & (self._places < 0)).tolist()
        for code in fresh:
            self._places[code] = self._told.setdefault(piece.writers[code], len(self._told))
        return fresh

    def _messages(
        self, piece: Piece, new: Sequence[pb.MetricHistories.Writer], token: str
    ) -> Iterator[bytes]:
        part, stretches = piece.part, list(piece.series)[::-1]
        for begin in range(0, len(part), CHUNK):
            end = min(begin + CHUNK, len(part))
            series = []
            left = end - begin
            while left:
                run_id, key, count = stretches.pop()
                taken = min(count, left)
                if taken < count:
                    stretches.append((run_id, key, count - taken))
                series.append(pb.MetricHistories.Series(run_id=run_id, key=key, points=taken))
                left -= taken
            of = part.of(slice(begin, end))
            yield pb.MetricHistories(
                series=series,
                points=packed_chunk(Columns(of.step, of.timestamp, of.value)),
                writers=pack(self._places[of.writer]),
                new_writers=new if not begin else (),
                next_page_token=token if end == len(part) else "",
            ).SerializeToString()


async def _made(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """The messages, which are made in a thread."""
    while batch := await asyncio.to_thread(lambda: list(islice(chunks, _AHEAD))):
        for chunk in batch:
            yield chunk


def _curves(curves: Sequence[Curve], token: str) -> bytes:
    series = [
        pb.MetricHistories.Series(run_id=curve.run_id, key=curve.key, points=len(curve.buckets))
        for curve in curves
    ]
    buckets = messages.chart(np.concatenate([curve.buckets for curve in curves]))
    answer = pb.MetricHistories(series=series, buckets=buckets, next_page_token=token)
    return answer.SerializeToString()
