"""What scripts call and import: the same names and parameters here and at MLflow, and maybe more at the end.

Only with MLflow: ``make test-mlflow``.
"""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import headrace
import headrace.tracking.fluent
import headrace.utils.mlflow_tags as our_tags
from beside import Side

mlflow = pytest.importorskip("mlflow")

FUNCTIONS = """
    active_run create_experiment delete_experiment delete_experiment_tag delete_run delete_tag end_run
    flush_async_logging get_artifact_uri get_experiment get_experiment_by_name get_parent_run get_run
    get_tracking_uri is_tracking_uri_set last_active_run log_metric log_metrics log_param log_params
    restore_experiment restore_run search_experiments search_runs set_experiment set_experiment_tag
    set_experiment_tags set_tag set_tags set_tracking_uri start_run
""".split()  # noqa: SIM905 - a list literal takes a line a word

METHODS = """
    create_experiment create_run delete_experiment delete_experiment_tag delete_run delete_tag get_experiment
    get_experiment_by_name get_metric_history get_parent_run get_run log_batch log_metric log_param
    rename_experiment restore_experiment restore_run search_experiments search_runs set_experiment_tag set_tag
    set_terminated update_run
""".split()  # noqa: SIM905

ELSEWHERE = {"trace_location", "workspace_store_uri"}
"""Of traces and workspaces, which Headrace has not (30)."""

OPTIONAL_HERE = {("get_parent_run", "run_id"), ("MlflowClient.search_runs", "experiment_ids")}
"""What must be given at MLflow (10, 31)."""


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    given = inspect.signature(function).parameters.values()
    return [each for each in given if each.name != "self" and each.name not in ELSEWHERE]


@pytest.mark.parametrize("name", [*FUNCTIONS, *(f"MlflowClient.{method}" for method in METHODS)])
def test_parameters_are_mlflows(name: str) -> None:
    *where, last = name.split(".")
    here, there = (getattr(module, where[0]) if where else module for module in (headrace, mlflow))
    ours, theirs = parameters(getattr(here, last)), parameters(getattr(there, last))
    assert [each.name for each in ours[: len(theirs)]] == [each.name for each in theirs]
    for our, their in zip(ours, theirs, strict=False):
        if (name, our.name) in OPTIONAL_HERE:
            assert (our.default, their.default) == (None, their.empty)
        else:
            assert our.default == their.default, our.name
    assert all(each.default is not each.empty for each in ours[len(theirs) :]), "what is ours may be left out"


def test_modules_that_scripts_import() -> None:
    for module in ("entities", "exceptions", "tracking", "utils", "config"):
        assert hasattr(headrace, module)
        assert hasattr(mlflow, module)
    for name in FUNCTIONS:
        if name not in ("set_tracking_uri", "get_tracking_uri", "is_tracking_uri_set"):
            assert hasattr(mlflow.tracking.fluent, name) == hasattr(headrace.tracking.fluent, name), name
    assert headrace.tracking.client.MlflowClient is headrace.MlflowClient
    assert headrace.__version__


def test_tags_have_mlflows_keys() -> None:
    ours = {name: value for name, value in vars(our_tags).items() if name.isupper()}
    assert ours == {name: getattr(mlflow.utils.mlflow_tags, name) for name in ours}
    assert {"MLFLOW_RUN_NAME", "MLFLOW_USER", "MLFLOW_SOURCE_NAME"} <= ours.keys()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Metric", ("loss", 0.5, 7, 3)),
        ("Param", ("lr", "0.1")),
        ("RunTag", ("team", "mill")),
        ("ExperimentTag", ("team", "mill")),
        ("RunData", ({}, {}, {})),
        ("RunInfo", ("a" * 32, "1", "me", "FINISHED", 1, 2, "active", "there", "name")),
        ("Experiment", ("1", "name", "there", "active", {}, 1, 2)),
    ],
)
def test_entities_are_made_and_read_alike(name: str, values: tuple[Any, ...]) -> None:
    ours: Any
    if name == "RunData":
        ours, theirs = headrace.entities.RunData(*values), mlflow.entities.RunData()
    elif name == "Experiment":
        ours = headrace.entities.Experiment(*values)
        theirs = mlflow.entities.Experiment(*values[:4], creation_time=1, last_update_time=2)
    else:
        ours, theirs = (getattr(module.entities, name)(*values) for module in (headrace, mlflow))
    said = dict(ours)
    assert said.items() <= dict(theirs).items()
    if name not in ("RunData", "Experiment"):
        assert said.keys() >= set(dict(theirs)) - {"lifecycle_stage"}
        assert dict(type(ours).from_dictionary(said)) == said
    for attribute in said:
        assert getattr(ours, attribute) == getattr(theirs, attribute)


def test_a_run_as_a_dictionary(sides: tuple[Side, Side]) -> None:
    found = []
    for side in sides:
        run = side.client.create_run(side.client.create_experiment("a dictionary"), 5, {"a": "b"}, "name")
        said = side.client.get_run(run.info.run_id).to_dictionary()
        found.append((said["info"].keys(), said["data"]["params"], said["info"]["run_name"]))
    assert found[0][0] <= found[1][0] | {"run_uuid"}
    assert found[0][1:] == found[1][1:]


