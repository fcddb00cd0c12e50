"""What differs from MLflow; the numbers are those of docs/mlflow-differences.md.

Only with MLflow: ``make test-mlflow``.
"""

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headrace
from beside import Side
from headrace import machine

pytest.importorskip("mlflow")

HERE = Path(__file__).parent


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
    side.module.end_run()
    refused(lambda: side.client.log_metric(run, "loss", 1.0, model_id="m-0"))
    return len(side.client.get_run(run).data.metrics)


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


def long_tag(side: Side, run: str) -> int:
    side.client.set_tag(run, "long", "x" * 8001)
    return len(side.client.get_run(run).data.tags["long"])


def long_tag_of_an_experiment(side: Side, run: str) -> int:
    experiment = side.client.get_run(run).info.experiment_id
    side.client.set_experiment_tag(experiment, "long", "x" * 8001)
    return len(side.client.get_experiment(experiment).tags["long"])


def own_tags(side: Side, _: str) -> list[str]:
    side.module.set_experiment("another one")
    with side.module.start_run() as run:
        tags = side.module.get_run(run.info.run_id).data.tags
    return sorted(key for key in tags if key.startswith(("headrace.", "mlflow.project")))


def renamed_while_deleted(side: Side, run: str) -> str:
    experiment = side.client.get_run(run).info.experiment_id
    side.client.delete_experiment(experiment)
    try:
        side.client.rename_experiment(experiment, "another name")
    except side.module.MlflowException as error:
        return str(error.error_code)
    return "done"


def twice_in_a_batch(side: Side, run: str) -> dict[str, str]:
    side.client.log_batch(run, [], [side.entities.Param("a", "1")] * 2)
    return dict(side.client.get_run(run).data.params)


def text_as_a_value(side: Side, run: str) -> None:
    side.client.log_metric(run, "loss", "1.5")


def half_a_step(side: Side, run: str) -> None:
    side.client.log_metric(run, "loss", 1.5, step=1.5)


def text_as_a_time(side: Side, run: str) -> None:
    side.client.set_terminated(run, end_time="noon")


def no_name(side: Side, run: str) -> None:
    side.client.update_run(run, name="")


def no_key(side: Side, run: str) -> None:
    side.client.get_metric_history(run, "")


def no_view(side: Side, run: str) -> None:
    side.client.search_runs([side.client.get_run(run).info.experiment_id], run_view_type=9)


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
        pytest.param(unknown_model, 1, 0, id="23"),
        pytest.param(second_run, "MlflowException", "Exception", id="24"),
        pytest.param(run_of_a_thread, True, False, id="25"),
        pytest.param(long_tag, None, 8000, id="13 tag"),
        pytest.param(long_tag_of_an_experiment, None, 8001, id="13 tag of an experiment"),
        pytest.param(own_tags, ["headrace.host", "mlflow.project.entryPoint"], [], id="27"),
        pytest.param(renamed_while_deleted, "INVALID_PARAMETER_VALUE", "INVALID_STATE", id="29"),
        pytest.param(twice_in_a_batch, {"a": "1"}, None, id="33"),
        pytest.param(text_as_a_value, None, "done", id="36 value"),
        pytest.param(half_a_step, None, "done", id="36 step"),
        pytest.param(text_as_a_time, None, "done", id="36 time"),
        pytest.param(no_name, None, "done", id="36 name"),
        pytest.param(no_key, None, "done", id="36 key"),
        pytest.param(no_view, None, "done", id="36 view"),
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


def test_26_an_erased_run_leaves_its_id(sides: tuple[Side, Side]) -> None:
    ours, theirs = sides
    for side in sides:
        run = run_on(side, "26")
        side.client.log_metric(run, "loss", 1.0)
        side.client.delete_run(run)
        if side is ours:
            assert ours.client.erase_deleted([run]).run_ids == [run]
            assert refused(lambda run=run: ours.client.log_param(run, "a", 1))  # type: ignore[misc]
            ours.client.log_metric(run, "loss", 2.0)
        else:
            theirs.client._tracking_client.store._hard_delete_run(run)
        assert refused(lambda side=side, run=run: side.client.get_run(run))  # type: ignore[misc]
    assert refused(lambda: theirs.client.log_metric(run, "loss", 2.0)), (
        "of nobody, not of one that was erased"
    )


def test_28_the_machine_is_measured_with_the_same_keys_and_no_gpus() -> None:
    from mlflow.system_metrics import system_metrics_monitor as theirs  # noqa: PLC0415 - as everything of it
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor  # noqa: PLC0415

    monitors = [theirs.CPUMonitor(), theirs.DiskMonitor(), theirs.NetworkMonitor()]
    known: set[str] = set()
    for monitor in monitors:
        monitor.collect_metrics()
        known |= monitor.aggregate_metrics().keys()
    assert machine.Machine().sample().keys() == known
    assert GPUMonitor


@pytest.mark.parametrize("runs", [0, 1])
def test_34_times_of_a_frame_are_always_times(sides: tuple[Side, Side], runs: int) -> None:
    kinds = []
    for side in sides:
        experiment = side.client.create_experiment(f"34 {runs}")
        for _ in range(runs):
            side.client.create_run(experiment)
        kinds.append(str(side.module.search_runs([experiment]).dtypes["end_time"]))
    assert kinds[0].startswith("datetime64[")
    assert kinds[0].endswith(", UTC]")
    assert not kinds[1].endswith(", UTC]")


def test_every_difference_has_a_test() -> None:
    listed = re.findall(
        r"^\| (\d+) \|", (HERE.parents[1] / "docs" / "mlflow-differences.md").read_text(), re.MULTILINE
    )
    assert listed == [str(number) for number in range(1, len(listed) + 1)]
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    for number in listed:
        named = rf"def test_{number}_|id=\"{number}[ \"]|^    \"\"\".*\b{number}: "
        assert re.search(named, tests, re.MULTILINE), f"difference {number}"
