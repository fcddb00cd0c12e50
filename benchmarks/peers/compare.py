"""Ours and theirs in turn: medians with the least and the most of several rounds, and ratios."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.daemon import daemon, daemon_pid
from benchmarks.harness import table
from benchmarks.peers import PEERS, Peer
from benchmarks.peers.questions import Asked, questions
from benchmarks.peers.servers import mlflow_server
from benchmarks.results import progress, summary

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".cache" / "peers"
OURS = "headrace"
SERVERS = "servers"
"""Names no tracker: our daemon and MLflow's server are asked the same questions."""

ASKED = "mlflow-sync"
"""Whose environment has that server."""

WIDTHS = {"W1": 1, "W100": 100}
"""Metrics in a call."""

FIGURES = ("p50_us", "p99_us", "flushed_per_s")

CALLS_OF_OURS = 1_000_000

Result = dict[str, Any]


def compare(names: list[str], folder: Path, *, rounds: int, seconds: float) -> Iterator[Result]:
    """A result for each system and width. Peers that are not installed are named on stderr and left out."""
    present = [name for name in names if name in PEERS and python_of(name).exists()]
    asks = SERVERS in names and python_of(ASKED).exists()
    for name in names:
        if name not in present and not (name == SERVERS and asks):
            progress(f"{name}: skipped, it is not installed (make bench-peers PEERS={name})")
    with ExitStack() as stack:
        environment = dict(os.environ)
        address = stack.enter_context(daemon(folder / "ours"))
        environment["HEADRACE_TRACKING_URI"] = f"headrace://{address}"
        if asks or any(PEERS[name].sends for name in present):
            theirs = stack.enter_context(mlflow_server(python_of(ASKED), folder))
            environment["MLFLOW_TRACKING_URI"] = theirs.address
        for width, metrics in WIDTHS.items() if present else ():
            runs: dict[str, list[Result]] = {name: [] for name in (OURS, *present)}
            for number in range(rounds):
                for name, results in runs.items():  # in turn: what disturbs, disturbs all
                    progress(f"{width}, round {number + 1} of {rounds}: {name}")
                    work = folder / f"{name}-{width}-{number}"
                    work.mkdir()
                    machine.settle()
                    results.append(once(name, work, metrics, seconds, environment))
            yield from summaries(width, runs)
        if asks:
            asked = [
                Asked(OURS, daemon_pid(folder / "ours"), python_of(OURS), "headrace_"),
                Asked("mlflow", theirs.pid, python_of(ASKED), "mlflow_"),
            ]
            yield from questions(asked, rounds, environment)


def once(name: str, folder: Path, metrics: int, seconds: float, environment: dict[str, str]) -> Result:
    """One run of one system in its interpreter."""
    module = "headrace_" if name == OURS else PEERS[name].module
    command = [str(python_of(name)), str(Path(__file__).with_name("timed.py")), module]
    command += ["--folder", str(folder), "--metrics", str(metrics), "--seconds", str(seconds)]
    most = PEERS[name].calls if name in PEERS else CALLS_OF_OURS
    command += ["--calls", str(most)]
    mode = {} if name == OURS else {"HEADRACE_BENCH_MODE": PEERS[name].mode}
    log = folder / "said"
    with log.open("wb") as said:
        done = subprocess.run(
            command, stdout=said, stderr=said, env=environment | mode, cwd=folder, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"{name} failed:\n{log.read_text(errors='replace')[-2000:]}")
    result: Result = json.loads((folder / "result.json").read_text())
    return result


def summaries(width: str, runs: dict[str, list[Result]]) -> Iterator[Result]:
    """Medians, spans, and how many times theirs is ours."""
    ours = statistics.median(run["flushed_per_s"] for run in runs[OURS])
    for name, results in runs.items():
        peer = PEERS.get(name, Peer((), "", durable="yes, journal"))
        result: Result = {"system": name, "workload": width, "runs": results}
        result["durable_on_return"] = peer.durable
        for figure in FIGURES:
            result[figure] = summary(run[figure] for run in results)
        result["ours_to_theirs"] = ours / result["flushed_per_s"]["median"]
        yield result


def python_of(name: str) -> Path:
    """The interpreter that has the system."""
    return Path(sys.executable) if name == OURS else ENVIRONMENTS / PEERS[name].module / "bin" / "python"


def row(result: Result) -> str:
    """Lines for people."""
    if "server" in result:
        return table(result)
    p50, p99, rate = (result[figure] for figure in FIGURES)
    return (
        f"{result['workload']:5}{result['system']:14}{p50['median']:>12,.1f}{p99['median']:>12,.1f}"
        f"{rate['median']:>14,.0f}  ({rate['min']:,.0f} to {rate['max']:,.0f})"
        f"{result['ours_to_theirs']:>12,.1f} x   {result['durable_on_return']}"
    )


HEAD = f"{'':5}{'system':14}{'p50 us/call':>12}{'p99':>12}{'points/s until flushed':>14}"
