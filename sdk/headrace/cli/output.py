"""How commands show things: tables (``tables.py``), CSV, JSON, times, progress."""

import argparse
import csv
import datetime as dt
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Protocol

from headrace.cli import tables
from headrace.client import Client
from headrace.errors import InvalidArgumentError

table = tables.table

LAST_TIME = 253_000_000_000_000
"""Milliseconds: a little before the year 9999 ends, which local time must not pass."""


_PLACE = re.compile(r"filter_string is wrong at character (\d+)")

_AROUND = 36
"""Characters of a filter that are shown before and after a fault."""


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


@contextmanager
def pointing_into(text: str) -> Iterator[None]:
    """Shows on stderr at which place of a filter the daemon finds a fault."""
    try:
        yield
    except InvalidArgumentError as error:
        if place := _PLACE.match(str(error)):
            at = int(place[1]) - 1
            begin = max(0, at - _AROUND)
            line = tables.printable(text[begin : at + _AROUND])
            print(f"  {line}\n  {' ' * tables.width(line[: at - begin])}^", file=sys.stderr)
        raise


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints CSV with a header, in small letters."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([name.lower() for name in columns])
    writer.writerows(rows)


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
