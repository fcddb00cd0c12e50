"""What differs from MLflow; the numbers are those of docs/mlflow-differences.md.

Only with MLflow: ``make test-mlflow``.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

import headrace
from beside import Side

pytest.importorskip("mlflow")


def refused(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - of several classes
        return True
    return False


def run_on(side: Side, name: str) -> str:
    found = side.client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else side.client.create_experiment(name)
    return str(side.client.create_run(experiment).info.run_id)


def test_12_calls_return_at_once(sides: tuple[Side, Side]) -> None:
    headrace.config.enable_async_logging()
    try:
        ours, theirs = (side.client.log_param(run_on(side, "12"), "a", 1) for side in sides)
        assert isinstance(ours, headrace.RunOperation)
        ours.wait()
        assert theirs == 1
    finally:
        headrace.config.enable_async_logging(False)


def long_value(side: Side, run: str) -> int:
    side.client.log_param(run, "long", "x" * 6001)
    return len(side.client.get_run(run).data.params["long"])


def batch_with_a_conflict(side: Side, run: str) -> int:
    side.client.log_param(run, "a", 1)
    params = [side.entities.Param("b", "1"), side.entities.Param("a", "2")]
    assert refused(lambda: side.client.log_batch(run, [], params))
    return len(side.client.get_run(run).data.params)


def deleted_run(side: Side, run: str) -> dict[str, float]:
    side.client.delete_run(run)
    side.client.log_metric(run, "loss", 1.0)
    return dict(side.client.get_run(run).data.metrics)


def unknown_run(side: Side, _: str) -> dict[str, float]:
    run = "e" * 32
    side.client.log_metric(run, "loss", 1.0)
    return dict(side.client.get_run(run).data.metrics)


def absent_tag(side: Side, run: str) -> None:
    side.client.delete_tag(run, "absent")


def end_times(side: Side, run: str) -> list[bool]:
    found = []
    for status in ("FAILED", "RUNNING"):
        side.client.update_run(run, status)
        found.append(side.client.get_run(run).info.end_time is None)
        side.client.set_terminated(run)
    return found


def restored_experiment(side: Side, run: str) -> str:
    experiment = side.client.get_run(run).info.experiment_id
    side.client.delete_run(run)
    side.client.delete_experiment(experiment)
    side.client.restore_experiment(experiment)
    return str(side.client.get_run(run).info.lifecycle_stage)


def other_experiment(side: Side, run: str) -> None:
    side.module.set_experiment("another one")
    side.module.start_run(run_id=run)
    side.module.end_run()


def any_key(side: Side, run: str) -> list[str]:
    for key in ("Ä", "a(b)", "../a"):
        side.client.log_metric(run, key, 1.0)
    return sorted(side.client.get_run(run).data.metrics)


def taken_name(side: Side, _: str) -> str:
    made = side.client.create_experiment("taken 1"), side.client.create_experiment("taken 2")
    try:
        side.client.rename_experiment(made[0], "taken 2")
    except side.module.MlflowException as error:
        return str(error.error_code)
    return "done"


def unknown_model(side: Side, run: str) -> int:
    side.client.log_metric(run, "loss", 1.0, model_id="m-0")
    return len([key for key in side.client.get_run(run).data.tags if key.startswith("headrace.link.")])


def second_run(side: Side, _: str) -> str:
    side.module.set_experiment("another one")
    with side.module.start_run():
        try:
            side.module.start_run()
        except side.module.MlflowException:
            return "MlflowException"
        except Exception as error:  # noqa: BLE001 - MLflow's is of no class of its own
            return type(error).__name__
    return "done"


def run_of_a_thread(side: Side, _: str) -> bool:
    """Whether a thread logs into the run of the main thread."""
    side.module.set_experiment("another one")
    found = []

    def log() -> None:
        side.module.log_metric("loss", 1.0)
        found.append(side.module.active_run().info.run_id)
        if found[0] != run.info.run_id:
            side.module.end_run()

    with side.module.start_run() as run:
        thread = threading.Thread(target=log)
        thread.start()
        thread.join()
    return bool(found[0] == run.info.run_id)


@pytest.mark.parametrize(
    ("what", "ours", "theirs"),
    [
        pytest.param(long_value, None, 6000, id="13"),
        pytest.param(batch_with_a_conflict, 2, 1, id="14"),
        pytest.param(deleted_run, {"loss": 1.0}, None, id="15"),
        pytest.param(unknown_run, {"loss": 1.0}, None, id="16"),
        pytest.param(absent_tag, "done", None, id="17"),
        pytest.param(end_times, [False, True], [True, False], id="18"),
        pytest.param(restored_experiment, "deleted", "active", id="19"),
        pytest.param(other_experiment, "done", None, id="20"),
        pytest.param(any_key, ["../a", "a(b)", "Ä"], None, id="21"),
        pytest.param(taken_name, "RESOURCE_ALREADY_EXISTS", "BAD_REQUEST", id="22"),
        pytest.param(unknown_model, 1, None, id="23"),
        pytest.param(second_run, "MlflowException", "Exception", id="24"),
        pytest.param(run_of_a_thread, True, False, id="25"),
    ],
)
def test_a_difference(
    sides: tuple[Side, Side], what: Callable[[Side, str], Any], ours: Any, theirs: Any
) -> None:
    """``None``: refused."""
    outcomes = []
    for side in sides:
        try:
            outcome = what(side, run_on(side, what.__name__))
            outcomes.append("done" if outcome is None else outcome)
        except Exception:  # noqa: BLE001 - of several classes
            outcomes.append(None)
    assert outcomes == [ours, theirs]
