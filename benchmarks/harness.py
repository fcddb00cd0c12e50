"""Repeats a workload and takes the median of each figure."""

import statistics
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from benchmarks.workloads import WORKLOADS

Result = dict[str, Any]

FULL = 1_000_000
QUICK = 100_000
WARM_UP = 10_000


def measure(name: str, *, runs: int, quick: bool) -> Result:
    """Medians of ``runs`` runs of a workload, in a process of its own that ends before its daemon does."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as process:
        measured = process.submit(_repeat, name, runs, QUICK if quick else FULL).result()
    medians = {figure: round(statistics.median(run[figure] for run in measured), 3) for figure in measured[0]}
    return {"benchmark": name, "quick": quick, "median": medians, "runs": measured}


def _repeat(name: str, runs: int, points: int) -> list[Mapping[str, float]]:
    workload = WORKLOADS[name]
    workload(WARM_UP)
    return [workload(points) for _ in range(runs)]


def table_head() -> str:
    """The first line of the table."""
    return f"{'benchmark':14}figures (medians)"


def table_row(result: Result) -> str:
    """One line for people."""
    figures = (
        f"{name} {value:,.3g}" if value < 1000 else f"{name} {value:,.0f}"
        for name, value in result["median"].items()
    )
    return f"{result['benchmark']:14}{'   '.join(figures)}"
