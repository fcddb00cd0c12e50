"""``headrace runs``: list, show, compare, watch, delete and restore them."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from headrace.cli import compare, output, rewinds, watch
from headrace.cli.experiments import VIEWS, experiment_of
from headrace.client import Client
from headrace.entities import LifecycleStage, MetricSummary, Run, ViewType
from headrace.errors import NotFoundError
from headrace.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

RUN_HELP = "a run's id, the beginning of one, or a run's name"


_MOST_NAMED = 4
"""Runs that a message names at most."""


def add_to(commands: Any) -> None:
    """Adds the command group."""
    group = commands.add_parser("runs", help="list, show, compare and watch runs").add_subparsers(
        metavar="COMMAND", required=True
    )
    listing = group.add_parser("list", help="list runs", description="List runs, newest first.")
    listing.add_argument("--experiment", metavar="NAME_OR_ID", help="only those of this experiment")
    listing.add_argument("--limit", type=count, default=50, metavar="N", help="at most so many (default: 50)")
    listing.add_argument("--view", choices=VIEWS, default="active", help="which runs (default: active)")
    output.add_formats(listing)
    listing.set_defaults(run=_list)
    show = group.add_parser(
        "show", help="show a run", description="Show a run: its metrics, params and tags."
    )
    show.add_argument("RUN", help=RUN_HELP)
    show.add_argument("--writers", action="store_true", help="and who wrote its points: host, pid, rank")
    show.set_defaults(run=_show)
    output.add_json(show)
    comparison = compare.add_to(group, RUN_HELP)
    comparison.set_defaults(run=_compare)
    watching = watch.add_to(group, RUN_HELP)
    watching.set_defaults(run=_watch)
    rewinding = rewinds.add_to(group, RUN_HELP)
    rewinding.set_defaults(run=_rewinds)
    deletion = group.add_parser(
        "delete", help="delete runs", description="Delete runs, until they are restored or erased (gc)."
    )
    deletion.set_defaults(run=_delete)
    restoration = group.add_parser(
        "restore", help="restore deleted runs", description="Restore deleted runs."
    )
    restoration.set_defaults(run=_restore)
    for parser in (deletion, restoration):
        parser.add_argument("RUN", nargs="+", help=RUN_HELP)
    for parser in (listing, show, comparison, watching, rewinding, deletion, restoration):
        output.add_source(parser)


def find_run_id(client: Client, text: str, view: int | None = None) -> str:
    """The id that ``text`` (:data:`RUN_HELP`) means. ``NotFoundError`` when it is none, or not one.

    Runs that are not deleted come first, unless ``view`` says which are meant.
    """
    text = text.removesuffix("…")  # copied from a table
    if re.fullmatch("[0-9a-f]{32}", text):
        return text
    quoted = text.replace("'", "''")
    asked = f"run_name = '{quoted}'"
    if re.fullmatch("[0-9a-f]+", text):
        asked += f" OR run_id LIKE '{text}%'"
    for each in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY) if view is None else (view,):
        runs = client.search_runs(None, asked, each, max_results=_MOST_NAMED)
        if len(runs) > 1:
            raise NotFoundError(_ambiguous(text, runs))
        for run in runs:
            return run.info.run_id
    raise NotFoundError(f"there is no run {text!r}")


def _ambiguous(text: str, runs: Sequence[Run]) -> str:
    named = [
        f"{run.info.run_id} ({run.info.run_name}, {output.local_time(run.info.start_time)})" for run in runs
    ]
    many = f"{len(runs)} runs" if len(runs) < _MOST_NAMED else "many runs, among them"
    return f"{text!r} means {many}: {', '.join(named)}; give more of an id"


def count(text: str) -> int:
    """A number of runs to show, as argparse asks for it."""
    value = int(text)
    if not 1 <= value <= 50_000:
        raise argparse.ArgumentTypeError(f"{value} is not in 1 to 50000")
    return value


def _list(options: argparse.Namespace) -> int:
    client = output.client(options)
    wanted = None if options.experiment is None else [experiment_id(client, options.experiment)]
    runs = client.search_runs(wanted, run_view_type=VIEWS[options.view], max_results=options.limit)
    rows = [
        (
            run.info.run_id,
            run.info.run_name,
            run.info.status,
            run.info.experiment_id,
            output.local_time(run.info.start_time),
            output.duration(run.info.start_time, run.info.end_time),
            str(len(run.data.metrics)),
        )
        for run in runs
    ]
    columns = ("RUN", "NAME", "STATUS", "EXPERIMENT", "STARTED", "DURATION", "METRICS")
    output.show(options, columns, rows, [asdict(run) for run in runs])
    return 0


def _compare(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_ids = [find_run_id(client, text) for text in options.RUN]
    runs = [client.get_run(run_id) for run_id in run_ids]
    compare.compare(options, runs, [client.get_metric_summaries(run_id) for run_id in run_ids])
    return 0


def _watch(options: argparse.Namespace) -> int:
    client = output.client(options)
    watch.watch(options, client, find_run_id(client, options.RUN))
    return 0


def _delete(options: argparse.Namespace) -> int:
    client = output.client(options)
    for run_id in [find_run_id(client, text) for text in options.RUN]:
        client.delete_run(run_id)
    return 0


def _restore(options: argparse.Namespace) -> int:
    client = output.client(options)
    for run_id in [find_run_id(client, text, ViewType.DELETED_ONLY) for text in options.RUN]:
        client.restore_run(run_id)
    return 0


def experiment_id(client: Client, text: str) -> str:
    """The id that ``text``, a name or an id, means. ``NotFoundError`` when it is none."""
    return experiment_of(client, text).experiment_id


def _rewinds(options: argparse.Namespace) -> int:
    client = output.client(options)
    rewinds.rewinds(options, client, find_run_id(client, options.RUN))
    return 0


def _show(options: argparse.Namespace) -> int:
    client = output.client(options)
    run_id = find_run_id(client, options.RUN)
    run, summaries = client.get_run(run_id), client.get_metric_summaries(run_id)
    writers = client.list_writers(run_id) if options.writers else []
    if options.json:
        shown = {key: asdict(summary) for key, summary in summaries.items()}
        more = {"writers": [asdict(writer) for writer in writers]} if options.writers else {}
        output.print_json({**asdict(run), "summaries": shown, **more})
        return 0
    _print(run, summaries)
    if writers:
        print()
        names = ("rank", "host", "pid", "user")
        rows = [
            (writer.writer_id, *(writer.labels.get(name, "") for name in names), str(writer.points))
            for writer in writers
        ]
        output.table(("WRITER", "RANK", "HOST", "PID", "USER", "POINTS"), rows)
    return 0


def _print(run: Run, summaries: dict[str, MetricSummary]) -> None:
    info = run.info
    facts = {
        "run": info.run_id,
        "name": info.run_name,
        "experiment": info.experiment_id,
        "status": info.status + (", deleted" if info.lifecycle_stage == LifecycleStage.DELETED else ""),
        "user": info.user_id,
        "started": output.local_time(info.start_time),
        "ended": output.local_time(info.end_time),
        "artifacts": info.artifact_uri,
    }
    for name, fact in facts.items():
        print(f"{name:<12}{fact}".rstrip())
    if summaries:
        print()
        rows = [
            (key, *(f"{value:.6g}" for value in (s.last.value, s.min, s.max)), str(s.last.step), str(s.count))
            for key, s in sorted(summaries.items())
        ]
        output.table(("METRIC", "LAST", "MIN", "MAX", "LAST STEP", "POINTS"), rows)
    for title, texts in (("PARAM", run.data.params), ("TAG", run.data.tags)):
        if texts:
            print()
            output.table((title, "VALUE"), sorted(texts.items()))
    if used := run.inputs.dataset_inputs:
        print()
        cells = [
            (one.dataset.name, one.dataset.digest, tag.value if tag else "")
            for one in used
            for tag in [next((tag for tag in one.tags if tag.key == MLFLOW_DATASET_CONTEXT), None)]
        ]
        output.table(("DATASET", "DIGEST", "CONTEXT"), cells)
    if made := run.outputs.model_outputs:
        print()
        output.table(("MODEL", "STEP"), [(one.model_id, str(one.step)) for one in made])
