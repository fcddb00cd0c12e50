"""The MLflow store that is read: a folder, a database or a server, all through MLflow's own client.

Nothing is written to it. What it gives is MLflow's entities, but for runs and histories, which are taken
apart here: a history comes in pages of columns, never whole.
"""

import importlib
import os
import re
import urllib.error
import urllib.request
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from headrace.errors import HeadraceError, UnavailableError
from headrace.importing import file_store
from headrace.importing.database import Database
from headrace.importing.file_store import FileStore
from headrace.importing.report import Report

INSTALL: Final = "pip install 'headrace[mlflow]'"

SERVER_PAGE: Final = 25_000
"""Points of a page: what MLflow's own client asks a server for."""

_RUNS: Final = 200
_ENTITIES: Final = 1000
_ALL: Final = 3  # mlflow.entities.ViewType.ALL
_PASSWORD: Final = re.compile(r"(://[^/@:]*):[^@/]*@")
_PROBE_SECONDS: Final = 15.0


T = TypeVar("T")


class Page(NamedTuple):
    """Points of a metric, in the source's order: columns of equal length, times in ms since the epoch."""

    steps: "array[int]"
    timestamps: "array[int]"
    values: "array[float]"


@dataclass(slots=True)
class SourceRun:
    """A run of the source, without its histories and files. ``latest`` is the last value of each metric."""

    run_id: str
    name: str
    user: str
    status: str
    start_time: int
    end_time: int | None
    deleted: bool
    artifact_uri: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    latest: dict[str, float | None] = field(default_factory=dict)
    datasets: Sequence[Any] = ()
    model_inputs: Sequence[Any] = ()
    model_outputs: Sequence[Any] = ()
    folder: Path | None = None
    """Where a store of files has it."""
    size: int = 0
    """Bytes of its metrics in a store of files, which knows no latest values."""

    def __str__(self) -> str:
        return f"run {self.run_id}" + f" ({self.name[:60]})" * bool(self.name)


class Source:
    """See the module. Get one from :func:`open_source`."""

    def __init__(self, uri: str, name: str, client: Any, report: Report) -> None:
        self.uri = uri
        self.name = name
        self.client = client
        self._report = report
        folder = file_store.folder_of(uri)
        self._files = None if folder is None else FileStore(folder, client, report)
        store = client._tracking_client.store  # noqa: SLF001 - the client tells histories only whole
        self._database = Database(store) if hasattr(store, "ManagedSessionMaker") else None

    # What there is.

    def experiments(self, names: Sequence[str] = ()) -> list[Any]:
        """The experiments, deleted ones too, by id: all, or those with these names."""
        if self._files is not None:
            found = self._files.experiments()
        else:
            found = list(
                _pages(lambda token: self.client.search_experiments(_ALL, _ENTITIES, page_token=token))
            )
        if missing := set(names) - {each.name for each in found}:
            listed = ", ".join(sorted(repr(name) for name in missing))
            raise HeadraceError(f"the source has no experiment {listed}", "RESOURCE_DOES_NOT_EXIST")
        chosen = [each for each in found if not names or each.name in names]
        return sorted(chosen, key=lambda each: (len(each.experiment_id), each.experiment_id))

    def runs(self, experiment: Any) -> Iterator[SourceRun]:
        """The runs of an experiment, deleted ones too, the oldest first where the store knows the order."""
        if self._files is not None:
            for folder, found in self._files.runs(experiment):
                yield _run(found, folder)
            return
        order = ["attributes.start_time ASC"]
        ids = [experiment.experiment_id]
        for found in _pages(lambda token: self.client.search_runs(ids, "", _ALL, _RUNS, order, token)):
            yield _run(found, None)

    def histories(self, run: SourceRun) -> Iterator[tuple[str, Page]]:
        """The points of a run's metrics in parts, one metric after the other; what cannot be read is told."""
        if self._database is not None:
            parts = self._database.histories(run.run_id)
            yield from self._told(f"metrics of {run}", ((key, Page(*columns)) for key, columns in parts))
            return
        for key in run.latest:
            history = self._history(run, key)
            yield from self._told(f"metric {key!r} of {run}", ((key, page) for page in history))

    def _told(self, what: str, parts: Iterator[T]) -> Iterator[T]:
        try:
            yield from parts
        except Exception as error:  # noqa: BLE001 - whatever MLflow raises, the rest is read
            self._report.problem(what, f"cannot be read: {error}")

    def _history(self, run: SourceRun, key: str) -> Iterator[Page]:
        if self._files is not None and run.folder is not None:
            for columns in self._files.history(run.folder, key):
                yield Page(*columns)
            return
        store = self.client._tracking_client.store  # noqa: SLF001 - as above
        token = None
        while True:
            found = store.get_metric_history(run.run_id, key, max_results=SERVER_PAGE, page_token=token)
            if found:
                yield Page(
                    array("q", [point.step for point in found]),
                    array("q", [point.timestamp for point in found]),
                    array("d", [point.value for point in found]),
                )
            token = found.token
            if not token:
                return

    def logged_models(self, experiment: Any) -> Iterator[Any]:
        """The logged models of an experiment; MLflow does not tell of deleted ones."""
        ids = [experiment.experiment_id]
        for model in _pages(
            lambda token: self.client.search_logged_models(ids, max_results=100, page_token=token)
        ):
            yield model if self._files is None else self._files.with_all_points(experiment, model)

    def registered_models(self) -> Iterator[Any]:
        """The registered models, by name."""
        yield from _pages(
            lambda token: self.client.search_registered_models(max_results=_ENTITIES, page_token=token)
        )

    def versions(self, name: str) -> list[Any]:
        """The versions of a registered model, ascending."""
        quoted = f'"{name}"' if "'" in name else f"'{name}'"
        found = _pages(
            lambda token: self.client.search_model_versions(
                f"name={quoted}", max_results=_ENTITIES, page_token=token
            )
        )
        return sorted(found, key=lambda version: int(version.version))

    def artifact_uri(self, run_id: str) -> str:
        """Where a run's files are."""
        return str(self.client.get_run(run_id).info.artifact_uri)


