"""``python -m benchmarks [NAME...] [--peers NAME,...] [--json FILE] [--check] [--quick]``."""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from benchmarks import machine, page, plots, results, stored
from benchmarks.daemon import daemon
from benchmarks.harness import measure, table
from benchmarks.peers import PEERS
from benchmarks.peers.compare import HEAD, SERVERS, compare, row
from benchmarks.workloads import HEAVY, LIGHT, WORKLOADS

RUNS = 3
RUNS_OF_HEAVY = 1
DEFAULT = list(LIGHT)
DOCS = Path(__file__).parents[1] / "docs" / "benchmarks"


def main() -> int:
    """Runs the named workloads. JSON lines go to stdout, a table for people to stderr."""
    options = parse(sys.argv[1:])
    if options.plot is not None:
        return draw(options.plot or sorted((DOCS / "results").glob("*.json")))
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as name:
        folder = Path(name)
        surroundings = machine.describe(folder)
        print(machine.line(surroundings), file=sys.stderr)
        os.environ["HEADRACE_JOURNAL_DIR"] = str(folder / "journals")
        done = []
        for result in measured(options, folder):
            done.append(result | {"commit": surroundings["commit"]})
            print(json.dumps(done[-1]), flush=True)
            if options.json:  # after each one: the next may fail
                results.write(options.json, surroundings, done, update=options.update)
    if options.store:
        stored.store(done, surroundings)
        return 0
    verdicts = stored.check(done, stored.load())
    for verdict in verdicts:
        print(verdict.line, file=sys.stderr)
    return 0 if not options.check or all(verdict.holds for verdict in verdicts) else 1


def draw(files: list[Path]) -> int:
    """Draws the files' results, and fills in the page's tables."""
    known = list(results.read(files).values())
    drawn = plots.draw(known, DOCS)
    page.fill(DOCS / "README.md", known, map(results.machine_of, files), drawn)
    print(*drawn, sep="\n", file=sys.stderr)
    return 0


@contextmanager
def tracking(folder: Path) -> Iterator[None]:
    """A daemon that everything of this environment logs to."""
    with daemon(folder) as address:
        os.environ["HEADRACE_TRACKING_URI"] = f"headrace://{address}"
        yield


def measured(options: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The results as they come, each with its lines of the table."""
    if options.quick:
        os.environ[machine.IMPATIENT] = "1"
    with tracking(folder / "quick") if options.quick else nullcontext():
        for name in options.names if options.peers else options.names or DEFAULT:
            runs = options.runs or (RUNS_OF_HEAVY if name in HEAVY else RUNS)
            with nullcontext() if options.quick else tracking(folder / name):
                result = measure(name, runs=runs, quick=options.quick)
            print(table(result), file=sys.stderr, flush=True)
            yield result
    if options.peers:
        print(HEAD, file=sys.stderr)
        rounds, seconds = (1, 1.0) if options.quick else (options.runs or RUNS, 5.0)
        for result in compare(options.peers, folder, rounds=rounds, seconds=seconds):
            print(row(result), file=sys.stderr, flush=True)
            yield result


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures Headrace against a real daemon on a temporary folder.",
        epilog=described(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="see below")
    parser.add_argument(
        "--peers",
        type=lambda text: [*PEERS, SERVERS] if text == "all" else text.split(","),
        default=[],
        metavar="NAME,...",
        help=f"compare with other trackers, or all: {', '.join(PEERS)}; {SERVERS}: ask our daemon and "
        "MLflow's server the same",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the machine and all results to FILE")
    parser.add_argument("--update", action="store_true", help="keep what else --json's FILE has")
    parser.add_argument(
        "--quick", action="store_true", help="few points and one daemon for all, to see that it works"
    )
    parser.add_argument(
        "--runs",
        type=int,
        help=f"the figures are medians of so many (default: {RUNS}, of the heavy ones {RUNS_OF_HEAVY})",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 when a ratio to the reference is below the stored one, by more than the tolerance",
    )
    parser.add_argument("--store", action="store_true", help="store the measured ratios to the reference")
    parser.add_argument(
        "--plot",
        type=Path,
        nargs="*",
        metavar="FILE",
        help="measure nothing: draw these JSON files (default: docs/benchmarks/results/*) into "
        "docs/benchmarks, and fill in the page's tables",
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(WORKLOADS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    if unknown := set(options.peers) - {*PEERS, SERVERS}:
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}, {SERVERS}")
    return options


def described() -> str:
    """The workloads, for ``--help``."""

    def lines(names: list[str]) -> str:
        return "\n".join(f"  {name:16}{WORKLOADS[name].__doc__}" for name in names)

    heavy = list(HEAVY)
    return f"workloads:\n{lines(DEFAULT)}\n\nheavy, only when named:\n{lines(heavy)}"


def end(*_: object) -> None:
    """Ends as Ctrl-C does: daemons and servers are stopped, folders deleted."""
    sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    sys.exit(main())
