"""The stored ratio to the reference pipeline: what ``make bench`` compares itself with.

A ratio of two measurements of the same minute holds on other machines too, more or less; points per second
do not. ``python -m benchmarks series --store`` measures and stores it anew.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).with_name("stored.json")

TOLERANCE = 0.2
"""The part of the stored ratio by which a measured one may be less: what a quiet machine varies by."""

FIGURES = {"series": "ratio_to_reference"}
"""What is stored of which workload. The ratio of ``scalar`` varies too much from run to run."""

Result = Mapping[str, Any]


class Verdict(NamedTuple):
    """One comparison."""

    holds: bool
    line: str


def check(results: Iterable[Result], stored: Mapping[str, Any]) -> list[Verdict]:
    """A verdict for each measured workload of which a ratio is stored."""
    verdicts = []
    for result in results:
        name = result.get("benchmark", "")
        entry = stored.get(name)
        if entry is None or result["quick"]:
            continue  # a tenth of the points is another measurement
        figure = FIGURES[name]
        measured = result["figures"][figure]["median"]
        least = entry[figure] * (1 - stored["tolerance"])
        holds = measured >= least
        line = f"{name}: {figure} {measured:.3f}, stored {entry[figure]:.3f} ({entry['commit']}): " + (
            f"holds, {least:.3f} is the least" if holds else f"SLOWER, below {least:.3f}"
        )
        verdicts.append(Verdict(holds, line))
    return verdicts


def load(path: Path = FILE) -> dict[str, Any]:
    """What is stored; nothing yet is nothing to fall behind."""
    stored: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return stored


def store(results: Iterable[Result], machine: Mapping[str, Any], path: Path = FILE) -> None:
    """Stores the ratios of these results; those of others stay."""
    stored = load(path)
    stored["tolerance"] = TOLERANCE
    for result in results:
        name = result.get("benchmark", "")
        if name in FIGURES and not result["quick"]:
            ratio = round(result["figures"][FIGURES[name]]["median"], 3)
            measured_on = f"{machine['cpu']}, {machine['cores']} cores"
            stored[name] = {FIGURES[name]: ratio, "commit": machine["commit"], "machine": measured_on}
    path.write_text(json.dumps(stored, indent=2) + "\n")
