"""``headrace rejects``: what the server refused."""

import argparse
from dataclasses import asdict
from typing import Any

from headrace.cli import output
from headrace.cli.runs import RUN_HELP, find_run_id


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "rejects",
        help="list operations that the server refused",
        description="List the operations that the server refused, newest first.",
    )
    parser.add_argument("RUN", nargs="?", help=f"{RUN_HELP}; default: all runs")
    output.add_source(parser)
    output.add_formats(parser)
    parser.set_defaults(run=_rejects)


def _rejects(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = None if options.RUN is None else find_run_id(client, options.RUN)
    rejects = client.list_rejects(run_id, max_results=1000)
    rows = [
        (output.local_time(reject.timestamp), reject.run_id, reject.code, reject.message)
        for reject in rejects
    ]
    columns = ("TIME", "RUN", "CODE", "MESSAGE")
    output.show(options, columns, rows, [asdict(reject) for reject in rejects])
    return 0
