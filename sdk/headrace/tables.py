"""``log_table`` and ``load_table``: rows that are added to a file. They ask the daemon for what is there."""

import json
import logging
from collections.abc import Sequence
from typing import Any

from headrace import record
from headrace.calls import artifacts, runs
from headrace.core import Core
from headrace.entities import Run
from headrace.errors import NotFoundError
from headrace.faces import ask
from headrace.files import names, tables
from headrace.files.outgoing import upload_data
from headrace.operation import RunOperation
from headrace.together import together
from headrace.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

logger = logging.getLogger("headrace")

_RUNS = 1000


def log_table(core: Core, run_id: str, data: Any, artifact_file: str) -> RunOperation:
    """Adds rows to the table ``artifact_file`` of a run, which this makes if there is none."""
    names.checked(artifact_file)
    tables.encoded({}, artifact_file)  # it can be written, or this raises
    rows, pictures = tables.pictures(tables.columns_of(data), artifact_file)
    for path in pictures:
        names.checked(path)
    parts = [rows]
    try:
        there = ask(core, artifacts.read_artifact(run_id, artifact_file))
        parts.insert(0, tables.decoded(there, artifact_file))
    except NotFoundError:
        pass
    table = tables.encoded(tables.joined(parts), artifact_file)
    logged = [upload_data(core, run_id, content, path) for path, content in pictures.items()]
    logged.append(upload_data(core, run_id, table, artifact_file))
    return together([*logged, *_tagged(core, run_id, artifact_file)])


def _tagged(core: Core, run_id: str, artifact_file: str) -> list[RunOperation]:
    """MLflow finds the runs with a table by a tag."""
    told = _told(ask(core, runs.run_with_id(run_id)))
    this = {"path": artifact_file, "type": "table"}
    if this in told:
        return []
    return [record.tag(core.run_log(run_id), MLFLOW_LOGGED_ARTIFACTS, json.dumps([*told, this]))]


def _told(run: Run) -> list[Any]:
    try:
        told = json.loads(run.data.tags.get(MLFLOW_LOGGED_ARTIFACTS, "[]"))
    except ValueError:
        return []
    return told if isinstance(told, list) else []


def load_table(
    core: Core,
    experiment_id: str,
    artifact_file: str,
    run_ids: Sequence[str] | None = None,
    extra_columns: Sequence[str] | None = None,
) -> Any:
    """The rows of the tables ``artifact_file`` of an experiment's runs, as a pandas data frame."""
    names.checked(artifact_file)
    this = {"path": artifact_file, "type": "table"}
    parts = []
    for run in _runs_with_tables(core, experiment_id):
        if this not in _told(run) or (run_ids is not None and run.info.run_id not in run_ids):
            continue
        data = ask(core, artifacts.read_artifact(run.info.run_id, artifact_file))
        part = tables.decoded(data, artifact_file)
        rows = len(next(iter(part.values()), []))
        for column in extra_columns or ():
            part[f"{column}_" if column in part else column] = [_of_run(run, column)] * rows
        parts.append(part)
    if not parts:
        raise NotFoundError(f"no run of the experiment {experiment_id} has the table {artifact_file!r}")
    return tables.frame(tables.joined(parts))


def _runs_with_tables(core: Core, experiment_id: str) -> list[Run]:
    found: list[Run] = []
    token: str | None = None
    filter_string = f"tags.`{MLFLOW_LOGGED_ARTIFACTS}` LIKE '%table%'"
    while True:
        page = ask(
            core, runs.search_runs([experiment_id], filter_string, max_results=_RUNS, page_token=token)
        )
        found += page
        token = page.token
        if not token:
            return found


def _of_run(run: Run, column: str) -> Any:
    if hasattr(run.info, column):
        return getattr(run.info, column)
    return run.data.params.get(column, run.data.tags.get(column))
