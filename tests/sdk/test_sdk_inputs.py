"""Datasets: what is known of them, and what is written when a run uses one."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import headrace
from fake_core import Ask, FakeCore
from headrace.data.http_dataset_source import HTTPDatasetSource
from headrace.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, RunInputs
from headrace.errors import InvalidArgumentError
from headrace.types import ColSpec, DataType, Schema
from headrace_proto.v1 import models_pb2, tracking_pb2

RUN = "ab" * 16
FRAME = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", None]})


def said(fake: FakeCore, kind: str) -> list[Any]:
    return [getattr(one.change, kind) for one in fake.changes() if one.change.HasField(kind)]


def told(fake: FakeCore) -> list[tuple[str, str, dict[str, str]]]:
    inputs = [one.input for one in said(fake, "dataset")]
    return [(one.dataset.name, one.dataset.digest, dict(one.tags)) for one in inputs]


def test_a_run_uses_datasets_and_models(fake: FakeCore) -> None:
    train = headrace.data.from_pandas(FRAME, source="data/train.csv", name="train", targets="y")
    test = headrace.data.from_numpy(np.eye(2), name="test", digest="d2")
    with headrace.start_run():
        headrace.log_input(train, context="training", tags={"rows": 2})
        headrace.log_inputs([test, train], ["testing", None], [None, {"a": "b"}])
        headrace.log_input(model=LoggedModelInput("m-1"))
        headrace.log_outputs([LoggedModelOutput("m-2", 5)])
    assert told(fake) == [
        ("train", train.digest, {"mlflow.data.context": "training", "rows": "2"}),
        ("test", "d2", {"mlflow.data.context": "testing"}),
        ("train", train.digest, {"a": "b"}),
    ]
    dataset = said(fake, "dataset")[0].input.dataset
    assert (dataset.source_type, json.loads(dataset.source)) == ("local", {"uri": "data/train.csv"})
    assert json.loads(dataset.schema)["mlflow_colspec"][1] == {
        "type": "string",
        "name": "y",
        "required": False,
    }
    assert json.loads(dataset.profile) == {"num_rows": 2, "num_elements": 4}
    assert [(one.inputs, one.outputs) for one in said(fake, "models")] == [
        ([models_pb2.ModelStep(model_id="m-1")], []), ([], [models_pb2.ModelStep(model_id="m-2", step=5)]),
    ]  # fmt: skip


def test_by_run_id(fake: FakeCore, ask: Ask) -> None:
    entity = Dataset("train", "d1", "code", "{}")
    ask("log_inputs", RUN, [DatasetInput(entity, [InputTag("a", "b")])], [LoggedModelInput("m-1")])
    ask("log_outputs", RUN, [LoggedModelOutput("m-2")])
    assert told(fake) == [("train", "d1", {"a": "b"})]
    assert len(said(fake, "models")) == 2


def test_what_cannot_be_logged(fake: FakeCore) -> None:
    with headrace.start_run():
        for dataset, problem in (
            ("train.csv", "is a str"), (Dataset("", "d", "code", "{}"), "name is empty"),
            (Dataset("a", "d" * 37, "code", "{}"), "bound is 36"),
            (Dataset("a", "d", "code", "x" * 65_536), "bound is 65535"),
        ):  # fmt: skip
            with pytest.raises(InvalidArgumentError, match=problem):
                headrace.log_input(dataset)
        with pytest.raises(InvalidArgumentError, match="bound is 500"):
            headrace.log_input(Dataset("a", "d", "code", "{}"), tags={"a": "x" * 501})
        with pytest.raises(InvalidArgumentError, match="different lengths"):
            headrace.log_inputs([Dataset("a", "d", "code", "{}")], ["training"], [])
    assert told(fake) == []


def test_a_run_tells_what_it_used(fake: FakeCore, ask: Ask) -> None:
    dataset = models_pb2.Dataset(name="train", digest="d", source_type="http", source='{"url": "http://a/b"}')
    fake.responses["GetRun"] = tracking_pb2.Run(
        info=tracking_pb2.RunInfo(run_id=RUN),
        dataset_inputs=[models_pb2.DatasetInput(dataset=dataset, tags={"a": "b"})],
        model_inputs=[models_pb2.ModelStep(model_id="m-1")],
        model_outputs=[models_pb2.ModelStep(model_id="m-2", step=3)],
    )
    run = ask("get_run", RUN)
    [used] = run.inputs.dataset_inputs
    assert used == DatasetInput(Dataset("train", "d", "http", '{"url": "http://a/b"}'), [InputTag("a", "b")])
    assert run.inputs.model_inputs == [LoggedModelInput("m-1")]
    assert run.outputs.model_outputs == [LoggedModelOutput("m-2", 3)]
    source = headrace.data.get_source(used)
    assert isinstance(source, HTTPDatasetSource)
    assert source.url == "http://a/b"
    assert used.to_dictionary()["tags"] == {"a": "b"}
    assert RunInputs() == RunInputs([], [])


@pytest.mark.parametrize(
    ("source", "kind", "told"),
    [
        ("https://example.org/a.csv", "http", {"url": "https://example.org/a.csv"}),
        ("s3://bucket/a.csv", "s3", {"uri": "s3://bucket/a.csv"}),
        (Path("a/b.csv"), "local", {"uri": "a/b.csv"}),
        (HTTPDatasetSource("http://x/y"), "http", {"url": "http://x/y"}),
    ],
)
def test_sources(source: Any, kind: str, told: dict[str, str]) -> None:
    dataset = headrace.data.from_numpy(np.zeros(3), source)
    assert (dataset.to_dict()["source_type"], dataset.source.to_dict()) == (kind, told)
    entity = dataset._to_mlflow_entity()
    assert headrace.data.get_source(entity).to_dict() == told


def test_without_a_source_it_is_the_program() -> None:
    source = headrace.data.from_pandas(FRAME).source
    assert source.to_dict()["tags"]["mlflow.source.type"] == "LOCAL"
    with pytest.raises(headrace.HeadraceError, match="cannot be loaded"):
        source.load()


def test_only_the_description_is_needed() -> None:
    schema = Schema([ColSpec(DataType.string, "text"), ColSpec(DataType.long, "label", required=False)])
    known = headrace.data.MetaDataset(HTTPDatasetSource("http://x/y"), "reviews", schema=schema)
    assert Schema.from_json(schema.to_json()) == schema
    assert json.loads(known.to_dict()["schema"]) == {"mlflow_colspec": schema.to_dict()}
    assert known.digest != headrace.data.MetaDataset(HTTPDatasetSource("http://x/z"), "reviews").digest


def test_columns_that_are_not_there() -> None:
    with pytest.raises(InvalidArgumentError, match="no such column"):
        headrace.data.from_pandas(FRAME, targets="z")


def test_numbers_need_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = [np.arange(6.0).reshape(2, 3), np.array([1, -2], np.int8), {"a": np.ones(2, np.float32)}]
    digests = [headrace.data.from_numpy(array).digest for array in arrays]
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert [headrace.data.from_numpy(array).digest for array in arrays] == digests
    with pytest.raises(headrace.HeadraceError, match="needs pandas"):
        headrace.data.from_numpy(np.array(["a"]))


def test_equal_data_has_an_equal_digest() -> None:
    make = headrace.data.from_pandas
    assert make(FRAME).digest == make(FRAME.copy()).digest
    assert make(FRAME).digest != make(FRAME.rename(columns={"x": "z"})).digest
    assert make(FRAME).digest != make(pd.concat([FRAME, FRAME])).digest
