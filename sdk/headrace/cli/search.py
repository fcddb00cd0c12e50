"""``headrace search [FILTER]``: the runs that match, for people and for programs."""

import argparse
import csv
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from headrace.cli import output, tables
from headrace.cli.experiments import VIEWS
from headrace.cli.runs import count, experiment_id
from headrace.entities import Run

DESCRIPTION = "Search runs, the newest first unless ordered."

EXAMPLE = """example:
  headrace search "metrics.loss.min < 0.1 AND (params.lr = '0.01' OR tags.team IS NULL)" \\
      --order-by "metrics.acc DESC"

Fields are metrics.KEY (also .min, .max and .first), params.KEY, tags.KEY, and the attributes status,
run_name, run_id, user_id, start_time, end_time and artifact_uri. Numbers are compared with = != < <= > >=,
texts with = != LIKE ILIKE, both with IN, NOT IN, IS NULL and IS NOT NULL. Keys with blanks stand in
backticks."""

INFO = ("RUN", "NAME", "STATUS", "STARTED", "DURATION")

MOST = 20
"""Places that a text is worth beside metrics: more is for terminals that have them."""

_BETWEEN = "  "

Column = tuple[str, str]
"""Group and key: ("metrics", "loss")."""


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "search",
        help="search runs",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("FILTER", nargs="?", default="", help="what runs must match (default: all)")
    parser.add_argument(
        "--order-by", action="append", metavar="FIELD", help='as "metrics.acc DESC"; may be repeated'
    )
    parser.add_argument(
        "--experiment", action="append", metavar="NAME_OR_ID", help="only runs of it; may be repeated"
    )
    parser.add_argument("--view", choices=VIEWS, default="active", help="which runs (default: active)")
    parser.add_argument("--max", type=count, default=50, metavar="N", help="at most so many (default: 50)")
    shown = parser.add_mutually_exclusive_group()
    output.add_json(shown)
    shown.add_argument(
        "--csv", action="store_true", help="print CSV, a column for each metric, param and tag"
    )
    output.add_source(parser)
    parser.set_defaults(run=_search)


def _search(options: argparse.Namespace) -> int:
    client = output.client(options)
    wanted = [experiment_id(client, name) for name in options.experiment or ()] or None
    order = options.order_by or []
    with output.pointing_into(options.FILTER):
        runs = client.search_runs(wanted, options.FILTER, VIEWS[options.view], options.max, order)
    if options.json:
        output.print_json([asdict(run) for run in runs])
    elif options.csv:
        _csv(runs)
    else:
        output.table(*_fitting(runs, " ".join([options.FILTER, *order])))
    return 0


def _csv(runs: Sequence[Run]) -> None:
    columns = [(group, key) for group in ("metrics", "params", "tags") for key in _keys(runs, group)]
    info = ("run_id", "experiment_id", "run_name", "user_id", "status", "start_time", "end_time")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*info, *(f"{group}.{key}" for group, key in columns)])
    for run in runs:
        named = {group: getattr(run.data, group) for group in ("metrics", "params", "tags")}
        values = [named[group].get(key, "") for group, key in columns]
        writer.writerow([*(getattr(run.info, name) for name in info), *values])


def _fitting(runs: Sequence[Run], asked: str) -> tuple[list[str], list[list[str]]]:
    """A table with the metrics and params that were asked for, and others as far as there is room."""
    columns = [(name, [_info(run, name) for run in runs]) for name in INFO]
    room = shutil.get_terminal_size().columns - sum(map(_width, columns)) + len(_BETWEEN)
    for group, key in sorted(_columns(runs), key=lambda column: column[1] not in asked):
        column = key, [_value(run, group, key) for run in runs]
        room -= _width(column)
        if room >= 0 or key in asked:
            columns.append(column)
    rows = [list(cells) for cells in zip(*(cells for _, cells in columns), strict=True)]
    return [name for name, _ in columns], rows


def _width(column: tuple[str, list[str]]) -> int:
    """The places that a column needs to be of use."""
    name, cells = column
    short = tables.SHORT.get(name)
    least = min(MOST, max(map(tables.width, [name, *cells])))
    return len(_BETWEEN) + (
        least if short is None else max(map(len, [name, *(cell[short] for cell in cells)]))
    )


def _columns(runs: Sequence[Run]) -> Iterator[Column]:
    for group in ("metrics", "params"):
        for key in _keys(runs, group):
            yield group, key


def _keys(runs: Sequence[Run], group: str) -> list[str]:
    return sorted({key for run in runs for key in getattr(run.data, group)})


def _value(run: Run, group: str, key: str) -> str:
    value = getattr(run.data, group).get(key, "")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _info(run: Run, name: str) -> str:
    info = run.info
    shown = {
        "RUN": info.run_id,
        "NAME": info.run_name,
        "STATUS": str(info.status),
        "STARTED": output.local_time(info.start_time),
        "DURATION": output.duration(info.start_time, info.end_time),
    }
    return shown[name]
