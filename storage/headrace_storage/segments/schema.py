"""What lies in a segment's Parquet file.

========== ========================= =========================================================
column     type                      meaning
========== ========================= =========================================================
run_id     string                    32 hex digits
key        string                    the metric's name
step       int64
timestamp  timestamp, ms, UTC        of the call, or given by the user: data only
value      double                    NaN and infinities are data
writer     string                    who logged it: 32 hex digits
sequence   int64                     its place in the writer's journal
order_time timestamp, ms, UTC        logged order is (order_time, writer, sequence)
attempt    string                    the launch of the run that logged it; empty: none was named
========== ========================= =========================================================

Rows are sorted by run, key and attempt (of a compacted file, then by step), so that the statistics of
row groups find a key. A reader of all files needs the published manifest: a folder also holds files
whose rows are in others, or in none. Between the last row group and the footer, where readers of Parquet
do not look, lie the rollups of long series (``rollups.py``).
"""

from typing import Any, Final

import pyarrow as pa

FORMAT: Final = 1
"""The version of this page; in each file's metadata."""

FORMAT_KEY: Final = "headrace.format"

ROW_GROUP: Final = 1 << 17
"""Rows of a row group: what a reader of one short series decodes."""

TEXTS: Final = ("run_id", "key", "writer", "attempt")
"""Columns that are dictionaries of strings."""

TIME: Final = pa.timestamp("ms", tz="UTC")

SCHEMA: Final = pa.schema(
    [
        pa.field("run_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("key", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("step", pa.int64(), nullable=False),
        pa.field("timestamp", TIME, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("writer", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("order_time", TIME, nullable=False),
        pa.field("attempt", pa.dictionary(pa.int32(), pa.string()), nullable=False),
    ]
)

# Statistics of dictionary columns cost as much as encoding them: only where a reader can skip by them.
# Without Arrow's own schema in the file, readers see plain strings instead of categoricals.
WRITER_OPTIONS: Final[dict[str, Any]] = {
    "version": "2.6",
    "data_page_version": "2.0",
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": list(TEXTS),
    "column_encoding": {
        "step": "DELTA_BINARY_PACKED",
        "timestamp": "DELTA_BINARY_PACKED",
        "value": "BYTE_STREAM_SPLIT",
        "sequence": "DELTA_BINARY_PACKED",
        "order_time": "DELTA_BINARY_PACKED",
    },
    "write_statistics": ["run_id", "key", "step", "timestamp"],
    "write_page_checksum": True,
    "write_batch_size": 1 << 16,
    "store_schema": False,
}

# What a commit waits for is merged soon, and encoded again: Snappy takes 21 ns a point less than ZSTD and
# leaves 6 % more bytes. Every reader of Parquet knows it, which cannot be said of LZ4_RAW.
COMMIT_OPTIONS: Final[dict[str, Any]] = {
    **{name: option for name, option in WRITER_OPTIONS.items() if name != "compression_level"},
    "compression": "snappy",
    "write_statistics": ["run_id", "key", "step"],
}
