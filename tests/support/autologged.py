"""What a training left at a tracking server, as plain values that are equal at every server."""

import csv
import re
from pathlib import Path
from typing import Any

TEXTS = (".csv", ".html", ".json", ".txt", ".yaml", ".yml", "MLmodel")
"""Files that are compared by their text: ids and times in it are replaced."""

MEASURED = re.compile(r"_time$")
"""Metrics, and columns of tables, that are what the clock said: they have other values each time."""

TIMES = re.compile(
    r"(\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(\.\d+)?"  # in models, and in summaries of statsmodels
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4}"
)
RANDOM_NAME = re.compile(r"^[a-z]+-[a-z]+-\d+$")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def autologged(client: Any, experiment_name: str, folder: Path) -> dict[str, Any]:
    """Runs, histories, datasets, files and logged models of an experiment; ``folder``: where to download."""
    experiment = client.get_experiment_by_name(experiment_name).experiment_id
    # The runs of a search begin at the same time: their parameters tell which is which.
    runs = sorted(
        (client.get_run(run.info.run_id) for run in client.search_runs([experiment])),  # R10: searches differ
        key=lambda run: (
            "mlflow.parentRunId" in run.data.tags,
            run.info.start_time,
            sorted(run.data.params.items()),
        ),
    )
    models = client.search_logged_models([experiment], order_by=[{"field_name": "creation_timestamp"}])
    ids = {run.info.run_id: f"<run {number}>" for number, run in enumerate(runs)}
    ids |= {model.model_id: f"<model {number}>" for number, model in enumerate(models)}
    reader = _Reader(client, experiment, ids, folder)
    return {
        "runs": [reader.run(run) for run in runs],
        "models": [reader.model(model) for model in models],
    }


class _Reader:
    def __init__(self, client: Any, experiment: str, ids: dict[str, str], folder: Path) -> None:
        self._client, self._ids, self._folder = client, ids, folder
        self._locations = re.compile(rf"mlflow-artifacts:(//[^/]*)?/{experiment}/")

    def run(self, run: Any) -> dict[str, Any]:
        run_id, info, data = run.info.run_id, run.info, run.data
        assert info.start_time <= info.end_time
        random = RANDOM_NAME.match(info.run_name)
        tags = {key: self._plain(value) for key, value in data.tags.items()}
        used = run.inputs.model_inputs if run.inputs else []
        made = run.outputs.model_outputs if run.outputs else []
        return {
            "name": "random" if random else info.run_name,
            "status": info.status,
            "stage": info.lifecycle_stage,
            "location": self._plain(info.artifact_uri),
            "params": data.params,
            "metrics": {key: self._history(run_id, key) for key in data.metrics},
            "latest": {key: value for key, value in data.metrics.items() if not MEASURED.search(key)},
            "tags": tags | ({"mlflow.runName": "random"} if random else {}),
            "datasets": [self._dataset(each) for each in run.inputs.dataset_inputs],
            "models": [self._ids[each.model_id] for each in used],
            "made": sorted((self._ids[each.model_id], each.step) for each in made),
            "files": self._files(info.artifact_uri, run_id),
        }

    def model(self, model: Any) -> dict[str, Any]:
        return {
            "id": self._ids[model.model_id],
            "name": model.name,
            "type": model.model_type,
            "status": str(model.status),
            "run": self._ids[model.source_run_id],
            "location": self._plain(model.artifact_location),
            "params": model.params,
            "tags": {key: self._plain(value) for key, value in model.tags.items()},
            "metrics": sorted(
                (
                    each.key,
                    each.step,
                    each.value,
                    each.dataset_name,
                    each.dataset_digest,
                    self._ids[each.run_id],
                )
                for each in model.metrics or ()
                if not MEASURED.search(each.key)
            ),
            "files": self._files(model.artifact_location, model.model_id),
        }

    def _history(self, run_id: str, key: str) -> list[tuple[int, Any]]:
        points = self._client.get_metric_history(run_id, key)
        return [(point.step, None if MEASURED.search(key) else point.value) for point in points]

    def _dataset(self, given: Any) -> tuple[Any, ...]:
        dataset = given.dataset
        source = self._plain(dataset.source)
        tags = {tag.key: tag.value for tag in given.tags}
        kind = dataset.name, dataset.digest, dataset.source_type
        return (*kind, source, dataset.schema, dataset.profile, tags)

    def _files(self, location: str, name: str) -> dict[str, Any]:
        """Path within -> text, rows of a table, or size in bytes, of the file."""
        import mlflow  # noqa: PLC0415

        folder = self._folder / name
        folder.mkdir()
        at = {"artifact_uri": location, "tracking_uri": self._client.tracking_uri}
        if not mlflow.artifacts.list_artifacts(**at):
            return {}
        mlflow.artifacts.download_artifacts(**at, dst_path=str(folder))
        return {
            str(path.relative_to(folder)): self._text(path)
            if path.name.endswith(TEXTS)
            else path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def _text(self, path: Path) -> Any:
        if path.suffix == ".html":  # a search of a grid shows how long it took
            return re.sub(r" *\d+\.[\d.]*(e-\d+)? *", "<number>", path.read_text())
        if path.suffix != ".csv":
            return self._plain(path.read_text())
        rows = csv.DictReader(path.read_text().splitlines())
        return [{key: value for key, value in row.items() if not MEASURED.search(key)} for row in rows]

    def _plain(self, text: str) -> str:
        for known, number in self._ids.items():
            text = text.replace(known, number)
        text = self._locations.sub("<experiment>/", text)
        return UUID.sub("<uuid>", TIMES.sub("<time>", text))
