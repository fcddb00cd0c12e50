"""The ``headrace`` command: one file per group of commands, ``output.py`` for how things are shown.

Data goes to stdout, everything else to stderr. Exit codes: 0 done, 1 failed (one line says why), 2 wrong
usage, 130 interrupted.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from headrace.cli import (
    artifacts,
    chart,
    experiments,
    fsck,
    gc,
    history,
    imports,
    models,
    processes,
    rejects,
    runs,
    search,
    sync,
)
from headrace.errors import HeadraceError
from headrace.version import VERSION

DESCRIPTION = "Log metrics of ML trainings, read them back, run the daemon that stores them."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code. Wrong usage exits (``SystemExit``) with 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments and arguments[0] in processes.COMMANDS:
        return processes.run(arguments[0], arguments[1:])
    if arguments in (["experiments"], ["runs"]):
        arguments.append("list")
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names have letters that few encodings know
    try:
        result: int = options.run(options)
        sys.stdout.flush()
    except (HeadraceError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # `headrace ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        print(f"headrace: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headrace", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"headrace {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    groups = (
        processes, experiments, runs, models, artifacts, search, history, chart, rejects, sync, imports, gc,
        fsck,
    )  # fmt: skip
    for group in groups:
        group.add_to(commands)
    return parser
