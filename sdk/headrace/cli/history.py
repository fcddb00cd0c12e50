"""``headrace history RUN KEY``: all points of a metric, for people and for programs."""

import argparse
import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from headrace.cli import output
from headrace.cli.runs import RUN_HELP, find_run_id
from headrace.entities import MetricColumns
from headrace.errors import HeadraceError, NotFoundError

DESCRIPTION = "Print all points of a metric, in the order in which they were logged."


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser("history", help="print all points of a metric", description=DESCRIPTION)
    parser.add_argument("RUN", help=RUN_HELP)
    parser.add_argument("KEY", help="the metric")
    parser.add_argument(
        "--format",
        choices=("table", *WRITERS),
        default="table",
        help="parquet needs headrace[server]; json is one array of objects (default: table)",
    )
    for name in ("json", "csv"):
        said = f"--format {name}"
        parser.add_argument(f"--{name}", dest="format", action="store_const", const=name, help=said)
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file, not to stdout")
    output.add_source(parser)
    parser.set_defaults(run=_history)


def _history(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = find_run_id(client, options.RUN)
    columns = client.get_metric_columns(run_id, options.KEY)
    if not columns.steps:
        raise NotFoundError(f"run {run_id} has no points of {options.KEY!r}")
    if options.format == "table":
        with _text_file(options.output) as file, contextlib.redirect_stdout(file):
            rows = [
                (str(step), output.local_time(time), repr(value))
                for step, time, value in zip(*columns, strict=True)
            ]
            output.table(("STEP", "TIME", "VALUE"), rows)
    else:
        WRITERS[options.format](options.output, run_id, options.KEY, columns)
    return 0


def _csv(path: Path | None, run_id: str, key: str, columns: MetricColumns) -> None:
    with _text_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("run_id", "key", "step", "timestamp", "value"))
        writer.writerows((run_id, key, *point) for point in zip(*columns, strict=True))


def _json(path: Path | None, run_id: str, key: str, columns: MetricColumns) -> None:
    with _text_file(path) as file:
        before = "[\n"
        for step, timestamp, value in zip(*columns, strict=True):
            point = {"run_id": run_id, "key": key, "step": step, "timestamp": timestamp, "value": value}
            file.write(before + json.dumps(output.finite(point), allow_nan=False))
            before = ",\n"
        file.write("\n]\n")


def _parquet(path: Path | None, run_id: str, key: str, columns: MetricColumns) -> None:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ModuleNotFoundError:
        raise HeadraceError(
            "--format parquet needs pyarrow; install it with: pip install 'headrace[server]'"
        ) from None
    count = len(columns.steps)
    steps, timestamps, values = (pa.py_buffer(column) for column in columns)
    table = pa.table(
        {
            "run_id": pa.repeat(run_id, count),
            "key": pa.repeat(key, count),
            "step": pa.Array.from_buffers(pa.int64(), count, [None, steps]),
            "timestamp": pa.Array.from_buffers(pa.timestamp("ms", tz="UTC"), count, [None, timestamps]),
            "value": pa.Array.from_buffers(pa.float64(), count, [None, values]),
        }
    )
    if path is None and sys.stdout.isatty():
        raise HeadraceError("parquet is no text for a terminal; add --output FILE")
    target = sys.stdout.buffer if path is None else path
    pq.write_table(table, target, compression="zstd", use_dictionary=["run_id", "key"])


@contextlib.contextmanager
def _text_file(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


WRITERS: dict[str, Callable[[Path | None, str, str, MetricColumns], None]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
