"""RunLog: the hot path. What a training loop calls, down to the cell in memory.

Everything that may run a user's code or fail (conversions) happens before the lock, every slow case leaves
through one test. See ``writer.py`` for the rules of tail, ``inside`` and ``Abandoned``.
"""

import struct
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import time_ns

from headrace.errors import InvalidArgumentError
from headrace.journal.cells import CellFile
from headrace.journal.columns import (
    STEP,
    TIMESTAMP,
    VALUE,
    WORDS,
    column,
    explain,
    explain_values,
    fill,
    ramp,
)
from headrace.journal.layout import TAIL
from headrace.journal.room import Dropped
from headrace.journal.writer import Abandoned, Writer
from headrace.operation import RunOperation
from headrace_proto.limits import key_problem
from headrace_proto.wire import (
    CELL_SIZE,
    MAX_BLOB_BYTES,
    METRIC,
    METRIC_CELL,
    TIMESTAMP_GIVEN,
    blob_cells,
    blob_record,
)

_pack_metric = METRIC_CELL.pack_into

TEMPLATES = 64
"""Sets of keys whose cells a RunLog keeps ready for ``log_metrics``."""


class RunLog:
    """Appends to one run. Thread-safe; callable from signal handlers and ``__del__``; survives a fork."""

    __slots__ = ("_number", "_series", "_templates", "_writer", "attempt", "run_id")

    def __init__(self, writer: Writer, run_id: str, attempt: str) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self._bind(writer)

    def _bind(self, writer: Writer) -> None:
        with writer.lock:
            if writer.inside:
                self._bind(writer.aside())
                return
            try:
                writer.inside = True
                self._number, self._series = writer.run(self.run_id, self.attempt)
            finally:
                writer.inside = False
        self._templates: dict[tuple[str, ...], bytearray] = {}
        self._writer = writer

    def log_metric(self, key: str, value: float, step: int = 0, timestamp: int | None = None) -> RunOperation:
        """Writes one point. Without a ``timestamp`` (ms), that of the call.

        ``value`` is a float, or anything that ``struct`` takes for one without running Python code.
        """
        writer = self._writer
        with writer.lock:
            if writer.inside:
                aside = self._aside(writer)
                return aside.log_metric(key, value, step, timestamp) if aside else self._drop(writer, 1)
            try:
                writer.inside = True
                flags = 0 if timestamp is None else TIMESTAMP_GIVEN
                time = time_ns() // 1_000_000 if timestamp is None else timestamp
                tail = writer.tail[TAIL]
                file = writer.file
                if tail >= file.end:
                    file = writer.turn(tail)
                    tail = writer.tail[TAIL]
                series = self._series.get(key)
                if series is None:
                    series = self._define(key)
                at = (tail - file.first) * CELL_SIZE
                _pack_metric(file.view, at, METRIC, flags, 0, series, step, time, value)
                writer.tail[TAIL] = end = tail + 1
            except Abandoned:
                end = 0
            except Dropped:
                return self._drop(writer, 1)
            except struct.error:
                raise explain(value, step, timestamp) from None
            finally:
                writer.inside = False
        if not end:
            moved = self._move(writer)
            return self.log_metric(key, value, step, timestamp) if moved else self._drop(writer, 1)
        if writer.asleep:
            writer.wake()
        return RunOperation(writer, tail, end)

    def log_metrics(
        self, metrics: Mapping[str, float], step: int = 0, timestamp: int | None = None
    ) -> RunOperation:
        """Writes one point of each key, as one operation; the cells of a set of keys are kept ready."""
        try:
            values = array("d", metrics.values())
        except TypeError:
            raise explain_values(metrics) from None
        if not values:
            return RunOperation(self._writer, 0, 0)
        flags = 0 if timestamp is None else TIMESTAMP_GIVEN
        time = time_ns() // 1_000_000 if timestamp is None else timestamp
        try:
            steps, times = array("q", (step,)) * len(values), array("q", (time,)) * len(values)
        except (TypeError, OverflowError):
            raise explain(0.0, step, timestamp) from None
        keys = tuple(metrics)

        def write(log: RunLog, writer: Writer) -> None:
            cells = log._templates.get(keys) or log._template(keys)
            words = memoryview(cells)
            words[1::CELL_SIZE] = bytes((flags,)) * len(keys)
            words.cast("q")[STEP::WORDS] = memoryview(steps)
            words.cast("q")[TIMESTAMP::WORDS] = memoryview(times)
            words.cast("d")[VALUE::WORDS] = memoryview(values)
            _append_bytes(writer, words)

        return self._operation(write, len(values))

    def log_batch(
        self, points: Iterable[tuple[str, float, int | None, int]], payloads: Sequence[bytes] = ()
    ) -> RunOperation:
        """Writes (key, value, timestamp in ms or ``None``, step) points, then serialised ``RunChange``s.

        They are one operation: with HEADRACE_ON_FULL other than block, all of it is written or nothing.
        """
        now = time_ns() // 1_000_000
        rows = list(points)
        for payload in payloads:
            _check_payload(payload)

        def write(log: RunLog, writer: Writer) -> None:
            cells = bytearray(len(rows) * CELL_SIZE)
            for at, (key, value, timestamp, step) in enumerate(rows):
                flags, time = (0, now) if timestamp is None else (TIMESTAMP_GIVEN, timestamp)
                try:
                    series = log._number_of(key)
                    _pack_metric(cells, at * CELL_SIZE, METRIC, flags, 0, series, step, time, value)
                except struct.error:
                    raise explain(value, step, timestamp) from None
            _append_bytes(writer, memoryview(cells))
            for payload in payloads:
                writer.put(blob_record(log._number, payload, now))

        if not rows and not payloads:
            return RunOperation(self._writer, 0, 0)
        return self._operation(write, len(rows), [blob_cells(len(payload)) for payload in payloads])

    def log_series(
        self,
        key: str,
        values: Sequence[float],
        steps: Sequence[int] | None = None,
        timestamps: Sequence[int] | None = None,
    ) -> RunOperation:
        """Writes many points of one key as one operation.

        Args:
            key: the metric.
            values: n numbers; float64 arrays are copied as they lie.
            steps: n integers, by default 0 to n-1; int64 arrays are copied as they lie.
            timestamps: n times in ms since the epoch, by default the time of the call for all.
        """
        doubles = column("values", values, "d")
        count = len(doubles)
        words = ramp(count) if steps is None else column("steps", steps, "q")
        now = time_ns() // 1_000_000
        times = None if timestamps is None else column("timestamps", timestamps, "q")
        for name, given in (("steps", words), ("timestamps", times)):
            if given is not None and len(given) != count:
                raise InvalidArgumentError(
                    name, f"has {len(given)} items and values has {count}; give one for each"
                )
        flags = 0 if times is None else TIMESTAMP_GIVEN

        def write(log: RunLog, writer: Writer) -> None:
            series = log._number_of(key)
            head = int.from_bytes(METRIC_CELL.pack(METRIC, flags, 0, series, 0, 0, 0.0)[:8], "little")
            done = 0
            while done < count:
                file, tail = _place(writer)
                size = min(count - done, file.end - tail)
                part = slice(done, done + size)
                stamps = now if times is None else times[part]
                fill(file, tail, size, (head, words[part], stamps), doubles[part])
                writer.tail[TAIL] = tail + size
                done += size
                if writer.asleep:
                    writer.wake()

        return self._operation(write, count) if count else RunOperation(self._writer, 0, 0)

    def change(self, payload: bytes) -> RunOperation:
        """Writes a serialised ``RunChange``; at most 2 MiB."""
        return self.log_batch((), (payload,))

    def last_change(self, payload: bytes) -> RunOperation:
        """:meth:`change` for what must be said also when there is no room: it may use the reserve."""
        _check_payload(payload)
        now = time_ns() // 1_000_000

        def write(log: RunLog, writer: Writer) -> None:
            writer.tell(urgent=True)
            writer.put(blob_record(log._number, payload, now), urgent=True)

        return self._operation(write)

    def _operation(
        self, write: "Callable[[RunLog, Writer], None]", cells: int = 0, blobs: Sequence[int] = ()
    ) -> RunOperation:
        """Runs ``write`` as ``log_metric`` runs its body; the operation is what it added to the tail.

        It will append so many metric ``cells``, then ``blobs`` (cells of each record).
        """
        while True:
            writer = self._writer
            with writer.lock:
                if writer.inside:
                    aside = self._aside(writer)
                    if aside:
                        return aside._operation(write, cells, blobs)  # noqa: SLF001 - its own class
                    return self._drop(writer, cells + len(blobs))
                try:
                    writer.inside = True
                    writer.need(cells, blobs)
                    first = writer.tail[TAIL]
                    write(self, writer)
                    end = writer.tail[TAIL]
                    break
                except Abandoned:
                    pass
                except Dropped:
                    return self._drop(writer, max(1, cells + len(blobs)))
                finally:
                    writer.inside = False
            if not self._move(writer):
                return self._drop(writer, max(1, cells + len(blobs)))
        if writer.asleep:
            writer.wake()
        return RunOperation(writer, first, end)

    def _aside(self, writer: Writer) -> "RunLog | None":
        """The log of the same run in the spare journal; ``None`` when there is no room for one."""
        try:
            return RunLog(writer.aside(), self.run_id, self.attempt)
        except Dropped:
            return None

    def _move(self, abandoned: Writer) -> bool:
        """Goes on in the journal of this process, a fork; false when there is no room for one."""
        try:
            self._bind(abandoned.successor())
        except Dropped:
            return False
        return True

    def _drop(self, writer: Writer, count: int) -> RunOperation:
        return writer.room.drop(self.run_id, self.attempt, count)

    def _number_of(self, key: str) -> int:
        number = self._series.get(key)
        return self._define(key) if number is None else number

    def _define(self, key: str) -> int:
        if type(key) is not str:
            raise InvalidArgumentError("key", f"is {key!r}, a {type(key).__name__}; expected a string")
        if problem := key_problem(key):
            raise InvalidArgumentError(f"key {key[:80]!r}", problem)
        self._series[key] = number = self._writer.define(self._number, key)
        return number

    def _template(self, keys: tuple[str, ...]) -> bytearray:
        cells = bytearray(len(keys) * CELL_SIZE)
        for at, key in enumerate(keys):
            series = self._number_of(key)
            _pack_metric(cells, at * CELL_SIZE, METRIC, 0, 0, series, 0, 0, 0.0)
        if len(self._templates) >= TEMPLATES:
            self._templates.clear()
        self._templates[keys] = cells
        return cells


def _place(writer: Writer) -> tuple[CellFile, int]:
    """Where the next cell lies: its file and sequence."""
    tail = writer.tail[TAIL]
    if tail < writer.file.end:
        return writer.file, tail
    return writer.turn(tail), writer.tail[TAIL]


def _check_payload(payload: bytes) -> None:
    if len(payload) > MAX_BLOB_BYTES:
        raise InvalidArgumentError("the change", f"has {len(payload)} bytes, the bound is {MAX_BLOB_BYTES}")


def _append_bytes(writer: Writer, cells: memoryview) -> None:
    """Appends whole cells, over the end of a file where need be."""
    done, size = 0, len(cells)
    while done < size:
        file, tail = _place(writer)
        at = (tail - file.first) * CELL_SIZE
        part = min(size - done, (file.end - tail) * CELL_SIZE)
        file.view[at : at + part] = cells[done : done + part]
        writer.tail[TAIL] = tail + part // CELL_SIZE
        done += part
