"""``python -m benchmarks.mlflow_clients [QUESTION...] [--targets NAME,...] [--rounds N] [--json FILE]``."""

import argparse
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import machine, results
from benchmarks.__main__ import end
from benchmarks.mlflow_clients import QUESTIONS, TARGETS
from benchmarks.mlflow_clients.asking import compare
from benchmarks.mlflow_clients.report import times
from benchmarks.peers.compare import ASKED, python_of
from benchmarks.results import Result, number

ROUNDS = 3


def main() -> int:
    """Asks everything, unless questions are named. JSON lines go to stdout, a table to stderr."""
    options = parse(sys.argv[1:])
    python = python_of(ASKED)
    if not python.exists():
        print("MLflow is not installed for this: make bench-mlflow", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        folder = Path(name)
        surroundings = machine.describe(folder)
        print(machine.line(surroundings), file=sys.stderr)
        os.environ["HEADRACE_JOURNAL_DIR"] = str(folder / "journals")
        done: list[Result] = []
        for result in compare(python, folder, options.questions, options.targets, options.rounds):
            done.append(result | {"commit": surroundings["commit"]})
            print(json.dumps(done[-1]), flush=True)
            print(table(done[-1], done), file=sys.stderr, flush=True)
    if options.json:
        results.write(options.json, surroundings, done, update=options.update)
    return 0


def table(result: Result, done: list[Result]) -> str:
    """A line for each figure, with how many times MLflow's it is."""
    theirs = next(
        (one for one in done if one["question"] == result["question"] and one["target"] == "mlflow"), None
    )
    lines = []
    for name, figure in result["figures"].items():
        line = f"{result['question']:20}{result['target']:16}{name:28}{number(figure['median']):>10}"
        line += f"   {number(figure['min'])} to {number(figure['max'])}"
        if theirs and theirs is not result and name in theirs["figures"]:
            line += f"   {times(name, figure, theirs['figures'][name]):.3g} x"
        lines.append(line)
    return "\n".join(lines)


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    lines = [f"  {name:20}{what}" for name, what in QUESTIONS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mlflow_clients",
        description=__doc__,
        epilog="\n".join(["questions:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help="all by default")
    parser.add_argument(
        "--targets",
        type=lambda text: text.split(","),
        default=list(TARGETS),
        metavar="NAME,...",
        help=f"of {', '.join(TARGETS)}",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="the figures are medians of so many")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the machine and all results to FILE")
    parser.add_argument("--update", action="store_true", help="keep what else --json's FILE has")
    options = parser.parse_args(arguments)
    options.questions = options.questions or list(QUESTIONS)
    if unknown := {*options.questions, *options.targets} - {*QUESTIONS, *TARGETS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    sys.exit(main())
