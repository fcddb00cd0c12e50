"""Files of results: what ``--json`` writes, and plots and pages read."""

import json
import re
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Result = dict[str, Any]
Figure = Mapping[str, float]
"""Its median, least and most."""

POINT = re.compile(r"(?P<curve>.+)_at_(?P<place>\d+)")
"""The name of a figure that is a point of a curve."""


IDENTITY = ("benchmark", "system", "workload", "server", "question", "target")


def identity(result: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes a result another measurement than the next: the workload, and for peers the system."""
    return tuple(str(result[name]) for name in IDENTITY if name in result)


def write(path: Path, machine: Mapping[str, Any], results: Iterable[Result], *, update: bool = False) -> None:
    """Writes the results, each with the commit it was measured at; ``update`` keeps others of the file."""
    kept = read([path]) if update and path.exists() else {}
    kept |= {identity(result): result for result in results}
    text = json.dumps({"machine": machine, "results": list(kept.values())}, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text + "\n")
    temporary.replace(path)


def read(paths: Iterable[Path]) -> dict[tuple[str, ...], Result]:
    """All results; of the same measurement, that of the last file."""
    return {identity(result): result for path in paths for result in json.loads(path.read_text())["results"]}


def machine_of(path: Path) -> dict[str, Any]:
    """What the results of a file were measured on."""
    machine: dict[str, Any] = json.loads(path.read_text())["machine"]
    return machine


def summary(values: Iterable[float]) -> dict[str, float]:
    """The median, the least and the most."""
    known = list(values)
    return {"median": statistics.median(known), "min": min(known), "max": max(known)}


def progress(text: str) -> None:
    """A line for whoever waits."""
    print(f"  {text}", file=sys.stderr, flush=True)


def number(value: float) -> str:
    """Three digits, or a whole number."""
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def curves(figures: Mapping[str, Any]) -> dict[str, dict[int, Any]]:
    """The figures that are points of curves: by curve, then by place, ascending."""
    found: dict[str, dict[int, Any]] = {}
    for name, figure in figures.items():
        if match := POINT.fullmatch(name):
            found.setdefault(match["curve"], {})[int(match["place"])] = figure
    return {curve: dict(sorted(points.items())) for curve, points in found.items()}
