"""What a retry costs, at the end of a short history and of one a thousand times as long."""

import os
import uuid
from collections.abc import Iterator
from queue import SimpleQueue
from time import perf_counter_ns
from typing import Any, Self

import grpc
import numpy as np

from benchmarks.readback import assert_arrived
from benchmarks.workloads.timing import percentile
from headrace_proto import wire
from headrace_proto.v1 import ingest_pb2, ingest_pb2_grpc

KEY = "loss"
RETRIES = 200
REPEATED_CELLS = 1000
"""Cells that a retry sends again: committed, but the answer was lost."""

MESSAGE_CELLS = 32_768
CELL = np.dtype([("head", "<u8"), ("step", "<i8"), ("timestamp", "<i8"), ("value", "<f8")])
NOW = 1_700_000_000_000


def run(points: int) -> dict[str, float]:
    """Milliseconds to open again, repeat 1,000 cells and commit one new: after 10 k points, after 10 M."""
    address = os.environ["HEADRACE_TRACKING_URI"].removeprefix("headrace://")
    with grpc.insecure_channel(address) as channel:
        stub = ingest_pb2_grpc.IngestStub(channel)
        short, long = (Journal(stub, length) for length in (points // 100, points * 10))
        # In turn, so that what else goes on (compaction, say) meets both.
        samples = [(short.retry(), long.retry()) for _ in range(min(RETRIES, points // 1000))]
    for journal in (short, long):
        steps = np.arange(journal.length)
        assert_arrived(journal.run_id, KEY, steps, steps.astype(np.float64))
    of_short, of_long = zip(*samples, strict=True)
    median_short, median_long = percentile(list(of_short), 50) / 1e6, percentile(list(of_long), 50) / 1e6
    return {"short_p50_ms": median_short, "long_p50_ms": median_long, "ratio": median_long / median_short}


class Journal:
    """A writer of one series whose point i is i; speaks the protocol by hand, to repeat itself."""

    def __init__(self, stub: Any, length: int) -> None:
        """Logs ``length`` points."""
        self.run_id = uuid.uuid4().hex
        self.length = 0
        self._stub = stub
        self._writer, self._shipper = uuid.uuid4().bytes, uuid.uuid4().bytes
        self._opens = 0
        with Stream(self._stub) as stream:
            self._open(stream)
            while self.length < length:
                self._append(stream, self.length, min(MESSAGE_CELLS, length - self.length))

    def retry(self) -> int:
        """Loses the connection and the last answer, and does both again with one new point; nanoseconds."""
        before = perf_counter_ns()
        with Stream(self._stub) as stream:
            self._open(stream)
            repeated = min(REPEATED_CELLS, self.length)
            self._append(stream, self.length - repeated, repeated + 1)
            return perf_counter_ns() - before

    def _open(self, stream: "Stream") -> None:
        self._opens += 1
        claim = ingest_pb2.Open(
            handle=1,
            writer_id=self._writer,
            shipper_id=self._shipper,
            open_number=self._opens,
            known_reject=-1,
            format=wire.FORMAT,
        )
        opened = stream.ask(ingest_pb2.ClientMessage(open=claim)).opened
        assert opened.committed == self.length, f"the daemon stands at {opened.committed}, not {self.length}"

    def _append(self, stream: "Stream", first: int, count: int) -> None:
        cells = np.zeros(count, CELL)
        cells["head"] = wire.METRIC
        cells["step"] = cells["value"] = np.arange(first, first + count)
        cells["timestamp"] = NOW
        definitions = wire.run_frame(wire.RunDefinition(0, self.run_id, ""))
        definitions += wire.series_frame(wire.SeriesDefinition(0, 0, KEY))
        append = ingest_pb2.Append(handle=1, first=first, definitions=definitions, cells=cells.tobytes())
        answer = stream.ask(ingest_pb2.ClientMessage(append=append))
        self.length = first + count
        while answer.ack.committed != self.length:
            assert answer.WhichOneof("body") == "ack", f"refused: {answer}"
            answer = stream.next()


class Stream:
    """A synchronous ingest stream: a question, an answer."""

    def __init__(self, stub: Any) -> None:
        self._questions: SimpleQueue[ingest_pb2.ClientMessage | None] = SimpleQueue()
        self._call = stub.Stream(self._sent())

    def _sent(self) -> Iterator[ingest_pb2.ClientMessage]:
        return iter(self._questions.get, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._questions.put(None)
        self._call.cancel()

    def ask(self, message: ingest_pb2.ClientMessage) -> ingest_pb2.ServerMessage:
        """Sends a message and waits for the next answer."""
        self._questions.put(message)
        return self.next()

    def next(self) -> ingest_pb2.ServerMessage:
        """The next answer."""
        answer: ingest_pb2.ServerMessage = next(self._call)
        return answer
