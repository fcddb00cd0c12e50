"""Repeats a workload; the median, the least and the most of each figure."""

import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.lasting import STACK
from benchmarks.results import Result, number, progress, summary
from benchmarks.workloads import WORKLOADS

FULL = 1_000_000
QUICK = 20_000
WARM_UP = 0.1
"""The part of the points that a run logs which does not count."""


def measure(name: str, *, runs: int, quick: bool) -> Result:
    """``runs`` runs of a workload, after a warm-up if there are several.

    They have a process of their own, which ends before their daemon does.
    """
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        measured = process.submit(_repeat, name, runs, QUICK if quick else FULL).result()
    figures = {figure: summary(run[figure] for run in measured) for figure in measured[0]}
    return {"benchmark": name, "quick": quick, "figures": figures, "runs": measured}


def _repeat(name: str, runs: int, points: int) -> list[Mapping[str, float]]:
    workload = WORKLOADS[name]
    measured = []
    with STACK:
        if runs > 1:
            progress(f"{name}: warming up")
            workload(int(points * WARM_UP))
        for number in range(runs):
            began = time.monotonic()
            measured.append(workload(points))
            progress(f"{name}: run {number + 1} of {runs} took {time.monotonic() - began:.1f} s")
    return measured


def table(result: Result) -> str:
    """A line for each figure, for people."""
    whose = result.get("server") or result["benchmark"]
    return "\n".join(
        f"{whose:16}{name:26}{number(figure['median']):>14}"
        f"   {number(figure['min'])} to {number(figure['max'])}"
        for name, figure in result["figures"].items()
    )
