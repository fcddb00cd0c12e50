"""What differs from MLflow of datasets and models; the numbers are those of docs/mlflow-differences.md."""

import inspect
import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any
from uuid import uuid4

import pytest

import headrace
from beside import Side

pytest.importorskip("mlflow")


def run_on(side: Side) -> tuple[str, str]:
    """A new experiment, and a run in it."""
    experiment = str(side.client.create_experiment(uuid4().hex))
    return experiment, str(side.client.create_run(experiment).info.run_id)


def long_profile(side: Side) -> int:
    _, run = run_on(side)
    dataset = side.entities.Dataset("a", "d", "local", "{}", None, "x" * 1_048_576)
    side.client.log_inputs(run, [side.entities.DatasetInput(dataset, [])])
    return len(side.client.get_run(run).inputs.dataset_inputs)


def same_name_and_digest(side: Side) -> list[str]:
    experiment, first = run_on(side)
    runs = [first, side.client.create_run(experiment).info.run_id]
    for source, run in zip("ab", runs, strict=True):
        dataset = side.entities.Dataset("a", "d", "local", source)
        side.client.log_inputs(run, [side.entities.DatasetInput(dataset, [])])
    return [side.client.get_run(run).inputs.dataset_inputs[0].dataset.source for run in runs]


def spark_datasets(side: Side) -> bool:
    return find_spec(f"{side.module.__name__}.data.spark_dataset") is not None


def models_as_inputs(side: Side) -> int:
    experiment, run = run_on(side)
    model = side.client.create_logged_model(experiment, "a")
    with side.module.start_run(run_id=run, experiment_id=experiment):
        side.module.log_inputs([], [], [], [side.entities.LoggedModelInput(model.model_id)])
    return len(side.client.get_run(run).inputs.model_inputs)


def filter_with_or(side: Side) -> int:
    experiment, _ = run_on(side)
    side.client.create_logged_model(experiment, "a")
    return len(side.client.search_logged_models([experiment], "name = 'a' OR name = 'b'"))


def page_after_a_new_model(side: Side) -> str:
    experiment, _ = run_on(side)
    for name in "bc":
        side.client.create_logged_model(experiment, name)
    order = [{"field_name": "name"}]
    token = side.client.search_logged_models([experiment], max_results=1, order_by=order).token
    side.client.create_logged_model(experiment, "a")
    found = side.client.search_logged_models([experiment], max_results=1, order_by=order, page_token=token)
    return str(found[0].name)


def model_of_the_step(side: Side) -> int:
    experiment, run = run_on(side)
    model = side.client.create_logged_model(experiment, "a").model_id
    side.client.log_outputs(run, [side.entities.LoggedModelOutput(model, 3)])
    side.module.log_metric("acc", 0.5, 3, run_id=run)
    return len(side.client.get_logged_model(model).metrics or [])


def active_model_of_a_thread(side: Side) -> bool:
    experiment, _ = run_on(side)
    model = side.client.create_logged_model(experiment, "a").model_id
    found: list[Any] = []
    side.module.set_active_model(model_id=model)
    thread = threading.Thread(target=lambda: found.append(side.module.get_active_model_id()))
    thread.start()
    thread.join()
    side.module.clear_active_model()
    return bool(found[0] == model)


def model_of_a_clients_metric(side: Side) -> int:
    experiment, run = run_on(side)
    model = side.client.create_logged_model(experiment, "a").model_id
    side.client.log_metric(run, "acc", 0.5, model_id=model)
    return len(side.client.get_run(run).inputs.model_inputs)


def param_twice(side: Side) -> dict[str, str]:
    experiment, _ = run_on(side)
    model = side.client.create_logged_model(experiment, "a", params={"a": "1"}).model_id
    side.client.log_model_params(model, {"a": "1"})
    return dict(side.client.get_logged_model(model).params)


def finalized_as_pending(side: Side) -> str:
    experiment, _ = run_on(side)
    model = side.client.create_logged_model(experiment, "a").model_id
    return str(side.client.finalize_logged_model(model, "PENDING").status.value)


def version_number(side: Side) -> Any:
    name = uuid4().hex
    side.client.create_registered_model(name)
    return side.client.create_model_version(name, "s3://a").version


def model_of_a_version(side: Side) -> bool:
    experiment, run = run_on(side)
    model = side.client.create_logged_model(experiment, "a", run).model_id
    return bool(side.module.register_model(f"models:/{model}", uuid4().hex).model_id)


def loader_module(side: Side) -> bool:
    return "loader_module" in inspect.signature(side.module.pyfunc.save_model).parameters


def forest_as_it_is(side: Side) -> bool:
    """A random forest, saved and loaded without a word about formats or types."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    forest = ensemble.RandomForestRegressor(3).fit([[1.0], [2.0]], [1.0, 2.0])
    with tempfile.TemporaryDirectory() as folder:
        side.module.sklearn.save_model(forest, f"{folder}/m")
        loaded = side.module.sklearn.load_model(f"{folder}/m")
    return bool((loaded.predict([[1.0]]) == forest.predict([[1.0]])).all())


@pytest.mark.parametrize(
    ("what", "ours", "theirs"),
    [
        pytest.param(long_profile, None, 1, id="37"),
        pytest.param(same_name_and_digest, ["a", "b"], ["a", "a"], id="38"),
        pytest.param(spark_datasets, False, True, id="39"),
        pytest.param(models_as_inputs, 1, None, id="40"),
        pytest.param(filter_with_or, 1, None, id="41"),
        pytest.param(page_after_a_new_model, "c", "b", id="42"),
        pytest.param(model_of_the_step, 0, 1, id="43"),
        pytest.param(active_model_of_a_thread, True, False, id="44"),
        pytest.param(model_of_a_clients_metric, 1, 0, id="45"),
        pytest.param(param_twice, {"a": "1"}, None, id="46"),
        pytest.param(finalized_as_pending, None, "PENDING", id="47"),
        pytest.param(version_number, "1", 1, id="48"),
        pytest.param(model_of_a_version, True, False, id="49"),
        pytest.param(loader_module, False, True, id="55"),
        pytest.param(forest_as_it_is, True, None, id="56"),
    ],
)
def test_a_difference(sides: tuple[Side, Side], what: Callable[[Side], Any], ours: Any, theirs: Any) -> None:
    """``None``: refused."""
    outcomes = []
    for side in sides:
        try:
            outcomes.append(what(side))
        except Exception:  # noqa: BLE001 - of several classes
            outcomes.append(None)
        while side.module.active_run() is not None:
            side.module.end_run()
    assert outcomes == [ours, theirs]
    assert sides[0].module is headrace
