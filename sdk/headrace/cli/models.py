"""``headrace models``: logged models listed, shown and compared, and the model registry."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from headrace.calls.registry import version_of_uri
from headrace.cli import output
from headrace.cli.runs import count, experiment_id
from headrace.client import Client
from headrace.entities import LoggedModel, Metric, RegisteredModel
from headrace.errors import NotFoundError
from headrace.faces import ask

MODEL_HELP = "a model's id, models:/NAME/VERSION or models:/NAME@ALIAS"

_SHOWN_METRICS = 4


def add_to(commands: Any) -> None:
    """Adds the command group."""
    group = commands.add_parser("models", help="list, show and compare models").add_subparsers(
        metavar="COMMAND", required=True
    )

    def add(name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
        description = f"{help_text[0].upper()}{help_text[1:]}."
        parser: argparse.ArgumentParser = group.add_parser(name, help=help_text, description=description)
        parser.set_defaults(run=run)
        output.add_source(parser)
        output.add_formats(parser)
        return parser

    listing = add("list", _list, "list logged models, the newest first unless ordered")
    listing.add_argument("FILTER", nargs="?", help="as \"metrics.acc > 0.9 AND params.kind = 'forest'\"")
    listing.add_argument("--order-by", action="append", metavar="FIELD", help='as "metrics.acc DESC"')
    listing.add_argument("--experiment", action="append", metavar="NAME_OR_ID", help="only models of it")
    listing.add_argument("--dataset", metavar="NAME", help="only metrics on this dataset count")
    listing.add_argument("--max", type=count, default=50, metavar="N", help="at most so many (default: 50)")
    show = add("show", _show, "show a model: its params, tags and metrics")
    show.add_argument("MODEL", help=MODEL_HELP)
    comparison = add("compare", _compare, "show models beside one another")
    comparison.add_argument("MODEL", nargs="+", help=MODEL_HELP)
    comparison.add_argument("--all", action="store_true", help="also what is the same in all of them")
    registered = add("registered", _registered, "list registered models, with their versions and aliases")
    registered.add_argument("FILTER", nargs="?", help="as \"name LIKE 'digits%%' AND tags.team = 'vision'\"")
    versions = add("versions", _versions, "list the versions of a registered model, the newest first")
    versions.add_argument("NAME")
    registering = add("register", _register, "make a version of a registered model, which is made if need be")
    registering.add_argument("MODEL", help="the id of a logged model")
    registering.add_argument("NAME", help="of the registered model")
    registering.add_argument("--alias", action="append", default=[], help="that shall mean this version")


def _list(options: argparse.Namespace) -> int:
    client = output.client(options)
    wanted = [experiment_id(client, name) for name in options.experiment or ()] or None
    datasets = [{"dataset_name": options.dataset}] if options.dataset else None
    order = [_clause(text) for text in options.order_by or ()]
    found = client.search_logged_models(wanted, options.FILTER, datasets, options.max, order)
    rows = [
        (
            model.model_id,
            model.name,
            str(model.status),
            output.local_time(model.creation_timestamp),
            "  ".join(
                f"{key}={value:.6g}" for key, value in _latest(model, options.dataset)[:_SHOWN_METRICS]
            ),
        )
        for model in found
    ]
    columns = ("MODEL", "NAME", "STATUS", "CREATED", "METRICS")
    output.show(options, columns, rows, [model.to_dictionary() for model in found])
    return 0


def _show(options: argparse.Namespace) -> int:
    model = _find(output.client(options), options.MODEL)
    rows = [(name, value) for name, [value] in _rows([model])]
    output.show(options, ("FIELD", "VALUE"), rows, model.to_dictionary())
    return 0


def _compare(options: argparse.Namespace) -> int:
    client = output.client(options)
    models = [_find(client, text) for text in options.MODEL]
    rows = [(name, *values) for name, values in _rows(models) if options.all or len(set(values)) > 1]
    columns = ["FIELD", *(model.name for model in models)]
    output.show(options, columns, rows, [model.to_dictionary() for model in models])
    return 0


def _registered(options: argparse.Namespace) -> int:
    client = output.client(options)
    found: list[RegisteredModel] = []
    token: str | None = None
    while True:
        page = client.search_registered_models(options.FILTER, 1000, None, token)
        found += page
        token = page.token
        if not token:
            break
    rows = [
        (
            model.name,
            str(max((int(version.version) for version in model.latest_versions), default="")),
            " ".join(f"@{alias}={version}" for alias, version in model.aliases.items()),
            output.local_time(model.last_updated_timestamp),
            model.description or "",
        )
        for model in found
    ]
    columns = ("NAME", "LATEST", "ALIASES", "UPDATED", "DESCRIPTION")
    output.show(options, columns, rows, [asdict(model) for model in found])
    return 0


def _versions(options: argparse.Namespace) -> int:
    client = output.client(options)
    client.get_registered_model(options.NAME)  # says so if there is none
    quoted = options.NAME.replace("'", "''")
    found = client.search_model_versions(f"name = '{quoted}'", 10_000, ["version_number DESC"])
    rows = [
        (
            version.version,
            " ".join(f"@{alias}" for alias in version.aliases),
            version.current_stage or "",
            version.model_id or version.source or "",
            output.local_time(version.creation_timestamp),
            version.description or "",
        )
        for version in found
    ]
    columns = ("VERSION", "ALIASES", "STAGE", "MODEL", "CREATED", "DESCRIPTION")
    output.show(options, columns, rows, [asdict(version) for version in found])
    return 0


def _register(options: argparse.Namespace) -> int:
    client = output.client(options)
    quoted = options.NAME.replace("'", "''")
    if not client.search_registered_models(f"name = '{quoted}'", 1):
        client.create_registered_model(options.NAME)
    model = client.get_logged_model(options.MODEL)
    made = client.create_model_version(options.NAME, model.model_uri, model_id=model.model_id)
    for alias in options.alias:
        client.set_registered_model_alias(options.NAME, alias, made.version)
    output.show(options, ("NAME", "VERSION"), [(made.name, made.version)], asdict(made))
    return 0


def _find(client: Client, text: str) -> LoggedModel:
    """The logged model that ``text`` (:data:`MODEL_HELP`) means."""
    path = text.removeprefix("models:").strip("/")
    if "/" not in path and "@" not in path:
        return client.get_logged_model(path)
    version = ask(client._core, version_of_uri(text if text.startswith("models:") else f"models:/{text}"))  # noqa: SLF001 - of one package
    if version.model_id is None:
        raise NotFoundError(f"version {version.version} of {version.name!r} is of no logged model")
    return client.get_logged_model(version.model_id)


def _clause(text: str) -> dict[str, Any]:
    name, _, direction = text.strip().rpartition(" ")
    if direction.upper() in {"ASC", "DESC"} and name:
        return {"field_name": name.strip(), "ascending": direction.upper() == "ASC"}
    return {"field_name": text.strip(), "ascending": True}


def _latest(model: LoggedModel, dataset: str | None = None) -> list[tuple[str, float]]:
    """The latest point of each metric, by key."""
    points: dict[str, Metric] = {}
    for point in sorted(model.metrics, key=lambda point: (point.timestamp, point.step)):
        if dataset in (None, point.dataset_name):
            points[point.key] = point
    return [(key, points[key].value) for key in sorted(points)]


def _rows(models: Sequence[LoggedModel]) -> Iterator[tuple[str, list[str]]]:
    for name in ("model_id", "name", "status", "experiment_id", "source_run_id", "model_type"):
        yield name, [str(getattr(model, name) or "") for model in models]
    yield "created", [output.local_time(model.creation_timestamp) for model in models]
    yield "artifacts", [model.artifact_location for model in models]
    for group in ("params", "tags"):
        of_all = [getattr(model, group) for model in models]
        for key in sorted({key for of in of_all for key in of}):
            yield f"{group}.{key}", [of.get(key, "") for of in of_all]
    latest = [_by_dataset(model) for model in models]
    for key in sorted({key for of in latest for key in of}):
        yield key, [of.get(key, "") for of in latest]


def _by_dataset(model: LoggedModel) -> dict[str, str]:
    """The latest value of each metric on each dataset."""
    found = {}
    for dataset in {point.dataset_name for point in model.metrics}:
        where = f" on {dataset}" if dataset else ""
        of = [point for point in model.metrics if point.dataset_name == dataset]
        for point in sorted(of, key=lambda point: (point.timestamp, point.step)):
            found[f"metrics.{point.key}{where}"] = f"{point.value:.6g}"
    return found
