"""``headrace history RUN [KEY...]``: points or buckets of metrics, for people and for programs."""

import argparse
import contextlib
import csv
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from headrace.cli import output
from headrace.cli.runs import RUN_HELP, count, find_run_id
from headrace.client import Client
from headrace.errors import HeadraceError, NotFoundError
from headrace.histories import MetricHistories

DESCRIPTION = """\
Print the points of a run's metrics, by metric and step, those of one step as they were logged; or so many
buckets of each. Any number of points takes little memory, but for a table."""

EXAMPLE = """\
example:
  headrace history RUN loss acc --steps 1000:2000 --rank 0
  headrace history RUN loss --buckets 20
  headrace history RUN --format parquet --output run.parquet"""

PAGE = 100_000

POINT = ("KEY", "STEP", "TIME", "RANK", "VALUE")
BUCKET = ("KEY", "STEPS", "POINTS", "NAN", "MIN", "MEAN", "MAX", "LAST")
OPTIONAL = ("KEY", "RANK", "NAN")

_STEPS = re.compile("(-?[0-9]+)?:(-?[0-9]+)?|(-?[0-9]+)")

Pages = Iterator[MetricHistories]


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "history",
        help="print the points of metrics",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("RUN", help=RUN_HELP)
    parser.add_argument("KEY", nargs="*", help="a metric (default: all of the run)")
    parser.add_argument(
        "--steps",
        type=steps,
        metavar="A:B",
        help="only from step A to step B, both in it; A: and :B have one bound, A alone is one step; with a "
        "minus: --steps=-5:5",
    )
    parser.add_argument("--rank", type=int, action="append", help="only of this rank; may be repeated")
    parser.add_argument(
        "--writer", action="append", metavar="ID", help="only from this journal; may be repeated"
    )
    parser.add_argument(
        "--buckets", type=int, metavar="N", help="print at most N buckets of each metric instead of points"
    )
    parser.add_argument("--max", type=count, metavar="N", help="print at most so many rows (default: all)")
    formats = parser.add_mutually_exclusive_group()
    formats.add_argument(
        "--format",
        choices=("table", *WRITERS),
        default="table",
        help="json is one array of objects; parquet needs pyarrow (default: table)",
    )
    for name in ("json", "csv"):
        formats.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, help=f"the same as --format {name}"
        )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file, not to stdout")
    output.add_source(parser)
    parser.set_defaults(run=_history)


def steps(text: str) -> tuple[int | None, int | None]:
    """A range of steps, as argparse asks for it."""
    match = _STEPS.fullmatch(text)
    if match is None or text == ":":
        raise argparse.ArgumentTypeError(f"{text!r} is no range of steps; give A:B, A:, :B or A")
    first, last, only = (None if part is None else int(part) for part in match.groups())
    return (first, last) if only is None else (only, only)


def _history(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = find_run_id(client, options.RUN)
    pages = _pages(options, client, run_id)
    first = next(pages)
    if not len(first):
        of = " of " + ", ".join(map(repr, options.KEY)) if options.KEY else ""
        there = " there" if options.steps or options.rank is not None or options.writer else ""
        raise NotFoundError(f"run {run_id} has no points{of}{there}; see: headrace runs show {run_id}")
    pages = itertools.chain([first], pages)
    if options.format == "table":
        with _text_file(options.output) as file, contextlib.redirect_stdout(file):
            output.table(*_table(pages))
        return 0
    WRITERS[options.format](options.output, first.names, pages)
    return 0


def _pages(options: argparse.Namespace, client: Client, run_id: str) -> Pages:
    left = options.max
    for page in client.iter_metric_histories(
        run_id,
        options.KEY or None,
        steps=options.steps,
        writer=options.writer,
        rank=options.rank,
        buckets=options.buckets,
        max_points=PAGE if left is None else min(left, PAGE),
    ):
        if left is None:
            yield page
            continue
        yield page.head(left)
        left -= len(page)
        if left <= 0:
            return


def _table(pages: Pages) -> tuple[Sequence[str], list[Sequence[str]]]:
    """The titles of a table, and its rows; a column that would say the same in all of them is left out."""
    titles: Sequence[str] = ()
    rows: list[Sequence[str]] = []
    for page in pages:
        cells = _bucket if page.has_buckets else _point
        titles = BUCKET if page.has_buckets else POINT
        rows += map(cells, page.to_dicts())
    shown = [
        at for at, title in enumerate(titles) if title not in OPTIONAL or len({row[at] for row in rows}) > 1
    ]
    return [titles[at] for at in shown], [[row[at] for at in shown] for row in rows]


def _point(row: dict[str, Any]) -> Sequence[str]:
    rank = "" if row["rank"] is None else str(row["rank"])
    return row["key"], str(row["step"]), output.local_time(row["timestamp"]), rank, f"{row['value']:.10g}"


def _bucket(row: dict[str, Any]) -> Sequence[str]:
    first, last = row["first_step"], row["last_step"]
    steps = f"{first}" if first == last else f"{first} to {last}"
    numbers = (f"{row[name]:.6g}" for name in ("min", "mean", "max", "last_value"))
    return row["key"], steps, str(row["count"]), str(row["nan_count"]), *numbers


def _csv(path: Path | None, names: Sequence[str], pages: Pages) -> None:
    with _text_file(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for page in pages:
            writer.writerows(row.values() for row in page.to_dicts())


def _json(path: Path | None, _: Sequence[str], pages: Pages) -> None:
    with _text_file(path) as file:
        before = "[\n"
        for page in pages:
            for row in page.to_dicts():
                file.write(before + json.dumps(output.finite(row), allow_nan=False))
                before = ",\n"
        file.write("\n]\n")


def _parquet(path: Path | None, _: Sequence[str], pages: Pages) -> None:
    try:
        import pyarrow.parquet as pq  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise HeadraceError(
            "--format parquet needs pyarrow; install it with: pip install 'headrace[server]'"
        ) from None
    if path is None and sys.stdout.isatty():
        raise HeadraceError("parquet is no text for a terminal; add --output FILE")
    target = sys.stdout.buffer if path is None else path
    first = next(pages).to_arrow()
    texts = [name for name in ("run_id", "key", "writer") if name in first.column_names]
    with pq.ParquetWriter(target, first.schema, compression="zstd", use_dictionary=texts) as writer:
        writer.write_table(first)
        for page in pages:
            writer.write_table(page.to_arrow())


@contextlib.contextmanager
def _text_file(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


WRITERS: dict[str, Callable[[Path | None, Sequence[str], Pages], None]] = {
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
