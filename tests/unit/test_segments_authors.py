"""Who wrote the points of a run: counted the same in memory and in a file."""

from collections import Counter

import numpy as np
import pyarrow as pa

from headrace_storage.segments.authors import writers_in, writers_of
from headrace_storage.segments.write import encode_parquet
from points import RUNS, WRITERS, Logged, to_rows


def test_points_are_counted_by_writer() -> None:
    rng = np.random.default_rng(1)
    points = [
        Logged(
            RUNS[rng.integers(2)], f"k{n % 3}", "", n, 0, 1.0, WRITERS[int(rng.integers(len(WRITERS)))], n, n
        )
        for n in range(500)
    ]
    rows = to_rows(points)
    for run_id in RUNS:
        expected = Counter(point.writer for point in points if point.run_id == run_id)
        assert writers_of(rows, run_id) == expected
        assert writers_in(pa.BufferReader(encode_parquet(rows)), run_id) == expected
