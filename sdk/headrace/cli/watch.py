"""``headrace runs watch RUN``: a run as it goes on, until it ends."""

import argparse
import math
import shutil
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from headrace.cli import output, tables
from headrace.client import Client
from headrace.entities import MetricSummary, Run, RunStatus
from headrace.errors import UnavailableError

DESCRIPTION = """\
Show a run as it goes on: the latest values of its metrics, their curves and how many points come in a second,
until it ends. Elsewhere than on a terminal, what changed is printed one after the other."""

BARS = "▁▂▃▄▅▆▇█"
CURVE = 24
"""Characters of a curve; half of it where a line has fewer than ``WIDE``."""

WIDE = 100

HEAD = 4
"""Lines above the metrics."""

_clock, _sleep = time.monotonic, time.sleep


def add_to(group: Any, run_help: str) -> argparse.ArgumentParser:
    """Adds the command to ``headrace runs``."""
    parser: argparse.ArgumentParser = group.add_parser(
        "watch", help="show a run as it goes on", description=DESCRIPTION
    )
    parser.add_argument("RUN", help=run_help)
    parser.add_argument("--interval", type=seconds, default=2.0, metavar="S", help="seconds (default: 2)")
    parser.add_argument("--once", action="store_true", help="show it once and leave")
    parser.add_argument("--key", action="append", metavar="KEY", help="only this metric; may be repeated")
    return parser


def seconds(text: str) -> float:
    """A pause, as argparse asks for it."""
    value = float(text)
    if not 0.1 <= value <= 3600:
        raise argparse.ArgumentTypeError(f"{value} is not in 0.1 to 3600")
    return value


class Seen(NamedTuple):
    """What there was at a time (s)."""

    at: float
    points: dict[str, int]


def watch(options: argparse.Namespace, client: Client, run_id: str) -> None:
    """Shows the run until it has ended."""
    seen: Seen | None = None
    known: list[str] = []
    shown: list[str] = []
    while True:
        try:
            run, summaries = client.get_run(run_id), client.get_metric_summaries(run_id, options.key)
            now = Seen(_clock(), {key: each.count for key, each in summaries.items()})
            known = lines = _lines(client, run, summaries, seen, now)
            seen = now
        except UnavailableError as error:
            if not known:
                raise
            run, lines = None, [*known, _fitting(f"({error})")]
        _print(lines, shown)
        shown = lines
        if options.once or (run is not None and RunStatus.is_terminated(run.info.status)):
            return
        _sleep(options.interval)


def _print(lines: Sequence[str], before: Sequence[str]) -> None:
    if sys.stdout.isatty():
        print(_back_over(len(before)) + "\n".join(lines), flush=True)
    elif lines != before:
        print("\n".join([*lines, ""]), flush=True)


def _fitting(line: str) -> str:
    return tables.cut(line, shutil.get_terminal_size().columns) if sys.stdout.isatty() else line


def _back_over(lines: int) -> str:
    """What has a terminal forget the last lines: what was on it before stays."""
    return f"\x1b[{lines}F\x1b[J" if lines else ""


def _lines(
    client: Client, run: Run, summaries: dict[str, MetricSummary], seen: Seen | None, now: Seen
) -> list[str]:
    info = run.info
    end = info.end_time if info.end_time is not None else time.time_ns() // 1_000_000
    total = sum(now.points.values())
    name = tables.printable(info.run_name or info.run_id)
    head = f"{name}  {info.status}  {output.duration(info.start_time, end)}"
    lines = [f"{head}  {total:,} points{_rate(None, seen, now)}"]
    width, height = shutil.get_terminal_size()
    on_screen = sys.stdout.isatty()
    wide = width >= WIDE or not on_screen
    keys = sorted(summaries, key=lambda key: -now.points[key] + (seen.points.get(key, 0) if seen else 0))
    keys = sorted(keys[: height - HEAD]) if on_screen else sorted(keys)
    rows = [("METRIC", "LAST", "STEP", "POINTS", "PER SECOND", "CURVE")]
    for key in keys:
        last = summaries[key].last
        chart = client.get_metric_chart(info.run_id, key, buckets=CURVE if wide else CURVE // 2)
        row = key, f"{last.value:.6g}", f"{last.step}", f"{now.points[key]:,}", _rate(key, seen, now)
        rows.append((*row, sparkline(chart.means)))
    cells = [[tables.printable(cell) for cell in row] for row in rows]
    lines += tables.aligned(tables.fitting(cells, width)[0] if on_screen else cells)
    if hidden := len(summaries) - len(keys):
        lines.append(f"and {hidden} more metrics; --key names some")
    return [_fitting(line) for line in lines]


def _rate(key: str | None, seen: Seen | None, now: Seen) -> str:
    """Points a second since they were seen, of a metric or of all."""
    if seen is None or now.at <= seen.at:
        return ""
    if key is None:
        came = sum(now.points.values()) - sum(seen.points.values())
        return f", {came / (now.at - seen.at):,.0f} a second"
    return f"{(now.points[key] - seen.points.get(key, 0)) / (now.at - seen.at):,.0f}"


def sparkline(values: Iterable[float]) -> str:
    """A curve of one line: a bar for each value, a blank where it is not finite."""
    given = list(values)
    finite = [value for value in given if math.isfinite(value)]
    if not finite:
        return " " * len(given)
    low, high = min(finite), max(finite)
    # Halves, because the difference of two large numbers may be none.
    span = high / 2 - low / 2

    def bar(value: float) -> str:
        if not math.isfinite(value):
            return " "
        return BARS[round((value / 2 - low / 2) / span * (len(BARS) - 1)) if span else 0]

    return "".join(map(bar, given))
