"""MLflow stores to import from, and all that a store tells: MLflow and Headrace (by REST) are asked."""

import importlib
import math
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

BEGIN = 1_700_000_000_000

ALL = 3  # ViewType.ALL


def fill(uri: str, folder: Path) -> None:
    """Makes a store that has some of everything. ``folder``: for files."""
    mlflow: Any = importlib.import_module("mlflow")
    entities: Any = importlib.import_module("mlflow.entities")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = mlflow.MlflowClient(uri, uri)
    where = {} if uri.startswith("http") else {"artifact_location": (folder / "files").as_uri()}
    digits = client.create_experiment("digits", tags={"team": "vision", "empty": ""}, **where)
    gone = client.create_experiment("gone", **where)
    runs = [_run(client, entities, digits, number, folder) for number in range(3)]
    child = client.create_run(digits, tags={"mlflow.parentRunId": runs[0]}, run_name="child").info.run_id
    client.set_terminated(child)
    dead = client.create_run(digits, run_name="dead").info.run_id
    client.log_metric(dead, "x", 1.0)
    client.set_terminated(dead, "KILLED")
    client.delete_run(dead)
    inside = client.create_run(gone, run_name="inside").info.run_id
    client.log_metric(inside, "x", 2.0)
    client.delete_experiment(gone)
    tag = entities.InputTag("mlflow.data.context", "training")
    train = entities.Dataset("train", "abc12", "local", '{"uri": "x"}', "{}", '{"num_rows": 3}')
    client.log_inputs(runs[0], [entities.DatasetInput(train, [tag])])
    _models(client, entities, digits, runs, folder)


def _run(client: Any, entities: Any, experiment: str, number: int, folder: Path) -> str:
    tags = {"mlflow.user": "ann", "ü": "ß", "empty": "", "mlflow.source.name": "train.py"}
    run_id: str = client.create_run(experiment, BEGIN + number, tags, f"run {number}").info.run_id
    points = [
        entities.Metric(f"loss/{part}", math.sin(step) / (1 + part), BEGIN + step, step)
        for part in range(2)
        for step in range(300)
    ]
    odd = [(math.nan, 5, -3), (math.inf, 6, -2), (-math.inf, 7, 2**40), (0.1, 8, 0), (0.2, 8, 0)]
    points += [entities.Metric("odd name: x-y.z", *point) for point in odd]
    params = [entities.Param("lr", "0.1"), entities.Param("long", "x" * 6000)]
    client.log_batch(run_id, points, params)
    files = folder / "to log"
    files.mkdir(exist_ok=True)
    (files / "small ü.txt").write_text("hello" * number)
    (files / "large.bin").write_bytes(bytes(range(256)) * 2000)
    (files / "empty").write_bytes(b"")
    client.log_artifacts(run_id, str(files), "sub/folder")
    if number < 2:
        client.set_terminated(run_id, ("FINISHED", "FAILED")[number], BEGIN + 100_000)
    return run_id


def _models(client: Any, entities: Any, experiment: str, runs: Sequence[str], folder: Path) -> None:
    model = client.create_logged_model(experiment, "net", runs[0], {"t": "1"}, {"depth": "2"}, "nn")
    for step in (1, 2):
        on = {"dataset_name": "train", "dataset_digest": "abc12"}
        client.log_metric(
            runs[0], "acc", step / 4, timestamp=BEGIN + step, step=step, model_id=model.model_id, **on
        )
    client.log_outputs(runs[0], [entities.LoggedModelOutput(model.model_id, 3)])
    files = folder / "model"
    files.mkdir()
    (files / "MLmodel").write_text("flavors: {}\n")
    (files / "weights.bin").write_bytes(b"1" * 1000)
    client.log_model_artifacts(model.model_id, str(files))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_logged_model(experiment, "pending", runs[1])
    client.create_registered_model("forest", {"o": "p"}, "a forest")
    uri = f"models:/{model.model_id}"
    client.create_model_version("forest", uri, runs[0], model_id=model.model_id, description="one")
    client.create_model_version("forest", uri, runs[0], model_id=model.model_id)
    client.delete_model_version("forest", "2")
    source = f"{client.get_run(runs[1]).info.artifact_uri}/sub/folder"
    client.create_model_version("forest", source, runs[1], {"v": "3"})
    client.set_registered_model_alias("forest", "champion", "3")
    client.transition_model_version_stage("forest", "1", "Production")


