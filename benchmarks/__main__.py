"""``python -m benchmarks [NAME...] [--peers NAME,...] [--json FILE] [--quick]``."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.daemon import daemon
from benchmarks.harness import measure, table_head, table_row
from benchmarks.peers import PEERS
from benchmarks.peers.compare import HEAD, compare, row
from benchmarks.workloads import HEAVY, WORKLOADS


def main() -> int:
    """Runs the named workloads, all by default. JSON lines go to stdout, a table for people to stderr."""
    options = parse(sys.argv[1:])
    results = []
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        surroundings = machine.describe(Path(folder))
        print(machine.line(surroundings), table_head(), sep="\n", file=sys.stderr)
        os.environ["HEADRACE_JOURNAL_DIR"] = str(Path(folder) / "journals")
        for name in options.names if options.peers else options.names or tuple(WORKLOADS)[: -len(HEAVY)]:
            with daemon(Path(folder) / name) as address:
                os.environ["HEADRACE_TRACKING_URI"] = f"headrace://{address}"
                result = measure(name, runs=options.runs, quick=options.quick)
            results.append(result)
            print(json.dumps(result), flush=True)
            print(table_row(result), file=sys.stderr, flush=True)
        if options.peers:
            print(HEAD, file=sys.stderr)
            rounds, seconds = (1, 1.0) if options.quick else (options.runs, 5.0)
            for result in compare(options.peers, Path(folder), rounds=rounds, seconds=seconds):
                results.append(result)
                print(json.dumps(result), flush=True)
                print(row(result), file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": surroundings, "results": results}, indent=2) + "\n")
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    described = "\n".join(f"  {name:14}{workload.__doc__}" for name, workload in WORKLOADS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures Headrace against a real daemon on a temporary folder.",
        epilog=f"workloads:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    parser.add_argument(
        "--peers",
        type=lambda text: list(PEERS) if text == "all" else text.split(","),
        default=[],
        metavar="NAME,...",
        help=f"compare with other trackers, or all: {', '.join(PEERS)}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the machine and all results to FILE")
    parser.add_argument("--quick", action="store_true", help="a tenth of the points, to see that it works")
    parser.add_argument("--runs", type=int, default=5, help="the figures are medians of so many (default: 5)")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(WORKLOADS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    if unknown := set(options.peers) - set(PEERS):
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
