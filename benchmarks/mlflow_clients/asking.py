"""Both servers, and processes with MLflow's client that ask them in turn."""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine
from benchmarks.daemon import daemon, daemon_pid
from benchmarks.mlflow_clients import PROCESSES, TARGETS, asked, raw
from benchmarks.peers.compare import ROOT
from benchmarks.peers.servers import UNTOLD, free_port, mlflow_server
from benchmarks.results import Result, progress, summary

Answers = dict[str, dict[str, float]]
"""Figures by question."""

RESTED_WITHIN = 2.0
"""Seconds."""

OURS = {"rest", "plugin"}
RAW = "requests"
SEVERAL = "log-batch-processes"

RUN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from benchmarks.mlflow_clients.client import main
sys.path.pop(0)  # MLflow looks for pyspark along the path in every fluent call: as long as a user's
main()
"""


class Place(NamedTuple):
    """Where a target is."""

    uri: str
    port: int = 0
    pid: int = 0
    prepared: dict[str, Any] = {}  # noqa: RUF012 - never changed


def compare(
    python: Path, folder: Path, questions: Sequence[str], targets: Sequence[str], rounds: int
) -> Iterator[Result]:
    """A result for each question and target, when all rounds are done: what disturbs, disturbs all."""
    known: dict[tuple[str, str], list[dict[str, float]]] = {}
    versions: dict[str, str] = {}
    with places(python, folder, set(questions), targets) as found:
        for number in range(rounds):
            for target in (name for name in targets if any(asked(one, name) for one in questions)):
                progress(f"round {number + 1} of {rounds}: {target}")
                for pid in {place.pid for place in found.values()}:
                    machine.rest(pid, RESTED_WITHIN)
                began = time.monotonic()
                answers, versions = ask(python, found[target], target, questions, folder)
                progress(f"{target} took {time.monotonic() - began:.1f} s")
                for question, answer in answers.items():
                    known.setdefault((question, target), []).append(answer)
    for question in questions:
        for target in targets:
            if runs := known.get((question, target)):
                figures = {name: summary(run[name] for run in runs) for name in runs[0]}
                result: Result = {"question": question, "target": target, "figures": figures}
                yield result | {"runs": runs, "versions": versions}


@contextmanager
def places(
    python: Path, folder: Path, questions: set[str], targets: Sequence[str]
) -> Iterator[dict[str, Place]]:
    """Those targets that are wanted, with what is read from them."""
    found = {name: Place(f"{name}://") for name in targets}
    with ExitStack() as stack:
        if OURS & found.keys():
            port = free_port()
            address = stack.enter_context(daemon(folder / "ours", arguments=("--http-port", str(port))))
            progress("preparing ours")
            place = Place("", port, daemon_pid(folder / "ours"), raw.prepare(port, questions))
            uris = {"rest": f"http://127.0.0.1:{port}", "plugin": f"headrace://{address}"}
            for name in OURS & found.keys():
                found[name] = place._replace(uri=uris[name])
        if "mlflow" in found:
            progress("starting MLflow's server")
            server = stack.enter_context(mlflow_server(python, folder))
            progress("preparing MLflow's")
            port = int(server.address.rpartition(":")[2])
            found["mlflow"] = Place(server.address, port, server.pid, raw.prepare(port, questions))
        yield found


def ask(
    python: Path, place: Place, target: str, questions: Sequence[str], folder: Path
) -> tuple[Answers, dict[str, str]]:
    """The answers to those questions that make sense, and the versions of the client."""
    wanted = [name for name in questions if asked(name, target)]
    answers: Answers = {}
    versions: dict[str, str] = {}
    if RAW in wanted:
        answers[RAW] = raw.answer(place.port, TARGETS[target].requests, place.prepared)
    clients = Clients(python, place, target, folder)
    if alone := [name for name in wanted if name not in {RAW, SEVERAL}]:
        [one] = clients.answer(alone, 1)
        answers |= one["answers"]
        versions = one["versions"]
    if SEVERAL in wanted:
        answers[SEVERAL] = at_once([one["answers"][SEVERAL] for one in clients.answer([SEVERAL], PROCESSES)])
    return answers, versions


def at_once(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """From the first that began until the last that ended."""
    took = max(part["ended"] for part in parts) - min(part["began"] for part in parts)
    return {"points_per_s": sum(part["points"] for part in parts) / took}


class Clients(NamedTuple):
    """Processes with MLflow's client."""

    python: Path
    place: Place
    target: str
    folder: Path

    def answer(self, questions: Sequence[str], count: int) -> list[Any]:
        """What so many say that begin at the same moment, when all have loaded MLflow."""
        command = [str(self.python), "-I", "-c", RUN, str(ROOT), self.target, *questions]
        command += ["--prepared", json.dumps(self.place.prepared)]
        environment = os.environ | UNTOLD | {"MLFLOW_TRACKING_URI": self.place.uri}
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        log = self.folder / "client.log"
        with ExitStack() as stack:
            pipes["stderr"] = stack.enter_context(log.open("w"))
            clients: list[Any] = [
                stack.enter_context(subprocess.Popen(command, env=environment, cwd=self.folder, **pipes))
                for _ in range(count)
            ]
            for client in clients:
                client.stdout.readline()
            for client in clients:
                client.stdin.close()
            answers = [client.stdout.read() for client in clients]
        if any(client.returncode for client in clients):
            raise RuntimeError(f"{self.target} failed:\n{log.read_text()[-2000:]}")
        return [json.loads(answer) for answer in answers]
