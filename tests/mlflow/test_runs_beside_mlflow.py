"""Runs and logging here and at MLflow, by client and by the fluent functions: the same answers and refusals.

Only with MLflow: ``make test-mlflow``.
"""

from collections.abc import Callable
from typing import Any

import pytest

from beside import NOBODY, NOTHING, Side, plain

pytest.importorskip("mlflow")

BEGIN = 1_700_000_000_000


def runs_of_a_client(side: Side) -> None:
    client = side.client
    experiment = client.create_experiment("runs of a client")
    made = client.create_run(experiment, 5, {"named": "yes", "n": 1}, "first")
    run = made.info.run_id
    side.note(client.get_run, run)
    side.noted.append(made.info.start_time)
    side.code(client.create_run, NOTHING)
    for call in (client.get_run, client.delete_run, client.restore_run, client.get_parent_run):
        for run_id in (NOBODY, "nobody"):
            side.code(call, run_id)
    side.code(client.create_run, experiment, None, {"mlflow.runName": "a"}, "b")
    side.noted.append(client.create_run(experiment, tags={"mlflow.runName": "a"}).info.run_name)
    # Names and ends.
    client.set_tag(run, "mlflow.runName", "second")
    side.note(client.get_run, run)
    client.update_run(run, name="third")
    side.note(client.get_run, run)
    client.set_terminated(run)
    side.note(client.get_run, run)
    client.set_terminated(run, "KILLED", 77)
    side.noted.append(client.get_run(run).info.end_time)
    for status in ("RUNNING", "FAILED", "SCHEDULED"):
        client.update_run(run, status)
        side.noted.append(str(client.get_run(run).info.status))
    client.set_terminated(run, "FINISHED")
    side.refused(client.set_terminated, run, "GONE")
    # Deleted and restored.
    for call, view in ((client.delete_run, 2), (client.restore_run, 1)):
        for _ in range(2):
            side.note(call, run)
        side.note(client.get_run, run)
        side.noted.append(run in [each.info.run_id for each in client.search_runs([experiment], "", view)])
        side.noted.append([len(client.search_runs([experiment], "", each)) for each in (1, 2, 3)])
    # With their experiment.
    client.delete_experiment(experiment)
    side.note(client.get_run, run)
    side.noted.append([len(client.search_runs([experiment], "", each)) for each in (1, 2, 3)])
    client.restore_experiment(experiment)
    side.note(client.get_run, run)


def params_and_tags(side: Side) -> None:
    client, entities = side.client, side.entities
    run = client.create_run(client.create_experiment("params and tags")).info.run_id
    client.log_param(run, "lr", 0.1)
    client.log_param(run, "lr", "0.1")
    side.code(client.log_param, run, "lr", 0.2)
    for value in (None, True, [1, 2], "", "x" * 6000):
        client.log_param(run, f"p{type(value).__name__}{len(str(value))}", value)
    side.code(client.log_param, run, "k" * 251, 1)
    client.log_param(run, "k" * 250, 1)
    side.code(client.log_param, run, "", 1)
    client.set_tag(run, "t", 1)
    client.set_tag(run, "t", "two")
    client.set_tag(run, "gone", 1)
    client.delete_tag(run, "gone")
    side.code(client.set_tag, run, "k" * 251, 1)
    side.code(client.set_tag, run, "", 1)
    side.note(client.get_run, run)
    params = [entities.Param("a", "1"), entities.Param("b", "2")]
    side.note(client.log_batch, run, [], params, [entities.RunTag("u", "v")])
    side.code(client.log_batch, run, [], [entities.Param("a", "2")])
    side.code(client.log_batch, run, [], [entities.Param("c", "3"), entities.Param("", "2")])
    side.note(client.get_run, run)


def metrics(side: Side) -> None:
    client, entities = side.client, side.entities
    run = client.create_run(client.create_experiment("metrics")).info.run_id
    points = [
        (1.5, BEGIN, 0),
        (0.5, BEGIN + 1, 2),
        (2.5, BEGIN + 2, 1),
        (3, BEGIN + 3, 2),
        (-1.0, BEGIN - 5, -3),
    ]
    for value, timestamp, step in points:
        client.log_metric(run, "loss", value, timestamp, step)
    client.log_metric(run, "true", True)
    client.log_metric(run, "nan", float("nan"))
    client.log_batch(run, [entities.Metric("loss", 9.0, BEGIN, 1), entities.Metric("acc", 0.25, BEGIN, 0)])
    side.note(client.get_run, run)
    side.note(lambda: sorted(client.get_metric_history(run, "loss"), key=lambda point: point.timestamp))
    side.note(client.get_metric_history, run, "nobody")
    for bad in ("text", None):
        side.code(client.log_metric, run, "bad", bad)
    side.refused(client.log_metric, run, "bad", [1.0])
    side.code(client.log_metric, run, "k" * 251, 1.0)
    side.code(client.log_metric, run, "", 1.0)
    side.refused(client.log_metric, run, "a", 1.0, step=2**70)
    side.note(client.get_run, run)


