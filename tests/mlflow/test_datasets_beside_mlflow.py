"""Datasets here and at MLflow: equal digests, schemas and profiles, equal inputs of runs, equal searches."""

import datetime as dt
import json
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import headrace
from beside import Side
from headrace.types.infer import infer_schema

mlflow = pytest.importorskip("mlflow")

FRAME = pd.DataFrame({
    "number": [1, 2, 3], "text": ["x", None, "z"], "float": [1.5, np.nan, 2.0], "truth": [True, False, True],
    "time": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]), "lists": [[1, 2], [3], []],
    "objects": [{"k": 1}, {"k": 2, "l": "s"}, {"k": 3}], "small": np.array([1, 2, 3], np.int16),
    "single": np.array([1, 2, 3], np.float32), "bytes": [b"a", b"b", b"c"], 7: [1, 2, 3],
})  # fmt: skip
SIMPLE = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"], "z": [1, 2]})
ARRAYS = [
    np.arange(12.0).reshape(3, 4), np.arange(30_000, dtype=np.int16), np.array(["a", "bb"]),
    np.array([True, False]), {"b": np.ones((2, 2), np.float32), "a": np.arange(3)},
    np.array(["2020-01-01", "2021-01-01"], "datetime64[ns]"), np.array([b"a"]),
    np.random.default_rng(1).random(9),
]  # fmt: skip


def comparable(dataset: Any) -> dict[str, Any]:
    """Without the source that is this program, of which we tell more."""
    told = dict(dataset.to_dict())
    return {key: value for key, value in told.items() if key != "source" or told["source_type"] != "code"}


@pytest.mark.parametrize("place", range(len(ARRAYS)))
def test_arrays(place: int) -> None:
    array = ARRAYS[place]
    targets = np.arange(3) if place % 2 else None
    ours, theirs = (
        module.data.from_numpy(array, source="http://a/b.npy", targets=targets)
        for module in (headrace, mlflow)
    )
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize("frame", [FRAME, SIMPLE, pd.concat([SIMPLE] * 6000)])
def test_data_frames(frame: pd.DataFrame) -> None:
    ours, theirs = (
        module.data.from_pandas(frame, source="a/b.csv", name="n") for module in (headrace, mlflow)
    )
    assert comparable(ours) == comparable(theirs)


def test_polars_frames() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1, 2], "b": ["x", None], "c": [[1.0], [2.0]], "d": [{"k": 1}, {"k": 2}]})
    ours, theirs = (module.data.from_polars(frame, source="s3://a/b") for module in (headrace, mlflow))
    assert comparable(ours) == comparable(theirs)


def test_descriptions() -> None:
    dicts: list[Any] = []
    for module in (headrace, mlflow):
        schema = module.types.Schema(
            [module.types.ColSpec("string", "a"), module.types.ColSpec("long", "b", False)]
        )
        source = module.data.http_dataset_source.HTTPDatasetSource("https://a/b.gz")
        make = module.data.meta_dataset.MetaDataset
        dicts += [make(source, "n", schema=given).to_dict() for given in (None, schema)]
    assert dicts[:2] == dicts[2:]


@pytest.mark.parametrize(
    "data",
    [
        FRAME["number"], ["a", "b"], [{"a": 1, "b": "x"}, {"a": 2}], {"a": 1, "b": [1.0]}, "text", 1.0,
        [1, 2], [[1], [2, 3]], {"a": {"b": [{"c": 1}, {"c": None, "d": True}]}}, [], np.float32(1),
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC), [1, "a"], {"x": np.zeros((2, 2)), "y": np.zeros(2)}, b"a",
        None, [None], [[], [1]], np.zeros(()),
        {"a": None, "b": []}, pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
        pd.DataFrame({"a": pd.Series(["a", 1], dtype=object)}), pd.DataFrame({"a": [1 + 2j]}),
    ],
)  # fmt: skip
def test_schemas(data: Any) -> None:
    def outcome(infer: Callable[[Any], Any]) -> str:
        try:
            return str(infer(data).to_json())
        except Exception:  # noqa: BLE001 - of several classes
            return "refused"

    assert outcome(infer_schema) == outcome(mlflow.types.utils._infer_schema)


def inputs(run: Any) -> list[Any]:
    return [
        [*one.dataset.to_dictionary().values(), sorted((tag.key, tag.value) for tag in one.tags)]
        for one in run.inputs.dataset_inputs
    ]  # fmt: skip


