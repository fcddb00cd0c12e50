"""``headrace chart RUN KEY``: a metric as a curve, drawn on a terminal, as a table elsewhere, or as JSON."""

import argparse
import math
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from headrace.cli import output
from headrace.cli.runs import RUN_HELP, find_run_id
from headrace.entities import MetricChart
from headrace.errors import NotFoundError

DESCRIPTION = "Show the curve of a metric, however many points it has. Drawing needs plotext."

HEIGHT = 20


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser("chart", help="draw the curve of a metric", description=DESCRIPTION)
    parser.add_argument("RUN", help=RUN_HELP)
    parser.add_argument("KEY", help="the metric")
    parser.add_argument("--buckets", type=int, default=100, metavar="N", help="at most so many (100)")
    parser.add_argument("--first-step", type=int, metavar="STEP", help="leave out what is before")
    parser.add_argument("--last-step", type=int, metavar="STEP", help="leave out what is after")
    output.add_json(parser)
    output.add_source(parser)
    parser.set_defaults(run=_chart)


def _chart(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = find_run_id(client, options.RUN)
    chart = client.get_metric_chart(
        run_id,
        options.KEY,
        buckets=options.buckets,
        first_step=options.first_step,
        last_step=options.last_step,
    )
    if not chart.counts:
        raise NotFoundError(f"run {run_id} has no points of {options.KEY!r} there")
    if options.json:
        output.print_json({name: list(column) for name, column in chart._asdict().items()})
    elif sys.stdout.isatty() and find_spec("plotext") is not None and any(map(math.isfinite, chart.means)):
        _draw(options.KEY, chart)
    else:
        output.table(("STEPS", "POINTS", "NAN", "MIN", "MEAN", "MAX"), _rows(chart))
    return 0


def _rows(chart: MetricChart) -> Iterator[tuple[str, ...]]:
    for first, last, count, nan_count, least, most, mean, *_ in zip(*chart, strict=True):
        steps = f"{first}" if first == last else f"{first} to {last}"
        yield (steps, f"{count}", f"{nan_count}", f"{least:.6g}", f"{mean:.6g}", f"{most:.6g}")


def _draw(key: str, chart: MetricChart) -> None:
    import plotext  # noqa: PLC0415 - an extra

    width, _ = shutil.get_terminal_size()
    figure = plotext.figure
    for name, column in (("max", chart.maxs), ("min", chart.mins), ("mean", chart.means)):
        line = [
            (first + (last - first) / 2, value)
            for first, last, value in zip(chart.first_steps, chart.last_steps, column, strict=True)
            if math.isfinite(value)
        ]
        if line:
            steps, values = zip(*line, strict=True)
            figure.draw(figure.signal(list(steps), list(values), marker="braille").label(name).lines())
    nan, count = sum(chart.nan_counts), sum(chart.counts)
    title = f"{key}, {count:,} points" + (f", {nan:,} of them NaN" if nan else "")
    figure.theme("simple").title(title).label("step").plot_size(width, HEIGHT)
    figure.show()
