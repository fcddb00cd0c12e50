"""``headrace gc``: erases what was deleted, for good."""

import argparse
import re
from typing import Any

from headrace.cli import output
from headrace.cli.experiments import experiment_of
from headrace.cli.runs import find_run_id
from headrace.client import Client
from headrace.entities import Erased, ViewType

DESCRIPTION = """\
Erase deleted runs and experiments for good. What is not deleted stays, whatever is named. Without --yes it
only shows what would be erased."""

_MOST = 1000
"""Runs and experiments whose names are looked up."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGE = re.compile(r"(?:\d+[dhms])+")


def add_to(commands: Any) -> None:
    """Adds the command."""
    parser = commands.add_parser("gc", help="erase what was deleted, for good", description=DESCRIPTION)
    parser.add_argument("--yes", action="store_true", help="erase; without it: show what would be")
    parser.add_argument(
        "--older-than",
        type=age,
        default=0,
        metavar="AGE",
        help="only what was deleted so long ago: 30d, 1d12h",
    )
    parser.add_argument(
        "--run", action="append", dest="runs", metavar="RUN", help="only this run; may be repeated"
    )
    parser.add_argument(
        "--experiment",
        action="append",
        dest="experiments",
        metavar="NAME_OR_ID",
        help="only this experiment and its runs; may be repeated",
    )
    output.add_formats(parser)
    output.add_source(parser)
    parser.set_defaults(run=_gc)


def age(text: str) -> int:
    """Seconds, as argparse asks for them."""
    if not _AGE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no age; give days, hours, minutes, seconds as 1d12h")
    return sum(int(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"\d+[dhms]", text))


def _gc(options: argparse.Namespace) -> int:
    client = output.client(options)
    runs = options.runs and [find_run_id(client, text, ViewType.DELETED_ONLY) for text in options.runs]
    named = options.experiments
    experiments = named and [experiment_of(client, text).experiment_id for text in named]
    erased = client.erase_deleted(runs, experiments, older_than=options.older_than, dry_run=True)
    names = _names(client, erased)
    if options.yes:
        erased = client.erase_deleted(runs, experiments, older_than=options.older_than)
    rows = [("run", each, names.get(each, "")) for each in erased.run_ids]
    rows += [("experiment", each, names.get(each, "")) for each in erased.experiment_ids]
    output.show(options, ("KIND", "ID", "NAME"), rows, {"erased": options.yes, **erased._asdict()})
    if not options.json and not options.csv:
        print(_summary(erased, done=options.yes))
    return 0


def _names(client: Client, victims: Erased) -> dict[str, str]:
    """What the runs and experiments are called that would be erased."""
    deleted = ViewType.DELETED_ONLY
    runs = client.search_runs(None, "", deleted, _MOST) if victims.run_ids else []
    experiments = client.search_experiments(deleted, _MOST) if victims.experiment_ids else []
    named = {each.experiment_id: each.name for each in experiments}
    return named | {run.info.run_id: run.info.run_name for run in runs}


def _summary(erased: Erased, *, done: bool) -> str:
    what = f"{len(erased.run_ids)} runs and {len(erased.experiment_ids)} experiments"
    return f"erased {what}" if done else f"would erase {what}; add --yes to do it"
