"""Fills in the tables of ``docs/benchmarks/README.md`` from results: nobody copies numbers by hand.

A table or picture stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; what there are no results
for stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.markdown import span, table
from benchmarks.mlflow_clients import report
from benchmarks.results import POINT, Result, curves, number

NAMES = {"headrace": "**Headrace**"}


PICTURES = {
    "reference.svg": "points per second, of Headrace and of the reference",
    "growth.svg": "figures while something else grows",
    "call.svg": "microseconds per call, by tracker",
    "throughput.svg": "points per second, by tracker",
    "mlflow-clients.svg": "how many times MLflow's server ours is, asked by MLflow's client",
    "servers.svg": "milliseconds of the same questions to both servers",
}


def fill(
    page: Path, results: Sequence[Result], machines: Iterable[Mapping[str, Any]], drawn: Iterable[Path] = ()
) -> None:
    """Replaces the tables of the page, and names the pictures that were drawn."""
    text = page.read_text()
    blocks = {
        "machine": "\n".join(dict.fromkeys(f"- {machine.line(dict(one))}" for one in machines)),
        "ours": _ours(results),
        "curves": _curves(results),
        "W1": _peers(results, "W1"),
        "W100": _peers(results, "W100"),
        "servers": _servers(results),
        "mlflow-clients": report.rows(results),
        **{path.name: f"![{PICTURES[path.name]}]({path.name})" for path in drawn if path.name in PICTURES},
    }
    for name, block in blocks.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        if block and begin in text:
            before, _, rest = text.partition(begin)
            text = f"{before}{begin}{block}\n{end}{rest.partition(end)[2]}"
    page.write_text(text)


def _ours(results: Sequence[Result]) -> str:
    return table(
        ["workload", "figure", "median", "least to most", "runs", "commit"],
        [
            [
                one["benchmark"],
                f"`{name}`",
                number(figure["median"]),
                span(figure),
                str(len(one["runs"])),
                one["commit"],
            ]
            for one in results
            if "benchmark" in one and "server" not in one
            for name, figure in one["figures"].items()
            if not POINT.fullmatch(name)
        ],
    )


def _curves(results: Sequence[Result]) -> str:
    """A line for each curve: its points, and the last in the first."""
    rows = []
    for one in results:
        for curve, points in curves(one["figures"] if "benchmark" in one else {}).items():
            medians = [point["median"] for point in points.values()]
            shown = ", ".join(
                f"{number(median)} at {place:,}" for place, median in zip(points, medians, strict=True)
            )
            share = f"{min(medians) / max(medians):.2f}" if max(medians) else ""
            rows.append([one["benchmark"], f"`{curve}`", shown, share, one["commit"]])
    return table(["workload", "curve", "medians", "least / most", "commit"], rows)


def _peers(results: Sequence[Result], workload: str) -> str:
    rows = sorted(
        (one for one in results if one.get("workload") == workload),
        key=lambda one: -one["flushed_per_s"]["median"],
    )
    return table(
        [
            "system",
            "µs a call, p50",
            "p99",
            "points/s until flushed",
            "least to most",
            "ours is",
            "durable on return",
        ],
        [
            [
                str(NAMES.get(one["system"], one["system"])),
                number(one["p50_us"]["median"]),
                number(one["p99_us"]["median"]),
                number(one["flushed_per_s"]["median"]),
                span(one["flushed_per_s"]),
                f"{number(one['ours_to_theirs'])} x",
                one["durable_on_return"],
            ]
            for one in rows
        ],
    )


def _servers(results: Sequence[Result]) -> str:
    servers = {one["server"]: one["figures"] for one in results if "server" in one}
    figures = dict.fromkeys(name for found in servers.values() for name in found)
    return table(
        ["", *(NAMES.get(server, server) for server in servers)],
        [
            [
                f"`{name}`",
                *(
                    f"{number(found[name]['median'])} ({span(found[name])})" if name in found else ""
                    for found in servers.values()
                ),
            ]
            for name in figures
        ],
    )
