"""``headrace experiments``."""

import argparse
from dataclasses import asdict
from typing import Any

from headrace.cli import output


def add_to(commands: Any) -> None:
    """Adds the command group."""
    group = commands.add_parser("experiments", help="list experiments").add_subparsers(
        metavar="COMMAND", required=True
    )
    listing = group.add_parser("list", help="list all experiments", description="List all experiments.")
    output.add_source(listing)
    output.add_json(listing)
    listing.set_defaults(run=_list)


def _list(options: argparse.Namespace) -> int:
    client = output.client(options)
    page = client.search_experiments()
    experiments = list(page)
    while page.token:
        page = client.search_experiments(page_token=page.token)
        experiments += page
    if options.json:
        output.print_json([asdict(experiment) for experiment in experiments])
        return 0
    rows = [
        (each.experiment_id, each.name, each.lifecycle_stage, output.local_time(each.creation_time))
        for each in experiments
    ]
    output.table(("ID", "NAME", "STAGE", "CREATED"), rows)
    return 0