def told(client: Any, folder: Path, prefix: str = "") -> dict[str, Any]:
    """Everything that a client tells, but for ids of experiments, what Headrace adds, and where files are."""
    found: dict[str, Any] = {}
    for experiment in client.search_experiments(ALL, max_results=1000):
        if not experiment.name.startswith(prefix):
            continue
        name = experiment.name.removeprefix(prefix)
        made = experiment.creation_time if name != "Default" else None
        found[name] = [experiment.lifecycle_stage, _tags(experiment.tags), made]
        for run in client.search_runs([experiment.experiment_id], "", ALL, 1000):
            found[f"{name} {run.info.run_id}"] = _told_of_run(client, run, folder)
        for model in client.search_logged_models([experiment.experiment_id], max_results=100):
            found[model.model_id] = _told_of_model(client, model)
    for registered in client.search_registered_models(max_results=100):
        if registered.name.startswith(prefix):
            found[f"registered {registered.name.removeprefix(prefix)}"] = _told_of_registered(
                client, registered
            )
    return found


def _told_of_run(client: Any, run: Any, folder: Path) -> list[Any]:
    info, data = run.info, run.data
    histories = {
        key: sorted(
            (point.step, point.timestamp, str(point.value))
            for point in client.get_metric_history(info.run_id, key)
        )
        for key in data.metrics
    }
    return [
        [info.run_name, info.status, info.start_time, info.end_time, info.lifecycle_stage],
        dict(data.params),
        _tags(data.tags),
        histories,
        sorted(str(each.to_dictionary()) for each in run.inputs.dataset_inputs),
        sorted((each.model_id, each.step) for each in run.outputs.model_outputs),
        _files(client, info.run_id, folder),
    ]


def _files(client: Any, run_id: str, folder: Path) -> dict[str, Any]:
    target = folder / f"from-{run_id}"
    target.mkdir(parents=True, exist_ok=True)
    if not client.list_artifacts(run_id):
        return {}
    client.download_artifacts(run_id, "", str(target))
    files = [path for path in sorted(target.rglob("*")) if path.is_file()]
    return {str(path.relative_to(target)): sha256(path.read_bytes()).hexdigest() for path in files}


def _told_of_model(client: Any, model: Any) -> list[Any]:
    points = [
        (point.key, point.value, point.timestamp, point.step, point.run_id, point.dataset_name or "")
        for point in client.get_logged_model(model.model_id).metrics or ()
    ]
    return [
        [
            model.name,
            str(model.status),
            model.source_run_id,
            model.model_type or "",
            model.creation_timestamp,
        ],
        [dict(model.params), _tags(model.tags)],
        sorted(points),
        sorted(each.path for each in client.list_logged_model_artifacts(model.model_id)),
    ]


def _told_of_registered(client: Any, registered: Any) -> list[Any]:
    versions = [
        [
            [int(each.version), each.run_id, each.description or "", each.current_stage],
            [_tags(each.tags), each.creation_timestamp],
        ]
        for each in client.search_model_versions(f"name='{registered.name}'")
    ]
    aliases = {alias: str(version) for alias, version in registered.aliases.items()}
    return [
        registered.description,
        _tags(registered.tags),
        registered.creation_timestamp,
        aliases,
        sorted(versions),
    ]


def _tags(tags: Any) -> dict[str, str]:
    """Without Headrace's, and those that MLflow's registry says itself."""
    return {key: value for key, value in dict(tags).items() if not key.startswith("headrace.")}


def folder_of_runs(root: Path, runs: int, metrics: int, points: int) -> None:
    """A store of files as MLflow writes it, in no time."""
    for number, name in enumerate(("Default", "many")):
        experiment = root / str(number)
        experiment.mkdir(parents=True)
        (experiment / "meta.yaml").write_text(
            f"artifact_location: {experiment.as_uri()}\ncreation_time: {BEGIN}\nexperiment_id: '{number}'\n"
            f"last_update_time: {BEGIN}\nlifecycle_stage: active\nname: {name}\n"
        )
    for number in range(runs):
        run_of_files(root, f"{number:032x}", metrics, points)


def run_of_files(root: Path, run_id: str, metrics: int, points: int) -> Path:
    """A run of the experiment 1 in such a store; its folder."""
    run = root / "1" / run_id
    for part in ("metrics", "params", "tags", "artifacts"):
        (run / part).mkdir(parents=True)
    (run / "meta.yaml").write_text(
        f"artifact_uri: {(run / 'artifacts').as_uri()}\nend_time: {BEGIN + 5}\nentry_point_name: ''\n"
        f"experiment_id: '1'\nlifecycle_stage: active\nrun_id: '{run_id}'\nrun_name: of files\n"
        f"run_uuid: '{run_id}'\n"
        f"source_name: ''\nsource_type: 4\nsource_version: ''\nstart_time: {BEGIN}\nstatus: 3\ntags: []\n"
        "user_id: ann\n"
    )
    (run / "params" / "lr").write_text("0.1")
    (run / "tags" / "mlflow.runName").write_text("of files")
    (run / "artifacts" / "notes.txt").write_text(run_id)
    for metric in range(metrics):
        lines = (f"{BEGIN + step} {step / 7 + metric} {step}\n" for step in range(points))
        (run / "metrics" / f"m{metric}").write_text("".join(lines))
    return run
