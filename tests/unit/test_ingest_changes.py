"""Changes of runs: every bound is checked, and named."""

from typing import Any

import pytest

from headrace_ingest.changes import create_run, experiment_name, run_change, tags
from headrace_proto.limits import MAX_TIMESTAMP
from headrace_proto.v1 import models_pb2
from headrace_proto.v1 import tracking_pb2 as pb
from headrace_storage import lineage, model
from headrace_storage.errors import InvalidArgumentError

DATASET = models_pb2.DatasetInput(
    dataset=models_pb2.Dataset(name="n", digest="d", source_type="t", source="s", schema="c", profile="p"),
    tags={"a": "b"},
)


def _dataset(tags: dict[str, str] | None = None, **fields: str) -> dict[str, Any]:
    dataset = models_pb2.Dataset(**{"name": "n", "digest": "d", **fields})
    return {"dataset": models_pb2.LogDataset(input=models_pb2.DatasetInput(dataset=dataset, tags=tags or {}))}


@pytest.mark.parametrize(
    ("message", "change"),
    [
        (
            {
                "create": pb.CreateRun(
                    experiment_id="3", run_name="r", user_id="u", start_time=5, tags={"a": "b"}
                )
            },
            model.CreateRun("3", "", "r", "u", 5, {"a": "b"}),
        ),
        (
            {"start_attempt": pb.StartAttempt(token="t", process_id="p", start_time=5)},
            model.StartAttempt("t", "p", 5),
        ),
        (
            {"end": pb.EndRun(status=pb.KILLED, end_time=6, token="t", process_id="p")},
            model.EndRun(model.RunStatus.KILLED, 6, "t", "p"),
        ),
        ({"param": pb.SetParam(key="k", value="ü")}, model.SetParam("k", "ü")),
        ({"tag": pb.SetTag(key="k" * 250, value="v" * 8000)}, model.SetTag("k" * 250, "v" * 8000)),
        ({"delete_tag": pb.DeleteTag(key="k")}, model.DeleteTag("k")),
        (
            {"dataset": models_pb2.LogDataset(input=DATASET)},
            lineage.LogDataset(lineage.Dataset("n", "d", "t", "s", "c", "p"), {"a": "b"}),
        ),
        (
            {"models": models_pb2.LogModels(outputs=[models_pb2.ModelStep(model_id="m", step=-2)])},
            lineage.LogModels([], [lineage.ModelStep("m", -2)]),
        ),
        (
            {"link_metric": models_pb2.LinkMetric(key="k", value=1.5, timestamp=3, step=-4, model_id="m")},
            lineage.LinkMetric("k", 1.5, 3, -4, "m"),
        ),
        (
            {"link_metric": models_pb2.LinkMetric(key="k", model_id="m", only=True)},
            lineage.LinkMetric("k", 0, 0, 0, "m", only=True),
        ),
    ],
)
def test_a_change_is_translated(message: dict[str, Any], change: model.RunChange) -> None:
    assert run_change(pb.RunChange(**message)) == change


@pytest.mark.parametrize(
    ("message", "argument", "problem"),
    [
        ({}, "change", "does not know"),
        ({"param": pb.SetParam(key="", value="v")}, "param key ''", "is empty"),
        ({"param": pb.SetParam(key="k", value="v" * 6001)}, "param 'k'", "bound is 6000"),
        ({"tag": pb.SetTag(key="k" * 251)}, "tag key", "bound is 250"),
        ({"tag": pb.SetTag(key="k", value="a\0b")}, "tag 'k'", "NUL"),
        ({"delete_tag": pb.DeleteTag(key="a\0b")}, "tag key", "NUL"),
        ({"start_attempt": pb.StartAttempt(token="")}, "token", "is empty"),
        ({"start_attempt": pb.StartAttempt(token="t" * 251)}, "token", "bound is 250"),
        ({"end": pb.EndRun(status=pb.RUNNING)}, "status", "ends no run"),
        ({"end": pb.EndRun(status=pb.FAILED, end_time=-1)}, "end_time", "-1 ms"),
        ({"create": pb.CreateRun(start_time=MAX_TIMESTAMP + 1)}, "start_time", str(MAX_TIMESTAMP)),
        ({"create": pb.CreateRun(run_name="n" * 501)}, "run_name", "bound is 500"),
        ({"create": pb.CreateRun(experiment_name="\0")}, "experiment_name", "NUL"),
        ({"create": pb.CreateRun(tags={"": "v"})}, "tag key", "is empty"),
        (_dataset(name=""), "dataset name", "is empty"),
        (_dataset(digest="d" * 37), "dataset digest", "bound is 36"),
        (_dataset(source="\0"), "dataset source", "NUL"),
        (_dataset({"a": "b" * 501}), "tag 'a'", "bound is 500"),
        ({"models": models_pb2.LogModels(inputs=[models_pb2.ModelStep()])}, "model_id", "is empty"),
        ({"link_metric": models_pb2.LinkMetric(key="k")}, "model_id", "is empty"),
        ({"link_metric": models_pb2.LinkMetric(key="k", model_id="m", timestamp=-1)}, "timestamp", "-1 ms"),
    ],
)
def test_a_change_that_breaks_a_bound_is_named(message: dict[str, Any], argument: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        run_change(pb.RunChange(**message))
    assert raised.value.argument.startswith(argument)
    assert problem in raised.value.problem


def test_tags_are_bounded() -> None:
    with pytest.raises(InvalidArgumentError, match="the bound is 1000"):
        tags({f"k{n}": "v" for n in range(1001)})


def test_names_are_bounded() -> None:
    assert experiment_name("n" * 500) == "n" * 500
    for name in ("", "n" * 501, "a\0"):
        with pytest.raises(InvalidArgumentError):
            experiment_name(name)


def test_a_run_is_made_without_anything() -> None:
    assert create_run(pb.CreateRun()) == model.CreateRun("", "", "", "", 0, {})
