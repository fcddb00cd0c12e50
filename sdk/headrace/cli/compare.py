"""``headrace runs compare A B...``: what runs have in common, and in what they differ."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from headrace.cli import output, tables
from headrace.entities import MetricSummary, Run

DESCRIPTION = "Show runs beside one another: attributes, params, and the last, smallest and largest values."

Row = tuple[str, list[str]]
"""A field, and its value in each run."""


def add_to(group: Any, run_help: str) -> argparse.ArgumentParser:
    """Adds the command to ``headrace runs``."""
    parser: argparse.ArgumentParser = group.add_parser(
        "compare", help="show runs beside one another", description=DESCRIPTION
    )
    parser.add_argument("RUN", nargs="+", help=run_help)
    parser.add_argument("--all", action="store_true", help="also what is the same in all of them")
    output.add_formats(parser)
    return parser


def compare(
    options: argparse.Namespace, runs: Sequence[Run], summaries: Sequence[dict[str, MetricSummary]]
) -> None:
    """Prints the comparison."""
    everything = options.all or len(runs) == 1
    rows = [(name, *values) for name, values in _rows(runs, summaries) if everything or len(set(values)) > 1]
    data = [
        {**asdict(run), "summaries": {key: asdict(each) for key, each in of.items()}}
        for run, of in zip(runs, summaries, strict=True)
    ]
    output.show(options, ["FIELD", *_heads(runs)], rows, data)


def _heads(runs: Sequence[Run]) -> list[str]:
    """What runs are called: by their names, and where these are the same, also by their ids."""
    names = [run.info.run_name or run.info.run_id for run in runs]
    short = [run.info.run_id[tables.SHORT["RUN"]] for run in runs]
    return [
        f"{each} {name}" if names.count(name) > 1 else name for name, each in zip(names, short, strict=True)
    ]


def _rows(runs: Sequence[Run], summaries: Sequence[dict[str, MetricSummary]]) -> Iterator[Row]:
    infos = [run.info for run in runs]
    yield "run", [info.run_id for info in infos]
    yield "status", [str(info.status) for info in infos]
    yield "started", [output.local_time(info.start_time) for info in infos]
    yield "duration", [output.duration(info.start_time, info.end_time) for info in infos]
    for key in sorted({key for run in runs for key in run.data.params}):
        yield f"params.{key}", [run.data.params.get(key, "") for run in runs]
    for key in sorted({key for of in summaries for key in of}):
        found = [of.get(key) for of in summaries]
        yield f"metrics.{key}", ["" if each is None else f"{each.last.value:.6g}" for each in found]
        yield f"metrics.{key}.min", ["" if each is None else f"{each.min:.6g}" for each in found]
        yield f"metrics.{key}.max", ["" if each is None else f"{each.max:.6g}" for each in found]
