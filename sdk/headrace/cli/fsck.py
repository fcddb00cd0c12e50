"""``headrace fsck DATA``: is all that was stored still as it was stored?"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headrace.cli import output
from headrace.errors import HeadraceError

DESCRIPTION = """Check a daemon's data folder: that each segment is there, with the size, checksum and rows
that the catalog knows, and that the manifest names what is there. It works beside a running daemon. The exit
code is 1 when something is damaged, or cannot be checked."""

_RUNS_SHOWN = 5


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser("fsck", help="check a data folder for damage", description=DESCRIPTION)
    parser.add_argument("DATA", type=Path, help="the data folder (headrace server --data)")
    parser.add_argument(
        "--database-url", metavar="URL", help="its PostgreSQL, if that is not the embedded server"
    )
    parser.add_argument(
        "--drop-damaged",
        action="store_true",
        help="give damaged segments up, so that the rest of their runs can be read again: their files go to "
        "DATA/damaged, their runs get the tag headrace.damaged with the number of points",
    )
    output.add_json(parser)
    parser.set_defaults(run=_fsck)


def _fsck(options: argparse.Namespace) -> int:
    try:
        from headrace_ingest import fsck  # noqa: PLC0415 - the daemon's packages are an extra
    except ModuleNotFoundError as error:
        raise HeadraceError(
            f"the daemon is not installed (no module {error.name!r}); install it with: "
            "pip install 'headrace[server]'"
        ) from error
    try:
        with output.progress("checking") as progress:
            found = fsck.check(
                options.DATA, options.database_url, progress, drop_damaged=options.drop_damaged
            )
    except fsck.StartError as error:
        raise HeadraceError(str(error)) from error
    if options.json:
        output.print_json(asdict(found))
    else:
        objects = found.segments - found.inline
        print(
            f"checked {objects:,} files and {found.inline:,} small segments in the catalog: "
            f"{found.rows:,} points, {found.size:,} bytes"
        )
        if found.orphans:
            print(f"{len(found.orphans):,} files are of nothing in the catalog; a daemon deletes leftovers")
        for damage in found.damaged:
            print(f"damaged: {damage.name}: {damage.problem}{_concerned(damage.runs, damage.rows)}")
    if found.damaged:
        print(f"headrace: {len(found.damaged)} damaged", file=sys.stderr)
    return 1 if found.damaged else 0


def _concerned(runs: Any, rows: int) -> str:
    if not runs:
        return ""
    shown = ", ".join(runs[:_RUNS_SHOWN]) + (
        f" and {len(runs) - _RUNS_SHOWN} more" if len(runs) > _RUNS_SHOWN else ""
    )
    return f" ({rows:,} points of run{'s' if len(runs) > 1 else ''} {shown})"
