"""``headrace runs rewinds RUN``: what was hidden by resuming a run from a step."""

import argparse
from dataclasses import asdict
from typing import Any

from headrace.cli import output
from headrace.client import Client

DESCRIPTION = """List what was hidden of a run by resuming it from a step: points of earlier attempts from
that step on. --undo shows them again, --redo hides them again; nothing is ever lost."""


def add_to(group: Any, run_help: str) -> argparse.ArgumentParser:
    """Adds the command to ``headrace runs``."""
    parser: argparse.ArgumentParser = group.add_parser(
        "rewinds", help="list or undo what resuming from a step hid", description=DESCRIPTION
    )
    parser.add_argument("RUN", help=run_help)
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--undo", type=int, metavar="NUMBER", help="show what this rewind hid")
    change.add_argument("--redo", type=int, metavar="NUMBER", help="hide it again")
    output.add_formats(parser)
    return parser


def rewinds(options: argparse.Namespace, client: Client, run_id: str) -> None:
    """Changes a rewind, if one is named, and prints all."""
    if options.undo is not None:
        client.undo_rewind(run_id, options.undo)
    if options.redo is not None:
        client.redo_rewind(run_id, options.redo)
    found = client.list_rewinds(run_id)
    rows = [
        (
            str(rewind.number),
            str(rewind.step),
            rewind.attempt,
            output.local_time(rewind.created_at),
            output.local_time(rewind.undone_at),
        )
        for rewind in found
    ]
    data = [asdict(rewind) for rewind in found]
    output.show(options, ["NUMBER", "HIDES FROM STEP", "ATTEMPT", "AT", "UNDONE"], rows, data)
