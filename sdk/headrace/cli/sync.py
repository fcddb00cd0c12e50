"""``headrace sync DIR``: delivers what is left in a folder of journals."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headrace.cli import output

DESCRIPTION = """Deliver the journals in a folder (HEADRACE_JOURNAL_DIR) that nobody else delivers: those of
trainings that were killed, or that ended while no daemon answered. What is delivered already is not
delivered twice."""


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser("sync", help="deliver journals that were left", description=DESCRIPTION)
    parser.add_argument("DIR", type=Path, help="the folder of journals")
    parser.add_argument("--tracking-uri", metavar="URI", help="where to (default: where each journal says)")
    parser.add_argument(
        "--refill",
        action="store_true",
        help="offer journals that were delivered once more: after the database was restored from a backup",
    )
    output.add_json(parser)
    parser.set_defaults(run=_sync)


def _sync(options: argparse.Namespace) -> int:
    from headrace.shipping.sync import SyncProgress, sync  # noqa: PLC0415 - loads gRPC

    if not options.DIR.is_dir():
        raise NotADirectoryError(f"{options.DIR} is no folder")
    with output.progress("delivering") as show:

        def on_progress(now: SyncProgress) -> None:
            show(now.delivered, now.total)

        report = sync(options.DIR, uri=options.tracking_uri, refill=options.refill, progress=on_progress)
    if options.json:
        paths = {name: [str(path) for path in getattr(report, name)] for name in ("unfinished", "unreadable")}
        output.print_json({**asdict(report), **paths})
    else:
        files = f", {report.uploads:,} files or packs of files" if report.uploads else ""
        print(f"delivered {report.delivered:,} operations from {report.journals:,} journals{files}")
    if report.rejects:
        print(f"headrace: {report.rejects:,} operations were refused; see: headrace rejects", file=sys.stderr)
    if report.pending:
        left = ", ".join(map(str, report.unfinished))
        print(f"headrace: {report.pending:,} operations are left in {left}", file=sys.stderr)
    if report.waiting:
        print(f"headrace: {report.waiting:,} files wait in {options.DIR}", file=sys.stderr)
    if report.unreadable:
        names = ", ".join(map(str, report.unreadable))
        print(f"headrace: these journals cannot be read, and are kept: {names}", file=sys.stderr)
    return 1 if report.pending or report.waiting or report.unreadable else 0
