"""The reference pipeline: what our log_series is measured against, in the same run.

Arrow Flight carries the points to a server process on this machine (DoPut), which writes them as Parquet
and syncs every file: data, name and folder, as the daemon does. The columns, the encoding, the row groups
and the rows of a file are the daemon's own. Both sides count from the first array until the client knows
that the last point is on disk.

It leaves out what makes a tracker: no journal on the client's side (a client that dies loses what is on the
way), no catalog (nobody knows which files belong to what, nothing is applied once), no sorting, no summaries,
no rollups. What it does, it does well: arrays are sent as they lie, only the three columns that differ
between points travel, and receiving, encoding and syncing overlap, with a thread for each core.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import flight

from headrace_ingest.committer import MAX_CELLS
from headrace_storage.segments.schema import COMMIT_OPTIONS, ROW_GROUP, SCHEMA, TIME

FILES_AHEAD = 8
"""Files that wait to be encoded, at most: then the server stops reading, and Flight holds the client back."""

SENT = pa.schema([SCHEMA.field("step"), SCHEMA.field("timestamp"), SCHEMA.field("value")])


class Series(NamedTuple):
    """One array of a metric, as log_series gets it."""

    steps: NDArray[np.int64]
    values: NDArray[np.float64]


class Pipeline(NamedTuple):
    """A client of the server, and where the files lie."""

    client: flight.FlightClient
    folder: Path


@contextmanager
def pipeline() -> Iterator[Pipeline]:
    """Starts the server in a process of its own, on a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-reference-") as folder:
        command = [sys.executable, "-m", "benchmarks.reference", folder]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            try:
                with flight.connect(f"grpc://127.0.0.1:{process.stdout.readline().strip()}") as client:
                    yield Pipeline(client, Path(folder))
            finally:
                process.stdin.close()


def put(client: flight.FlightClient, key: str, arrays: Iterable[Series]) -> None:
    """Sends the arrays one after the other; returns when the last point is on disk."""
    descriptor = flight.FlightDescriptor.for_path(uuid.uuid4().hex, key, uuid.uuid4().hex, "")
    stream, answers = client.do_put(descriptor, SENT)
    with stream:
        for steps, values in arrays:
            now = np.full(len(steps), time.time_ns() // 1_000_000)
            columns = [pa.array(steps), pa.array(now).view(TIME), pa.array(values)]
            stream.write_table(pa.Table.from_arrays(columns, schema=SENT), ROW_GROUP)
        stream.done_writing()
        assert answers.read() is not None, "the server did not say that all is on disk"


def assert_stored(folder: Path, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    """Fails unless the files hold these points; then deletes them."""
    columns = ["step", "value", "sequence"]
    paths = sorted(folder.iterdir())  # their names begin with the first sequence
    stored = pa.concat_tables(pq.ParquetFile(path).read(columns) for path in paths)
    assert len(stored) == len(values), f"{len(stored)} of {len(values)} points are in the files"
    assert crc32(stored["sequence"].to_numpy()) == crc32(np.arange(len(values)).data), (
        "points are out of place"
    )
    assert crc32(stored["step"].to_numpy()) == crc32(steps.data), "the steps are not those sent"
    assert crc32(stored["value"].to_numpy()) == crc32(values.data), "the values are not those sent"
    for path in folder.iterdir():
        path.unlink()


class Server(flight.FlightServerBase):  # type: ignore[misc]  # pyarrow has no types
    """Writes what is put, and answers when all of it is on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__("grpc://127.0.0.1:0")
        self._folder = folder
        self._threads = ThreadPoolExecutor(os.cpu_count())
        self._ahead = threading.BoundedSemaphore(FILES_AHEAD)

    def do_put(self, _context: Any, descriptor: Any, reader: Any, writer: Any) -> None:
        """Flight's method."""
        labels = [part.decode() for part in descriptor.path]
        files: list[Future[None]] = []
        batches: list[pa.RecordBatch] = []
        first = waiting = 0
        for chunk in reader:
            batches.append(chunk.data)
            waiting += len(chunk.data)
            if waiting >= MAX_CELLS:
                files.append(self._write(labels, first, batches))
                first, waiting, batches = first + waiting, 0, []
        if batches:
            files.append(self._write(labels, first, batches))
        for file in files:
            file.result()
        writer.write(pa.py_buffer(b"all of it"))

    def _write(self, labels: list[str], first: int, batches: list[pa.RecordBatch]) -> Future[None]:
        self._ahead.acquire()
        future = self._threads.submit(write_file, self._folder, labels, first, batches)
        future.add_done_callback(lambda _: self._ahead.release())
        return future


def write_file(folder: Path, labels: list[str], first: int, batches: list[pa.RecordBatch]) -> None:
    """A durable Parquet file of the points from sequence ``first`` on."""
    name = f"{first:012d}-{uuid.uuid4().hex}.parquet"
    temporary = folder / f".{name}"
    with pq.ParquetWriter(temporary, SCHEMA, **COMMIT_OPTIONS) as writer:
        for batch in batches:
            writer.write_table(whole(labels, first, batch), row_group_size=ROW_GROUP)
            first += len(batch)
    sync(temporary)
    temporary.rename(folder / name)
    sync(folder)


def whole(labels: list[str], first: int, batch: pa.RecordBatch) -> pa.Table:
    """The points with the columns that needed no sending."""
    step, timestamp, value = batch.columns
    zeros = pa.array(np.zeros(len(batch), np.int32))
    run, key, writer, attempt = (pa.DictionaryArray.from_arrays(zeros, [label]) for label in labels)
    sequence = pa.array(np.arange(first, first + len(batch)))
    columns = [run, key, step, timestamp, value, writer, sequence, timestamp, attempt]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def sync(path: Path) -> None:
    """Makes a file or a folder durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    """Serves until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference")
    parser.add_argument("folder", type=Path)
    with Server(parser.parse_args().folder) as serving:
        print(serving.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
