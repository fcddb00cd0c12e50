"""Many writers in one process: they speak the protocol by hand, and what they log costs little to make.

So the daemon is what is measured, and a thousand writers need no thousand processes. They ship as an agent
does: all by one stream, in turn, a message of up to 1 MiB each, within the daemon's credit.
"""

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Queue
from threading import Condition, Thread
from typing import Self

import grpc
import numpy as np
from numpy.typing import NDArray

import headrace
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2, ingest_pb2_grpc

MESSAGE_CELLS = 32_768
DEFINITION_BYTES = 1 << 20
CELL = np.dtype([("head", "<u8"), ("step", "<i8"), ("timestamp", "<i8"), ("value", "<f8")])
NOW = 1_700_000_000_000
WALK: NDArray[np.float64] = np.random.default_rng(7).normal(size=1 << 20).cumsum()
"""The values: each series is a part of this, from a place of its own on (:func:`values_at`)."""

PATIENCE = 120.0
"""Seconds without an answer after which the daemon is given up."""


def values_at(handle: int, series: NDArray[np.int64] | int, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a series of a writer has at these steps."""
    values: NDArray[np.float64] = WALK[(steps + 7919 * handle + 104_729 * np.asarray(series)) % len(WALK)]
    return values


@dataclass
class Writer:
    """A journal that exists only as numbers."""

    handle: int
    id: bytes = field(default_factory=lambda: uuid.uuid4().bytes)
    runs: list[str] = field(default_factory=list)
    series: list[tuple[int, str]] = field(default_factory=list)
    """The run's number and the key, by the series' number."""

    tail: int = 0
    committed: int = 0
    credit: int = 0
    _new: bytearray = field(default_factory=bytearray)

    def add_run(self) -> int:
        """Another run; its number."""
        self.runs.append(uuid.uuid4().hex)
        self._new += wire.run_frame(wire.RunDefinition(len(self.runs) - 1, self.runs[-1], ""))
        return len(self.runs) - 1

    def add_series(self, run: int, key: str) -> int:
        """Another series; its number."""
        self.series.append((run, key))
        self._new += wire.series_frame(wire.SeriesDefinition(len(self.series) - 1, run, key))
        return len(self.series) - 1

    def definitions(self) -> Iterator[bytes]:
        """What is defined and was not said yet, in whole frames of up to 1 MiB."""
        new, self._new = bytes(self._new), bytearray()
        while new:
            length = wire.whole_frames(memoryview(new)[:DEFINITION_BYTES])
            yield new[:length]
            new = new[length:]

    def cells(
        self,
        series: NDArray[np.int64] | int,
        steps: NDArray[np.int64],
        clock: NDArray[np.int64] | None = None,
    ) -> bytes:
        """The next cells: a point of ``series`` (one, or one for each cell) at each of ``steps``.

        ``clock``: milliseconds of each since :data:`NOW`; by default one passes every 64 cells.
        """
        cells = np.empty(len(steps), CELL)
        cells["head"] = np.uint64(wire.METRIC) + (np.asarray(series, np.uint64) << np.uint64(32))
        cells["step"] = steps
        passed = np.arange(self.tail, self.tail + len(steps)) // 64 if clock is None else clock
        cells["timestamp"] = NOW + passed
        cells["value"] = values_at(self.handle, series, steps)
        self.tail += len(steps)
        return cells.tobytes()


class Fleet:
    """Writers that are open on one stream."""

    def __init__(self, address: str, writers: int, labels: dict[str, str] | None = None) -> None:
        """Opens so many at the daemon at ``address`` and waits until all are."""
        self._channel = grpc.insecure_channel(
            address, [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        )
        self._questions: Queue[ingest_pb2.ClientMessage | None] = Queue(maxsize=4)
        stub = ingest_pb2_grpc.IngestStub(self._channel)
        self._call = stub.Stream(iter(self._questions.get, None))
        self._changed = Condition()
        self._failure: str | None = None
        self.writers = [Writer(handle) for handle in range(1, writers + 1)]
        Thread(target=self._listen, daemon=True).start()
        shipper = uuid.uuid4().bytes
        for writer in self.writers:
            claim = ingest_pb2.Open(
                handle=writer.handle,
                writer_id=writer.id,
                shipper_id=shipper,
                open_number=1,
                known_reject=-1,
                format=wire.FORMAT,
                labels=labels or {},
            )
            self._questions.put(ingest_pb2.ClientMessage(open=claim))
        self._wait(lambda: all(writer.credit for writer in self.writers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._questions.put(None)
        self._call.cancel()
        self._channel.close()

    def send(self, writer: Writer, cells: bytes = b"") -> None:
        """Sends the writer's new definitions and these cells, its next ones, once there is credit."""
        first = writer.tail - len(cells) // wire.CELL_SIZE
        for definitions in writer.definitions():
            self._put(ingest_pb2.Append(handle=writer.handle, first=first, definitions=definitions))
        if cells:
            self._wait(lambda: (writer.tail - writer.committed) * wire.CELL_SIZE <= writer.credit)
            self._put(ingest_pb2.Append(handle=writer.handle, first=first, cells=cells))

    def settle(self) -> None:
        """Waits until everything that was sent is durable and visible."""
        self._wait(lambda: all(writer.committed == writer.tail for writer in self.writers))

    def _put(self, append: ingest_pb2.Append) -> None:
        self._questions.put(ingest_pb2.ClientMessage(append=append))

    def _wait(self, condition: Callable[[], object]) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._failure or condition(), PATIENCE):
                raise TimeoutError(f"no answer within {PATIENCE:.0f} s")
        if self._failure:
            raise RuntimeError(self._failure)

    def _listen(self) -> None:
        try:
            for message in self._call:
                kind = message.WhichOneof("body")
                answer = getattr(message, kind)
                with self._changed:
                    if kind == "refused" or answer.rejects:
                        self._failure = f"refused: {answer}"
                    else:
                        writer = self.writers[answer.handle - 1]
                        writer.committed, writer.credit = answer.committed, answer.credit
                    self._changed.notify_all()
        except grpc.RpcError as error:
            with self._changed:
                self._failure = f"the stream ended: {error}"
                self._changed.notify_all()