def test_a_view_of_a_stage() -> None:
    for module in (headrace.entities, mlflow.entities):
        stage, view = module.LifecycleStage, module.ViewType
        assert stage.view_type_to_stages(view.ACTIVE_ONLY) == ["active"]
        assert stage.view_type_to_stages(view.DELETED_ONLY) == ["deleted"]
        assert stage.view_type_to_stages(view.ALL) == ["active", "deleted"]
        assert stage.matches_view_type(view.ALL, "deleted")
        assert not stage.matches_view_type(view.ACTIVE_ONLY, "deleted")
        assert (stage.is_valid("active"), stage.is_valid("gone")) == (True, False)
        assert view.to_string(view.DELETED_ONLY) == "deleted_only"
        assert view.from_string("all") == view.ALL


def test_statuses_by_name() -> None:
    for module in (headrace.entities, mlflow.entities):
        status, source = module.RunStatus, module.SourceType
        assert status.to_string(status.FAILED) == "FAILED"
        assert status.from_string("KILLED") == status.KILLED
        assert [status.is_terminated(each) for each in (status.RUNNING, status.FAILED)] == [False, True]
        assert sorted(map(status.to_string, status.all_status())) == [
            "FAILED", "FINISHED", "KILLED", "RUNNING", "SCHEDULED"
        ]  # fmt: skip
        assert source.to_string(source.from_string("JOB")) == "JOB"


# Differences; the numbers are those of docs/mlflow-differences.md.


def test_30_traces_and_workspaces() -> None:
    for name in ("create_experiment", "set_experiment"):
        assert "trace_location" in inspect.signature(getattr(mlflow, name)).parameters
        assert "trace_location" not in inspect.signature(getattr(headrace, name)).parameters
    assert "workspace_store_uri" in inspect.signature(mlflow.MlflowClient).parameters
    assert "workspace_store_uri" not in inspect.signature(headrace.MlflowClient).parameters


def test_31_the_parent_of_the_active_run(sides: tuple[Side, Side]) -> None:
    ours, theirs = (side.module for side in sides)
    ours.set_experiment("31")
    with ours.start_run() as outer, ours.start_run(nested=True):
        assert ours.get_parent_run().info.run_id == outer.info.run_id
    with pytest.raises(TypeError):
        theirs.get_parent_run()


def test_32_statuses_are_texts() -> None:
    ours, theirs = headrace.entities.RunStatus, mlflow.entities.RunStatus
    assert (ours.FINISHED, type(theirs.FINISHED)) == ("FINISHED", int)
    assert (headrace.entities.SourceType.JOB, type(mlflow.entities.SourceType.JOB)) == ("JOB", int)


# What guides say of MLflow, and it does not do: the letters are those of docs/mlflow-differences.md.


def test_guides_that_mlflow_does_not_follow(sides: tuple[Side, Side]) -> None:
    for module in (headrace, mlflow):
        names = {name: list(inspect.signature(getattr(module, name)).parameters) for name in FUNCTIONS}
        assert "page_token" not in names["search_runs"] + names["search_experiments"], "a"
        assert names["search_runs"].index("output_format") < names["search_runs"].index(
            "search_all_experiments"
        )
        assert inspect.signature(module.search_runs).parameters["output_format"].default == "pandas", "a"
        assert names["log_metric"].index("synchronous") < names["log_metric"].index("timestamp"), "b"
        assert names["log_metrics"].index("synchronous") < names["log_metrics"].index("timestamp"), "b"
        assert inspect.signature(module.end_run).parameters["status"].default == "FINISHED", "c"
        assert (module.entities.ViewType.ACTIVE_ONLY, module.entities.ViewType.ALL) == (1, 3), "d"
    for side in sides:
        run = side.client.create_run(side.client.create_experiment("guides")).info.run_id
        side.client.log_metric(run, "yes", True)
        side.client.log_param(run, "p", 1)
        side.client.set_tag(run, "t", 1)
        data = side.client.get_run(run).data
        assert data.metrics == {"yes": 1.0}, "e, and f: Azure ML has 0 for true"
        assert (data.params["p"], data.tags["t"]) == ("1", "1"), "e"
        assert hasattr(side.client.get_run(run).info, "run_uuid") is (side is sides[0]), "h"
        assert str(side.client.get_run(run).info).lstrip("<").startswith("RunInfo"), "g"


def test_the_active_run_is_not_told_what_is_logged(sides: tuple[Side, Side]) -> None:
    """``last_active_run`` of a run that goes on is as of its start, of one that has ended as of its end."""
    for side in sides:
        side.module.set_experiment("as of the start")
        with side.module.start_run():
            side.module.log_metric("loss", 1.0)
            assert side.module.last_active_run().data.metrics == {}
        assert side.module.last_active_run().data.metrics == {"loss": 1.0}
        assert isinstance(side.module.last_active_run(), side.module.entities.Run)