@pytest.mark.parametrize("scenario", [runs_of_a_client, params_and_tags, metrics])
def test_runs(play: Any, scenario: Callable[[Side], None]) -> None:
    play(scenario)


# The fluent functions.


def nested_runs(side: Side) -> None:
    module = side.module
    module.set_experiment("nested")
    side.note(module.active_run)
    with module.start_run(run_name="parent", tags={"named": 1}, description="a note") as parent:
        side.noted.append(module.active_run().info.run_id == parent.info.run_id)
        side.refused(module.start_run)
        module.log_params({"a": 1, "b": "x"})
        with module.start_run(nested=True, run_name="child", tags={"named": 1}) as child:
            module.log_metric("loss", 0.5)
            module.log_metrics({"loss": 0.25, "acc": 1}, step=3)
            side.noted.append(module.active_run().info.run_id == child.info.run_id)
            side.noted.append(module.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id)
            side.refused(module.start_run, nested=True, parent_run_id=NOBODY)
        module.log_metric("loss", 2)
        side.noted.append(module.last_active_run().info.run_id == parent.info.run_id)
        side.note(module.get_parent_run, parent.info.run_id)
    side.note(module.active_run)
    side.noted.append(module.last_active_run().info.run_id == parent.info.run_id)
    for run in (parent, child):
        side.noted.append(
            parent.info.run_id == module.get_run(run.info.run_id).data.tags.get("mlflow.parentRunId")
        )
        found = plain(module.get_run(run.info.run_id))
        found[-1].pop("mlflow.parentRunId", None)
        side.noted.append(found)
    # Under a parent that is named.
    with module.start_run(parent_run_id=parent.info.run_id) as late:
        pass
    side.noted.append(module.get_parent_run(late.info.run_id).info.run_id == parent.info.run_id)
    side.code(module.start_run, parent_run_id=NOBODY)
    module.delete_run(parent.info.run_id)
    side.refused(module.start_run, parent_run_id=parent.info.run_id)
    side.refused(module.start_run, run_id=parent.info.run_id)


def statuses(side: Side) -> None:
    module = side.module
    module.set_experiment("statuses")
    for status in ("FINISHED", "FAILED", "KILLED"):
        run = module.start_run(tags={"named": 1}, run_name=status)
        module.end_run(status)
        side.note(module.get_run, run.info.run_id)
    try:
        with module.start_run() as run:
            raise ValueError  # noqa: TRY301
    except ValueError:
        side.note(module.get_run, run.info.run_id)
    side.note(module.end_run)
    # Resumed.
    with module.start_run(
        run_id=run.info.run_id, tags={"more": 1}, description="why", run_name="new"
    ) as again:
        side.noted.append(again.info.run_id == run.info.run_id)
        module.set_tag("named", 1)
        side.noted.append(str(module.get_run(run.info.run_id).info.status))
    side.note(module.get_run, run.info.run_id)
    side.code(module.start_run, run_id=NOBODY)
    side.code(module.start_run, description="a", tags={"mlflow.note.content": "b"})
    side.code(module.start_run, experiment_id=NOTHING)
    side.note(module.delete_run, run.info.run_id)
    side.code(module.restore_run, NOBODY)
    side.note(module.restore_run, run.info.run_id)


def logging(side: Side) -> None:
    module = side.module
    module.set_experiment("logging")
    module.log_param("begins", "by itself")
    run = module.active_run().info.run_id
    module.set_tags({"a": 1, "b": None})
    module.set_tag("c", 2.5)
    module.delete_tag("a")
    module.log_metric("loss", 1.0, step=5, timestamp=BEGIN)
    module.log_metric("loss", 2.0, 4, True, BEGIN + 1)
    module.log_metrics({"x": 1, "y": 2.5}, 3, True, None, BEGIN)
    module.log_params({"p": 1, "q": [1]}, synchronous=True)
    side.code(module.log_param, "p", 2)
    side.code(module.log_params, {"p": 3, "q": "[1]"})
    module.flush_async_logging()
    side.note(module.get_run, run)
    other = module.MlflowClient().create_run(module.get_run(run).info.experiment_id).info.run_id
    module.log_metric("loss", 7.0, run_id=other)
    module.log_metrics({"loss": 8.0}, step=1, run_id=other)
    module.log_params({"o": 1}, run_id=other)
    side.note(module.get_run, other)
    module.end_run()
    side.noted.append(len(module.search_runs(experiment_names=["logging"], output_format="list")))


@pytest.mark.parametrize("scenario", [nested_runs, statuses, logging])
def test_fluent_functions(play: Any, scenario: Callable[[Side], None]) -> None:
    play(scenario)