def open_source(text: str, report: Report) -> Source:
    """The store that ``text`` names.

    Raises:
        HeadraceError: MLflow is not installed, or there is no such store.
    """
    uri = _checked(text)
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 reads folders of files only then
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        tracking: Any = importlib.import_module("mlflow.tracking")
    except ModuleNotFoundError as error:
        raise HeadraceError(
            f"reading from MLflow needs its library (no module {error.name!r}); install it with: {INSTALL}"
        ) from error
    try:
        tracking.set_tracking_uri(uri)  # else parts of it make a database in the working directory
        tracking.set_registry_uri(uri)
        client = tracking.MlflowClient(tracking_uri=uri, registry_uri=uri)
        if file_store.folder_of(uri) is None:  # of a folder, one that is broken would fail them all
            client.search_experiments(max_results=1)
    except ModuleNotFoundError as error:
        raise HeadraceError(
            f"reading {_shown(uri)} needs the module {error.name!r}; MLflow's databases need all of MLflow "
            "(pip install mlflow) and the database's driver, as psycopg2-binary"
        ) from error
    except Exception as error:
        raise HeadraceError(f"MLflow cannot open {_shown(uri)}: {error}") from error
    report.source = _shown(uri)
    return Source(uri, report.source, client, report)


def _checked(text: str) -> str:
    """The URI of an existing store; MLflow would make one that does not exist."""
    if text.startswith(("http://", "https://")):
        uri = text.rstrip("/")
        try:
            urllib.request.urlopen(f"{uri}/health", timeout=_PROBE_SECONDS).close()  # noqa: S310 - http only
        except urllib.error.HTTPError:
            pass  # it answers
        except (OSError, ValueError) as error:
            raise UnavailableError(f"no MLflow server answers at {uri}: {error}") from error
        return uri
    scheme, found, rest = text.partition("://")
    if found and scheme != "file":
        if scheme.startswith("sqlite"):
            database = Path(rest.removeprefix("/").partition("?")[0])
            if not database.is_file():
                raise HeadraceError(f"there is no database {database}", "RESOURCE_DOES_NOT_EXIST")
            return f"{scheme}:///{database.resolve()}"
        return text
    folder = file_store.folder_of(text)
    if folder is None or not folder.is_dir():
        raise HeadraceError(
            f"{text!r} is no folder; give one of MLflow's (./mlruns), a database (sqlite:///mlflow.db, "
            "postgresql://...) or a server (http://...)",
            "RESOURCE_DOES_NOT_EXIST",
        )
    if not any(folder.glob("*/meta.yaml")) and not any(folder.glob(".trash/*/meta.yaml")):
        raise HeadraceError(f"{folder} holds no experiment of MLflow", "RESOURCE_DOES_NOT_EXIST")
    return folder.resolve().as_uri()


def _shown(uri: str) -> str:
    """A URI without its password."""
    return _PASSWORD.sub(r"\1:***@", uri)


def _pages(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    token = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return


def _run(found: Any, folder: Path | None) -> SourceRun:
    if isinstance(found, SourceRun):
        return found
    info, data = found.info, found.data
    inputs, outputs = getattr(found, "inputs", None), getattr(found, "outputs", None)
    return SourceRun(
        run_id=info.run_id,
        name=info.run_name or data.tags.get("mlflow.runName", ""),
        user=info.user_id or data.tags.get("mlflow.user", ""),
        status=str(info.status),
        start_time=info.start_time or 0,
        end_time=info.end_time or None,
        deleted=info.lifecycle_stage == "deleted",
        artifact_uri=info.artifact_uri or "",
        params=dict(data.params),
        tags=dict(data.tags),
        latest=dict(data.metrics),
        datasets=inputs.dataset_inputs if inputs else (),
        model_inputs=getattr(inputs, "model_inputs", None) or (),
        model_outputs=getattr(outputs, "model_outputs", None) or (),
        folder=folder,
        size=0 if folder is None else file_store.size_of_metrics(folder),
    )