def test_runs_use_datasets(play: Callable[[Callable[[Side], None]], None]) -> None:
    def scenario(side: Side) -> None:
        module, entities = side.module, side.entities
        module.set_experiment("inputs")
        train = module.data.from_pandas(SIMPLE, source="train.csv", name="train")
        test = module.data.from_numpy(np.eye(2), source="http://x/y")
        with module.start_run() as run:
            module.log_input(train, context="training", tags={"a": "b"})
            module.log_input(train, context="testing")  # the first counts
            module.log_inputs([test, None][:1], ["testing"], [None])
        side.noted.append(sorted(inputs(side.client.get_run(run.info.run_id))))
        [found] = side.client.search_runs([run.info.experiment_id], "datasets.name = 'train'")
        side.noted.append(sorted(inputs(found)))
        entity = entities.Dataset("other", "d", "local", "{}")
        side.note(side.client.log_inputs, run.info.run_id, [entities.DatasetInput(entity, [])])
        side.note(side.client.log_inputs, run.info.run_id, [])
        for dataset in (
            entities.Dataset("x" * 501, "d", "local", "{}"), entities.Dataset("x", "d" * 37, "local", "{}"),
            entities.Dataset("x", "d", "local", "s" * 65_536),
            entities.Dataset("x", "d", "local", "s", "s" * 1_048_576),
        ):  # fmt: skip
            side.code(side.client.log_inputs, run.info.run_id, [entities.DatasetInput(dataset, [])])
        tag = entities.InputTag("a", "x" * 501)
        named = entities.Dataset("x", "d", "local", "s")
        side.code(side.client.log_inputs, run.info.run_id, [entities.DatasetInput(named, [tag])])
        side.noted.append(len(inputs(side.client.get_run(run.info.run_id))))
        side.refused(module.log_inputs, [train], [], [])

    play(scenario)


def test_searches_by_dataset(sides: tuple[Side, Side]) -> None:
    rng = random.Random(3)
    names, contexts = ["train", "Train", "test", "a%b"], ["training", "testing", None]
    asked = {"name": [*names, "none"], "digest": ["d0", "d1"], "context": ["training", "testing"]}
    plans = [
        [(rng.choice(names), f"d{rng.randrange(3)}", rng.choice(contexts)) for _ in range(rng.randrange(4))]
        for _ in range(60)
    ]
    experiments = []
    for side in sides:
        experiment = side.client.create_experiment("by dataset")
        experiments.append(experiment)
        for place, plan in enumerate(plans):
            run = side.client.create_run(experiment, 1000 + place, run_name=str(place)).info.run_id
            used = []
            for name, digest, context in plan:
                tags = [side.entities.InputTag("mlflow.data.context", context)] if context else []
                used.append(
                    side.entities.DatasetInput(side.entities.Dataset(name, digest, "local", "{}"), tags)
                )
            side.client.log_inputs(run, used)
    for _ in range(60):
        conditions = []
        for _ in range(rng.randrange(1, 3)):
            field = rng.choice(["name", "digest", "context"])
            value = rng.choice(asked[field])
            comparison = rng.choice(["=", "!=", "LIKE", "ILIKE", "IN"])
            shown = f"('{value}', 'x')" if comparison == "IN" else f"'{value}'"
            conditions.append(f"{rng.choice(['dataset', 'datasets'])}.{field} {comparison} {shown}")
        text = " AND ".join(conditions)
        ours, theirs = (
            [
                run.info.run_name
                for run in side.client.search_runs([experiment], text, order_by=["start_time"])
            ]
            for side, experiment in zip(sides, experiments, strict=True)
        )
        assert ours == theirs, text


def test_mlflows_own_datasets_can_be_logged(sides: tuple[Side, Side]) -> None:
    headrace.set_experiment("inputs")
    with headrace.start_run() as run:
        headrace.log_input(mlflow.data.from_pandas(SIMPLE, source="a.csv", name="n"), context="c")
    [used] = headrace.get_run(run.info.run_id).inputs.dataset_inputs
    assert json.loads(used.dataset.source) == {"uri": "a.csv"}
    namespace = SimpleNamespace(dataset=used.dataset)
    assert headrace.data.get_source(namespace.dataset).load() == "a.csv"
    assert sides[0].module is headrace
