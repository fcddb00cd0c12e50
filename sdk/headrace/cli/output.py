"""How commands show things: tables (with ``rich`` on a terminal, plain elsewhere), JSON, times, progress."""

import argparse
import csv
import datetime as dt
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

from headrace.client import Client

_BETWEEN = 2
"""Characters between two columns."""

_NARROWEST = 8

RICH_ROWS = 1000
"""Longer tables are printed plain: drawing them takes longer than reading them."""


LAST_TIME = 253_000_000_000_000
"""Milliseconds: a little before the year 9999 ends, which local time must not pass."""


class Adding(Protocol):
    """A parser, or a group of one."""

    @property
    def add_argument(self) -> Callable[..., argparse.Action]:
        """As argparse's."""
        ...


class Progress(Protocol):
    """Shows how far a command is."""

    def __call__(self, done: int, total: int, /) -> None:
        """``done`` of ``total`` units."""


def add_source(parser: argparse.ArgumentParser) -> None:
    """Adds the option that says which daemon to ask."""
    parser.add_argument(
        "--tracking-uri",
        metavar="URI",
        help="headrace://HOST:PORT or a folder (default: HEADRACE_TRACKING_URI, else headrace://127.0.0.1:7070)",
    )


def add_json(parser: Adding) -> None:
    """Adds ``--json``."""
    parser.add_argument("--json", action="store_true", help="print JSON; non-finite numbers become strings")


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Adds ``--json`` and ``--csv``, of which one may be given."""
    formats = parser.add_mutually_exclusive_group()
    add_json(formats)
    formats.add_argument("--csv", action="store_true", help="print CSV")


def client(options: argparse.Namespace) -> Client:
    """A client of the daemon that the options name."""
    return Client(options.tracking_uri)


def show(
    options: argparse.Namespace, columns: Sequence[str], rows: Iterable[Sequence[str]], data: Any
) -> None:
    """Prints what :func:`add_formats` lets choose: ``data`` as JSON, or the rows as CSV or a table."""
    if options.json:
        print_json(data)
    elif options.csv:
        print_csv(columns, rows)
    else:
        table(columns, rows)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints CSV with a header, in small letters."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([name.lower() for name in columns])
    writer.writerows(rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table; all cells are text. On a terminal it fits: the widest columns are cut."""
    lines: Sequence[Sequence[str]] = [columns, *rows]
    if sys.stdout.isatty():
        lines = fitting(lines, shutil.get_terminal_size().columns)
    if sys.stdout.isatty() and len(lines) < RICH_ROWS and find_spec("rich") is not None:
        _rich_table(lines[0], lines[1:])
        return
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def fitting(lines: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The lines of a table, whose widest columns are cut until they fit into ``width`` characters."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    room = width - _BETWEEN * len(widths)
    bound = max(widths, default=0)
    while bound > _NARROWEST and sum(min(one, bound) for one in widths) > room:
        bound -= 1
    return [[cell if len(cell) <= bound else f"{cell[: bound - 1]}…" for cell in line] for line in lines]


def _rich_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box  # noqa: PLC0415 - an extra
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        shown.add_column(column, no_wrap=True, overflow="ellipsis")
    for row in rows:
        shown.add_row(*map(Text, row))
    Console().print(shown)


def print_json(data: Any) -> None:
    """Prints JSON. NaN and infinities, which JSON has not, become strings."""
    json.dump(finite(data), sys.stdout, indent=2, allow_nan=False)
    print()


def finite(data: Any) -> Any:
    """``data`` with non-finite floats as "NaN", "Infinity" or "-Infinity" (as in protobuf's JSON)."""
    if isinstance(data, float) and not math.isfinite(data):
        return "NaN" if math.isnan(data) else "Infinity" if data > 0 else "-Infinity"
    if isinstance(data, dict):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data


def local_time(milliseconds: int | None) -> str:
    """A time in the local zone, to the second."""
    if milliseconds is None:
        return ""
    if not 0 <= milliseconds < LAST_TIME:
        return f"{milliseconds} ms"
    return f"{dt.datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def duration(begin: int | None, end: int | None) -> str:
    """The time between two times (ms), as H:MM:SS."""
    if begin is None or end is None:
        return ""
    return str(dt.timedelta(seconds=round((end - begin) / 1000)))


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A progress bar on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
    elif find_spec("rich") is None:
        yield lambda done, total: print(f"\r{title} {done:,} of {total:,}", end="", file=sys.stderr)
        print(file=sys.stderr)
    else:
        from rich.console import Console  # noqa: PLC0415 - an extra
        from rich.progress import Progress as Bar  # noqa: PLC0415

        with Bar(console=Console(stderr=True)) as bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
