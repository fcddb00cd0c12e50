"""RunLog: the hot path. What a training loop calls, down to the cell in memory.

Everything that may run a user's code or fail (conversions) happens before the lock, every slow case leaves
through one test. See ``writer.py`` for the rules of tail, ``inside`` and ``Abandoned``.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import time_ns

from headrace.errors import InvalidArgumentError
from headrace.journal.cells import CellFile
from headrace.journal.columns import Scratch, column, explain, explain_values, ramp
from headrace.journal.layout import TAIL
from headrace.journal.room import Dropped
from headrace.journal.template import Template
from headrace.journal.turns import Inside
from headrace.journal.writer import Abandoned, Writer
from headrace.operation import RunOperation
from headrace_proto.limits import key_problem
from headrace_proto.wire import (
    CELL_SIZE,
    GIVEN_HEAD,
    MAX_BLOB_BYTES,
    METRIC_WORDS,
    blob_cells,
    blob_record,
)

_pack_words = METRIC_WORDS.pack_into
_new = object.__new__

TEMPLATES = 64
"""Sets of keys whose cells a RunLog keeps ready for ``log_metrics``."""

SCRATCH_CELLS = 4096
"""Cells that ``log_series`` writes at once: 128 KiB, which a processor's second cache holds."""


class RunLog:
    """Appends to one run. Thread-safe; callable from signal handlers and ``__del__``; survives a fork."""

    __slots__ = ("_heads", "_number", "_templates", "_writer", "attempt", "run_id")

    def __init__(self, writer: Writer, run_id: str, attempt: str) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self._bind(writer)

    def _bind(self, writer: Writer) -> None:
        try:
            self._number, self._heads = writer.in_turn(lambda: writer.run(self.run_id, self.attempt))
        except Inside:
            self._bind(writer.aside())
            return
        self._templates: dict[tuple[str, ...], Template] = {}
        self._writer = writer

    def log_metric(  # noqa: C901 - one function, because a call costs as much as five of its lines
        self, key: str, value: float, step: int = 0, timestamp: int | None = None
    ) -> RunOperation:
        """Writes one point. Without a ``timestamp`` (ms), that of the call.

        ``value`` is a float, or anything that ``struct`` takes for one without running Python code.
        """
        time = time_ns() // 1_000_000 if timestamp is None else timestamp
        while True:
            writer = self._writer
            turn = writer.turn
            try:
                del turn[0]
            except IndexError:
                if writer.queue(turn):
                    continue
                aside = self._aside(writer)
                return aside.log_metric(key, value, step, timestamp) if aside else self._drop(writer, 1)
            try:
                tail = writer.tail[TAIL]
                file = writer.file
                if tail >= file.end:
                    file = writer.next_file(tail)
                    tail = writer.tail[TAIL]
                head = self._heads.get(key) or self._define(key)
                if timestamp is not None:
                    head += GIVEN_HEAD
                _pack_words(file.view, (tail - file.first) * CELL_SIZE, head, step, time, value)
                writer.tail[TAIL] = end = tail + 1
                break
            except Abandoned:
                pass
            except Dropped:
                return self._drop(writer, 1)
            except struct.error:
                raise explain(value, step, timestamp) from None
            finally:
                turn.append(None)
            if not self._move(writer):
                return self._drop(writer, 1)
        if writer.asleep:
            writer.wake()
        # RunOperation(writer, tail, end) without the call of its __init__: a third less time.
        operation = _new(RunOperation)
        operation._writer, operation._first, operation._end = writer, tail, end  # noqa: SLF001
        return operation

    def log_metrics(
        self, metrics: Mapping[str, float], step: int = 0, timestamp: int | None = None
    ) -> RunOperation:
        """Writes one point of each key, as one operation; the cells of a set of keys are kept ready.

        Keys may be of a subclass of ``str``, values whatever ``struct`` takes for a float.
        """
        time = time_ns() // 1_000_000 if timestamp is None else timestamp
        keys = tuple(metrics)
        if not keys:
            return RunOperation(self._writer, 0, 0)
        try:
            values = struct.pack(f"<{len(keys)}d", *metrics.values())
        except struct.error:
            raise explain_values(metrics) from None

        def write(log: RunLog, writer: Writer) -> None:
            template = log._templates.get(keys) or log._template(keys)
            append_cells(writer, template.filled(values, step, time, given=timestamp is not None))

        try:
            return self._operation(write, len(keys))
        except OverflowError:
            raise explain(0.0, step, timestamp) from None

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
                flags, time = (0, now) if timestamp is None else (GIVEN_HEAD, timestamp)
                try:
                    _pack_words(cells, at * CELL_SIZE, log._head(key) + flags, step, time, value)
                except struct.error:
                    raise explain(value, step, timestamp) from None
            log._append(writer, memoryview(cells))
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

        def write(log: RunLog, writer: Writer) -> None:
            head = log._head(key) + (0 if times is None else GIVEN_HEAD)
            scratch = Scratch(min(count, SCRATCH_CELLS), head, now)
            done = 0
            while done < count:
                file, tail = _place(writer)
                part = slice(done, done + min(count - done, file.end - tail, SCRATCH_CELLS))
                stamps = None if times is None else times[part]
                file.write(tail, scratch.filled(words[part], stamps, doubles[part]))
                writer.tail[TAIL] = tail + part.stop - done
                done = part.stop
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

            def work(writer: Writer = writer) -> tuple[int, int]:
                writer.need(cells, blobs)
                first = writer.tail[TAIL]
                write(self, writer)
                return first, writer.tail[TAIL]

            try:
                first, end = writer.in_turn(work)
                break
            except Inside:
                if aside := self._aside(writer):
                    return aside._operation(write, cells, blobs)  # noqa: SLF001 - its own class
                return self._drop(writer, max(1, cells + len(blobs)))
            except Abandoned:
                pass
            except Dropped:
                return self._drop(writer, max(1, cells + len(blobs)))
            if not self._move(writer):
                return self._drop(writer, max(1, cells + len(blobs)))
        if writer.asleep:
            writer.wake()
        return RunOperation(writer, first, end)

    def _aside(self, writer: Writer) -> "RunLog | None":
        """The log of the same run in the spare journal; ``None`` when there is no room for one."""
        try:
            return type(self)(writer.aside(), self.run_id, self.attempt)
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

    def _append(self, writer: Writer, cells: memoryview) -> None:
        """Appends points, in the turn."""
        append_cells(writer, cells)

    def _head(self, key: str) -> int:
        return self._heads.get(key) or self._define(key)

    def _define(self, key: str) -> int:
        if type(key) is not str:
            raise InvalidArgumentError("key", f"is {key!r}, a {type(key).__name__}; expected a string")
        if problem := key_problem(key):
            raise InvalidArgumentError(f"key {key[:80]!r}", problem)
        self._heads[key] = head = self._writer.define(self._number, key)
        return head

    def _template(self, keys: tuple[str, ...]) -> Template:
        plain = (str.__str__(key) if isinstance(key, str) else key for key in keys)
        template = Template([self._head(key) for key in plain])
        if len(self._templates) >= TEMPLATES:
            self._templates.clear()
        self._templates[keys] = template
        return template


def _place(writer: Writer) -> tuple[CellFile, int]:
    """Where the next cell lies: its file and sequence."""
    tail = writer.tail[TAIL]
    if tail < writer.file.end:
        return writer.file, tail
    return writer.next_file(tail), writer.tail[TAIL]


def _check_payload(payload: bytes) -> None:
    if len(payload) > MAX_BLOB_BYTES:
        raise InvalidArgumentError("the change", f"has {len(payload)} bytes, the bound is {MAX_BLOB_BYTES}")


def append_cells(writer: Writer, cells: memoryview) -> None:
    """Appends whole cells, over the end of a file where need be."""
    done, size = 0, len(cells)
    while done < size:
        file, tail = _place(writer)
        part = min(size - done, (file.end - tail) * CELL_SIZE)
        file.write(tail, cells[done : done + part])
        writer.tail[TAIL] = tail + part // CELL_SIZE
        done += part
