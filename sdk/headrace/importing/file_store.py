"""A folder of MLflow's (``./mlruns``), read run by run: broken ones are told by name, the others are read.

MLflow's own searches skip such runs without a word, or fail as a whole. Histories are read from their files,
which MLflow would load whole into memory.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlparse

from headrace.importing.report import Report

PAGE: Final = 100_000
"""Points of a page of a history."""

_RUN: Final = re.compile("[0-9a-f]{32}")
_SCHEME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*:")
_EXPERIMENT: Final = re.compile("[0-9]{1,18}")

Columns = tuple["array[int]", "array[int]", "array[float]"]

T = TypeVar("T")


def folder_of(uri: str) -> Path | None:
    """The folder that a path or a ``file:`` URI names; ``None``: it is no such thing."""
    if uri.startswith("file:"):
        return Path(unquote(urlparse(uri).path))
    return None if _SCHEME.match(uri) else Path(uri)


class FileStore:
    """See the module."""

    def __init__(self, root: Path, client: Any, report: Report) -> None:
        self._root = root
        self._client = client
        self._report = report

    def experiments(self) -> list[Any]:
        """The experiments that can be read."""
        found = []
        for parent in (self._root, self._root / ".trash"):
            for folder in sorted(parent.iterdir()) if parent.is_dir() else ():
                if not _EXPERIMENT.fullmatch(folder.name):
                    continue
                what = f"experiment {folder.name} ({folder})"
                experiment = self._tried(what, partial(self._client.get_experiment, folder.name))
                if experiment is not None:
                    found.append(experiment)
        return found

    def runs(self, experiment: Any) -> Iterator[tuple[Path, Any]]:
        """The runs of an experiment that can be read, each with its folder."""
        for folder in sorted(self._folder(experiment).iterdir()):
            if not (folder / "meta.yaml").is_file() and not _RUN.fullmatch(folder.name):
                continue  # datasets, models, traces
            run = self._run(folder)
            if run is None:
                continue
            if not (folder_of(run.info.artifact_uri) or folder).exists():
                # The store was moved: what it says is where it was.
                run.info._artifact_uri = str(folder / "artifacts")  # noqa: SLF001 - an entity of MLflow's
                if not (folder / "artifacts").is_dir():
                    self._report.problem(f"files of run {folder.name}", "their folder is gone")
            yield folder, run

    def _run(self, folder: Path) -> Any:
        """A run, or what can be read of it; ``None``: nothing.

        MLflow's own ``get_run`` makes objects of all points to find the latest.
        """
        store, run_id = self._client._tracking_client.store, folder.name  # noqa: SLF001
        info = self._tried(f"run {run_id}", partial(store._get_run_info_from_dir, str(folder)))  # noqa: SLF001
        if info is None or info.run_id != run_id or info.experiment_id != folder.parent.name:
            if info is not None:
                self._report.problem(f"run {run_id}", f"its meta.yaml in {folder} is that of another run")
            return None

        def tried(name: str) -> Any:
            read = partial(getattr(store, f"_get_all_{name}"), info)
            return self._tried(f"{name} of run {run_id}", read)

        params, tags = ({each.key: each.value for each in tried(name) or ()} for name in ("params", "tags"))
        metrics = {
            path.relative_to(folder / "metrics").as_posix(): None for path in _files(folder / "metrics")
        }
        data = SimpleNamespace(metrics=metrics, params=params, tags=tags)
        return SimpleNamespace(info=info, data=data, inputs=tried("inputs"), outputs=tried("outputs"))

    def history(self, folder: Path, key: str) -> Iterator[Columns]:
        """The points of a metric, as they were logged; lines that are none are told, and left out."""
        pages: Columns = (array("q"), array("q"), array("d"))
        skipped, first = 0, ""
        with (folder / "metrics" / key).open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                parts = line.split()
                try:
                    point = int(parts[2]) if len(parts) > 2 else 0, int(parts[0]), float(parts[1])
                    array("q", point[:2])
                except (ValueError, IndexError, OverflowError):
                    skipped, first = skipped + 1, first or line.strip()
                    continue
                pages[0].append(point[0])
                pages[1].append(point[1])
                pages[2].append(point[2])
                if len(pages[0]) >= PAGE:
                    yield pages
                    pages = (array("q"), array("q"), array("d"))
        if pages[0]:
            yield pages
        if skipped:
            problem = f"{skipped} lines are no points and were left out, the first is {first[:60]!r}"
            self._report.problem(f"metric {key!r} of run {folder.name}", problem)
            self._report.theirs["points"] += skipped

    def with_all_points(self, experiment: Any, model: Any) -> Any:
        """A logged model with all of its points; MLflow tells the last of each dataset only."""
        folder = self._folder(experiment) / "models" / model.model_id / "metrics"
        points: list[Any] = []
        for path in _files(folder):
            points += self._model_points(model.model_id, path, path.relative_to(folder).as_posix())
        model._metrics = points  # noqa: SLF001 - an entity of MLflow's
        return model

    def _model_points(self, model_id: str, path: Path, key: str) -> Iterator[Any]:
        for line in path.read_text("utf-8", "replace").splitlines():
            try:
                time, value, step, run_id, *dataset = line.split(" ")
                point = SimpleNamespace(
                    key=key, value=float(value), timestamp=int(time), step=int(step), run_id=run_id
                )
            except ValueError:
                self._report.problem(f"metric {key!r} of model {model_id}", f"{line[:60]!r} is no point")
                continue
            # A dataset's name may have spaces, its digest has none.
            point.dataset_name, point.dataset_digest = " ".join(dataset[:-1]), "".join(dataset[-1:])
            yield point

    def _folder(self, experiment: Any) -> Path:
        name = str(experiment.experiment_id)
        here = self._root / name
        return here if here.is_dir() else self._root / ".trash" / name

    def _tried(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever is broken, the others are read
            self._report.problem(what, f"cannot be read: {error}")
            return None


def size_of_metrics(folder: Path) -> int:
    """Bytes of the files of a run's metrics: they grow with each point."""
    return sum(path.stat().st_size for path in _files(folder / "metrics"))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
