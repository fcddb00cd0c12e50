"""``headrace experiments``: list, create, rename, tag, delete and restore them."""

import argparse
from dataclasses import asdict
from typing import Any

from headrace.cli import output
from headrace.client import Client
from headrace.entities import Experiment, ViewType
from headrace.errors import NotFoundError

NAME_OR_ID = "its name or id"
VIEWS = {"active": ViewType.ACTIVE_ONLY, "deleted": ViewType.DELETED_ONLY, "all": ViewType.ALL}


def add_to(commands: Any) -> None:
    """Adds the command group."""
    group = commands.add_parser("experiments", help="list, create and change experiments").add_subparsers(
        metavar="COMMAND", required=True
    )

    def add(name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
        description = f"{help_text[0].upper()}{help_text[1:]}."
        parser: argparse.ArgumentParser = group.add_parser(name, help=help_text, description=description)
        parser.set_defaults(run=run)
        output.add_source(parser)
        return parser

    listing = add("list", _list, "list experiments, the newest first")
    listing.add_argument("FILTER", nargs="?", help="""as "name LIKE 'digits%%' AND tags.team = 'vision'\"""")
    listing.add_argument("--order-by", action="append", metavar="FIELD", help='as "name DESC"')
    listing.add_argument("--view", choices=VIEWS, default="active", help="which (default: active)")
    output.add_formats(listing)
    creation = add("create", _create, "create an experiment and print its id")
    creation.add_argument("NAME")
    creation.add_argument("--artifact-location", metavar="URI", help="where its runs keep their files")
    creation.add_argument("--tag", action="append", default=[], type=pair, metavar="KEY=VALUE")
    renaming = add("rename", _rename, "give an experiment another name")
    renaming.add_argument("EXPERIMENT", help=NAME_OR_ID)
    renaming.add_argument("NAME", help="the new one")
    tagging = add("tag", _tag, "set tags of an experiment")
    tagging.add_argument("EXPERIMENT", help=NAME_OR_ID)
    tagging.add_argument("TAG", nargs="+", type=pair, metavar="KEY=VALUE")
    deletion = add("delete", _delete, "delete experiments and their runs, until restored or erased (gc)")
    deletion.add_argument("EXPERIMENT", nargs="+", help=NAME_OR_ID)
    restoration = add("restore", _restore, "restore deleted experiments, and the runs deleted with them")
    restoration.add_argument("EXPERIMENT", nargs="+", help=NAME_OR_ID)


def pair(text: str) -> tuple[str, str]:
    """A tag as argparse asks for it."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value


def experiment_of(client: Client, text: str) -> Experiment:
    """The experiment that ``text``, a name or an id, means. ``NotFoundError`` when it is none."""
    experiment = client.get_experiment_by_name(text)
    if experiment is None and text.isdecimal():
        return client.get_experiment(text)
    if experiment is None:
        raise NotFoundError(f"there is no experiment {text!r}")
    return experiment


def _list(options: argparse.Namespace) -> int:
    client = output.client(options)
    experiments: list[Experiment] = []
    token: str | None = None
    while True:
        view, order = VIEWS[options.view], options.order_by
        with output.pointing_into(options.FILTER or ""):
            page = client.search_experiments(view, 1000, options.FILTER, order, token)
        experiments += page
        token = page.token
        if not token:
            break
    rows = [
        (each.experiment_id, each.name, each.lifecycle_stage, output.local_time(each.creation_time))
        for each in experiments
    ]
    data = [asdict(experiment) for experiment in experiments]
    output.show(options, ("ID", "NAME", "STAGE", "CREATED"), rows, data)
    return 0


def _create(options: argparse.Namespace) -> int:
    client = output.client(options)
    print(client.create_experiment(options.NAME, options.artifact_location, dict(options.tag)))
    return 0


def _rename(options: argparse.Namespace) -> int:
    client = output.client(options)
    client.rename_experiment(experiment_of(client, options.EXPERIMENT).experiment_id, options.NAME)
    return 0


def _tag(options: argparse.Namespace) -> int:
    client = output.client(options)
    client.set_experiment_tags(experiment_of(client, options.EXPERIMENT).experiment_id, dict(options.TAG))
    return 0


def _delete(options: argparse.Namespace) -> int:
    client = output.client(options)
    for experiment in [experiment_of(client, text) for text in options.EXPERIMENT]:
        client.delete_experiment(experiment.experiment_id)
    return 0


def _restore(options: argparse.Namespace) -> int:
    client = output.client(options)
    for experiment in [experiment_of(client, text) for text in options.EXPERIMENT]:
        client.restore_experiment(experiment.experiment_id)
    return 0
