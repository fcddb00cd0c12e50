"""Who wrote the points of a run: a count for each writer, from two columns and nothing else."""

from collections import Counter
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from headrace_storage.model import Rows
from headrace_storage.segments.schema import TEXTS


def writers_of(rows: Rows, run_id: str) -> Counter[UUID]:
    """Of points in memory."""
    of_run = np.array([series.run_id == run_id for series in rows.series_table], bool)
    counts = np.bincount(rows.writer[of_run[rows.series]], minlength=len(rows.writer_table))
    return Counter({writer: n for writer, n in zip(rows.writer_table, counts.tolist(), strict=True) if n})


def writers_in(file: Any, run_id: str) -> Counter[UUID]:
    """Of an opened segment, a row group at a time."""
    counts: Counter[UUID] = Counter()
    with pq.ParquetFile(file, read_dictionary=TEXTS, page_checksum_verification=True) as parquet:
        for group in range(parquet.metadata.num_row_groups):
            table = parquet.read_row_group(group, columns=["run_id", "writer"])
            writers = table.filter(pc.field("run_id") == run_id)["writer"]
            for entry in pc.value_counts(writers.cast("string")).to_pylist():
                counts[UUID(hex=entry["values"])] += entry["counts"]
    return counts
