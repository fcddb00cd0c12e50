"""``headrace import mlflow SOURCE``: everything of an MLflow store."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from headrace.cli import output, tables
from headrace.importing.importer import Options, run_import
from headrace.importing.report import Report

DESCRIPTION = """\
Import experiments, runs with their histories, files, logged models and registered models from MLflow. Ids of
runs and models are kept, those of experiments where they are free. Afterwards the numbers of both sides are
compared. An import that was killed goes on where it was when it is called again, on the same machine; what
is there already is not imported twice. Nothing is changed in the source."""

EPILOG = "Exit code 0: everything is there; 1: something is missing or was cut, which is told by name."

SHOWN = 50
"""Problems that are told; --json tells all."""

AGAIN_SECONDS = 0.2


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser("import", help="take over what another tracker has")
    sources = parser.add_subparsers(metavar="TRACKER", required=True)
    mlflow = sources.add_parser(
        "mlflow", help="an MLflow folder, database or server", description=DESCRIPTION, epilog=EPILOG
    )
    mlflow.add_argument(
        "SOURCE", help="./mlruns, sqlite:///mlflow.db, postgresql://..., mysql://..., or http://HOST:PORT"
    )
    mlflow.add_argument(
        "--experiment",
        action="append",
        dest="experiments",
        default=[],
        metavar="NAME",
        help="only this one, and the versions of models that its runs made; may be repeated",
    )
    mlflow.add_argument(
        "--prefix",
        type=prefix,
        default="",
        metavar="TEXT",
        help="before the names of experiments and registered models",
    )
    mlflow.add_argument(
        "--merge", action="store_true", help="add runs to experiments that are in Headrace already"
    )
    mlflow.add_argument("--no-artifacts", action="store_true", help="leave the files where they are")
    mlflow.add_argument(
        "--recheck", action="store_true", help="read again also what an earlier call imported and compared"
    )
    mlflow.add_argument(
        "--dry-run", action="store_true", help="only count what there is; points and files are not looked at"
    )
    output.add_json(mlflow)
    output.add_source(mlflow)
    mlflow.set_defaults(run=_import)


def prefix(text: str) -> str:
    """A text that names of registered models can begin with, as argparse asks for it."""
    if "/" in text or ":" in text:
        raise argparse.ArgumentTypeError(f"{text!r} holds / or :, which names of registered models cannot")
    return text


def _import(options: argparse.Namespace) -> int:
    chosen = Options(
        experiments=tuple(options.experiments),
        prefix=options.prefix,
        merge=options.merge,
        files=not options.no_artifacts,
        recheck=options.recheck,
        dry=options.dry_run,
    )
    report = Report(options.SOURCE)
    begun = time.monotonic()
    with _shown(report) as tick:
        run_import(options.SOURCE, output.client(options), chosen, report, tick)
    seconds = time.monotonic() - begun
    if options.json:
        output.print_json({**report.to_dictionary(), "seconds": round(seconds, 3)})
    else:
        _tell(report, seconds)
    return 0 if report.complete else 1


def _tell(report: Report, seconds: float) -> None:
    if report.dry:
        tables.table(("", "SOURCE"), [(kind, f"{theirs:,}") for kind, theirs, _ in report.lines()])
    else:
        rows = [
            (kind, f"{theirs:,}", f"{ours:,}", "" if theirs == ours else f"{ours - theirs:+,}")
            for kind, theirs, ours in report.lines()
        ]
        tables.table(("", "SOURCE", "HEADRACE", "DIFFERENCE"), rows)
    for note in report.notes:
        print(note)
    if report.dry:
        verdict = "nothing was written"
    elif report.complete:
        before = f", {report.found_done:,} runs by an earlier call" * bool(report.found_done)
        verdict = f"all of {report.source} is in Headrace{before} ({seconds:,.1f} s)"
    else:
        verdict = f"not all of {report.source} is in Headrace as it was; the reasons:"
    print(
        verdict if report.complete else f"headrace: {verdict}", file=None if report.complete else sys.stderr
    )
    for problem in report.problems[:SHOWN]:
        print(f"  {tables.printable(f'{problem.what}: {problem.why}')}", file=sys.stderr)
    if len(report.problems) > SHOWN:
        print(f"  and {len(report.problems) - SHOWN:,} more, see --json", file=sys.stderr)


@contextmanager
def _shown(report: Report) -> Iterator[Callable[[], None]]:
    """Shows on a terminal how far the import is: runs, points and bytes that are compared."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    shown = 0.0

    def due() -> bool:
        nonlocal shown
        now = time.monotonic()
        if now - shown < AGAIN_SECONDS:
            return False
        shown = now
        return True

    if find_spec("rich") is None:

        def line() -> None:
            if due():
                print(f"\r{_standing(report)}\x1b[K", end="", file=sys.stderr)

        yield line
        print(file=sys.stderr)
        return
    from rich.console import Console  # noqa: PLC0415 - an extra
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(10), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("importing", total=None)

        def advance() -> None:
            if due():
                bar.update(task, description=_standing(report))

        yield advance


def _standing(report: Report) -> str:
    done = report.ours if not report.dry else report.theirs
    of = f"{report.experiments_done + 1}/{done['experiments']} {tables.cut(report.experiment, 20)}"
    return f"{of}: {done['runs']:,} runs, {done['points']:,} points, {done['bytes of files'] / 1e6:,.0f} MB"
