"""Our daemon and MLflow's server asked the same, in turn: writes, a history, searches; and their memory."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine
from benchmarks.results import progress, summary

Result = dict[str, Any]


class Asked(NamedTuple):
    """A server and who asks it."""

    name: str
    pid: int
    python: Path
    module: str


def questions(
    servers: list[Asked], rounds: int, environment: Mapping[str, str], runs: int = 1000
) -> Iterator[Result]:
    """A result for each server. ``runs``: to search."""
    answers: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in servers:
            progress(f"questions, round {number + 1} of {rounds}: {server.name}")
            machine.settle()
            answers[server.name].append(_ask(server, environment, runs))
    for name, measured in answers.items():
        figures = {figure: summary(one[figure] for one in measured) for figure in measured[0]}
        yield {"server": name, "benchmark": "servers", "figures": figures, "runs": measured}


def _ask(server: Asked, environment: Mapping[str, str], runs: int) -> dict[str, float]:
    command = [str(server.python), str(Path(__file__).with_name("asked.py")), server.module]
    command += ["--runs", str(runs)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(environment), check=False)
    if done.returncode != 0:
        raise RuntimeError(f"asking {server.name} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures | {"memory_mb": machine.memory_mb(server.pid)}