def in_turn(parts: Sequence[Iterable[bytes]]) -> Iterator[tuple[int, bytes]]:
    """A message of each part in turn, with the number of the part."""
    turn = deque((number, iter(part)) for number, part in enumerate(parts))
    while turn:
        number, messages = turn.popleft()
        # One at a time: a thousand, made before the first is sent, would be a gigabyte and a pause.
        cells = next(messages, None)
        if cells is not None:
            yield number, cells
            turn.append((number, messages))


def assert_stored(address: str, writer: Writer, series: int, steps: NDArray[np.int64]) -> None:
    """Fails unless the history of a series is its points at these steps, in this order."""
    run, key = writer.series[series]
    read = headrace.Client(f"headrace://{address}").get_metric_columns(writer.runs[run], key)
    assert np.array_equal(read.steps, steps), f"{len(read.steps)} points of {key}, not the {len(steps)} sent"
    values = values_at(writer.handle, series, steps)
    assert np.array_equal(read.values, values), f"the values of {key} are not those that were sent"


def assert_counted(address: str, writers: Sequence[Writer], points: int) -> None:
    """Fails unless each run of the writers has so many points, its first and last ones among them."""
    client = headrace.Client(f"headrace://{address}")
    for writer in writers:
        for number, (run, key) in enumerate(writer.series):
            summary = client.get_metric_summaries(writer.runs[run], [key])[key]
            last = values_at(writer.handle, number, np.arange(points)[-1:])
            assert (summary.count, summary.last.step) == (points, points - 1), f"{key}: {summary}"
            assert summary.last.value == last[0], f"{key}: {summary}"
