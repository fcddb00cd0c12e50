"""Points of a request: by column or one by one, the same comes out, and the same is refused."""

import math
import random
from typing import Any

import pytest

from headrace_ingest.http.mlflow.given import Given
from headrace_ingest.http.mlflow.logging import PointColumns
from headrace_storage.errors import InvalidArgumentError

VALUES: tuple[Any, ...] = (1.5, -0.0, 3, 10**300, "NaN", "Infinity", "-Infinity", "1e3", 2**63)
BAD: tuple[Any, ...] = (None, "x", True, [], "nan", " 1", 10**400)


def one_by_one(metrics: list[Any]) -> PointColumns:
    columns = PointColumns()
    for number, metric in enumerate(metrics):
        columns.add_one(Given.item(f"metrics[{number}]", metric), f"metrics[{number}].")
    return columns


def outcome(columns: PointColumns) -> Any:
    keys, steps, timestamps, values = columns.points()
    shown = [(value, math.copysign(1, value)) if not math.isnan(value) else "nan" for value in values]
    return [list(keys), list(steps), list(timestamps), shown, list(map(str, columns.links))]


def metric(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "key": rng.choice("abc"),
        "value": rng.choice(VALUES),
        "timestamp": rng.randrange(10),
        "step": rng.randrange(-9, 9),
    }
    if rng.random() < 0.3:
        made["run_id"] = rng.choice(["f" * 32, 5, None])
    if rng.random() < 0.1:
        made |= {"model_id": "m-" + "a" * 32, "dataset_name": "d"}
    return made


@pytest.mark.parametrize("seed", range(30))
def test_by_column_is_as_one_by_one(seed: int) -> None:
    rng = random.Random(seed)
    metrics = [metric(rng) for _ in range(rng.randrange(1, 20))]
    columns = PointColumns()
    columns.add(metrics)
    assert outcome(columns) == outcome(one_by_one(metrics))
    spoiled = dict(metrics[-1])
    name = rng.choice(["value", "key", "timestamp", "step", "model_id", "modelId", "dataset_name"])
    spoiled[name] = rng.choice(BAD[1:]) if name != "value" else rng.choice(BAD)
    metrics[rng.randrange(len(metrics))] = spoiled
    told = []
    for gather in (PointColumns().add, one_by_one):
        try:
            gather(metrics)
            told.append("")
        except InvalidArgumentError as error:
            told.append(str(error))
    assert told[0] == told[1]
