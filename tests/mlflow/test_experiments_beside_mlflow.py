"""Experiments here and at MLflow: made, changed, deleted, restored and searched for, with the same answers.

Only with MLflow: ``make test-mlflow``.
"""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from beside import NOTHING, Side

pytest.importorskip("mlflow")

EXPERIMENTS = 40
SEARCHES = 150
TEXTS = ("a", "b", "B", "ab", "a%", "x y", "Ä", "7")


def experiments(side: Side) -> None:
    client = side.client
    made = client.create_experiment("e one", tags={"team": "mill"})
    side.note(client.get_experiment, made)
    side.note(client.get_experiment_by_name, "e one")
    side.note(client.get_experiment_by_name, "nobody")
    for call in (client.get_experiment, client.delete_experiment, client.restore_experiment):
        side.code(call, NOTHING)
    side.code(client.create_experiment, "e one")
    for name in ("", None, 5, "n" * 501):
        side.code(client.create_experiment, name)
    # Changed.
    side.note(client.rename_experiment, made, "e two")
    side.note(client.get_experiment_by_name, "e one")
    side.code(client.rename_experiment, made, "")
    side.code(client.rename_experiment, NOTHING, "x")
    side.note(client.set_experiment_tag, made, "team", "race")
    side.note(client.set_experiment_tag, made, "number", 7)
    side.note(client.get_experiment, made)
    side.note(client.delete_experiment_tag, made, "number")
    side.code(client.delete_experiment_tag, made, "number")
    side.code(client.set_experiment_tag, NOTHING, "k", "v")
    # Deleted.
    side.code(client.restore_experiment, made)
    side.note(client.delete_experiment, made)
    side.note(client.get_experiment, made)
    side.note(client.get_experiment_by_name, "e two")
    side.code(client.delete_experiment, made)
    side.code(client.set_experiment_tag, made, "k", "v")
    side.code(client.delete_experiment_tag, made, "team")
    side.code(client.create_experiment, "e two")
    side.code(client.create_run, made)
    side.code(side.module.set_experiment, "e two")
    side.code(side.module.set_experiment, experiment_id=made)
    side.note(client.restore_experiment, made)
    side.note(client.get_experiment, made)
    side.note(side.module.set_experiment, "e two")
    side.code(side.module.set_experiment, experiment_id=NOTHING)
    side.code(side.module.set_experiment)
    side.code(side.module.set_experiment, "a", "1")
    side.note(side.module.set_experiment, "e new")


def fluent_experiments(side: Side) -> None:
    module = side.module
    made = module.create_experiment("fluent", artifact_location="s3://somewhere", tags={"a": "1"})
    side.note(module.get_experiment, made)
    side.code(module.create_experiment, "fluent")
    side.note(module.set_experiment, experiment_id=made)
    module.set_experiment_tag("b", 2)
    module.set_experiment_tags({"c": 3, "d": 2.5})
    side.note(module.get_experiment, made)
    side.note(module.delete_experiment_tag, "c")
    side.code(module.delete_experiment_tag, "c")
    side.note(module.search_experiments, filter_string="name = 'fluent'")
    with module.start_run() as run:
        side.noted.append(
            module.get_artifact_uri("x/y").removesuffix(f"/{run.info.run_id}/artifacts/x/y")[-10:]
        )
    module.delete_experiment(made)
    side.note(module.get_experiment, made)
    side.noted.append(module.get_run(run.info.run_id).info.lifecycle_stage)
    module.restore_experiment(made)
    side.noted.append(module.get_run(run.info.run_id).info.lifecycle_stage)


@pytest.mark.parametrize("scenario", [experiments, fluent_experiments])
def test_experiments(play: Any, scenario: Callable[[Side], None]) -> None:
    play(scenario)


def many_experiments(side: Side) -> list[int]:
    rng = random.Random(3)
    times = []
    for number in range(EXPERIMENTS):
        tags = {key: rng.choice(TEXTS) for key in ("k", "l", "a b") if rng.random() < 0.6}
        made = side.client.create_experiment(f"{rng.choice(TEXTS)} {number}", tags=tags)
        times.append(side.client.get_experiment(made).creation_time)
        if rng.random() < 0.3:
            side.client.delete_experiment(made)
        time.sleep(0.002)  # no two of a millisecond
    return times


def condition(rng: random.Random) -> Callable[[list[int]], str]:
    match rng.randrange(4):
        case 0:
            name = rng.choice(["name", "attribute.name", "attribute.`name`"])
            value = rng.choice([*TEXTS, "a %", "%1%", "B 2_"])
            text = f"{name} {rng.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{value}'"
            return lambda _: text
        case 1:
            number, comparison = rng.randrange(EXPERIMENTS), rng.choice(["=", "!=", "<", "<=", ">", ">="])
            return lambda times: f"creation_time {comparison} {times[number]}"
        case 2:
            text = f"tags.{rng.choice(['k', 'l', '`a b`', 'none'])} {rng.choice(['IS NULL', 'IS NOT NULL'])}"
            return lambda _: text
        case _:
            key = rng.choice(["tags.k", "tag.l", "tags.`a b`", "tags.none"])
            text = f"{key} {rng.choice(['=', '!=', 'LIKE', 'ILIKE'])} '{rng.choice([*TEXTS, '%', '_'])}'"
            return lambda _: text


def test_random_searches_for_experiments_find_the_same(sides: tuple[Side, Side]) -> None:
    times = [many_experiments(side) for side in sides]
    rng = random.Random(5)
    for _ in range(SEARCHES):
        conditions = [condition(rng) for _ in range(rng.randrange(3))]
        names = rng.sample(
            ["name", "creation_time", "experiment_id", "attribute.last_update_time"], rng.randrange(3)
        )
        order = [name + rng.choice(["", " ASC", " DESC"]) for name in names]
        view, size = rng.choice([1, 2, 3]), rng.choice([7, 1000])
        found = []
        for side, at in zip(sides, times, strict=True):
            text = " AND ".join(part(at) for part in conditions)
            pages, token = [], None
            while True:
                page = side.client.search_experiments(view, size, text, order, token)
                pages.append([experiment.name for experiment in page])
                token = page.token
                if not token:
                    break
            found.append(pages)
        assert found[0] == found[1], f"{[part(times[0]) for part in conditions]} {order} {view}"


@pytest.mark.parametrize(
    "text",
    [
        "name < 'a'", "name = a", "metrics.a < 1", "foo = 'a'", "tags.a > 'b'", "creation_time = 'a'",
        "creation_time LIKE 'a'", "name", "tags.a = 1", "attribute.foo = 'a'",
    ],
)  # fmt: skip
def test_both_refuse_a_filter_of_experiments(sides: tuple[Side, Side], text: str) -> None:
    codes = []
    for side in sides:
        with pytest.raises(side.module.MlflowException) as refused:
            side.client.search_experiments(filter_string=text)
        codes.append(refused.value.error_code)
    assert codes == ["INVALID_PARAMETER_VALUE"] * 2


@pytest.mark.parametrize(
    "options", [{"order_by": ["tags.k"]}, {"order_by": ["foo"]}, {"max_results": 0}, {"max_results": 50_001}]
)
def test_both_refuse_a_search_of_experiments(sides: tuple[Side, Side], options: dict[str, Any]) -> None:
    for side in sides:
        with pytest.raises(side.module.MlflowException) as refused:
            side.client.search_experiments(**options)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


# What differs; the numbers are those of docs/mlflow-differences.md.


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        pytest.param("name LIKE 'own%' name LIKE 'own%'", None, True, id="1"),
        pytest.param("name = 'own ä' OR name = 'none'", True, None, id="2"),
        pytest.param("(name = 'own ä')", True, None, id="2 parentheses"),
        pytest.param("name IN ('own ä')", True, None, id="2 IN"),
        pytest.param("name IS NULL", False, None, id="2 IS NULL"),
        pytest.param("tags.own = 'it''s'", True, False, id="4"),
        pytest.param("tags.a-b/c = 'd'", True, None, id="4 keys"),
        pytest.param("tags.own_share LIKE '100\\%'", True, False, id="5"),
        pytest.param("name ILIKE 'OWN Ä'", True, False, id="6"),
        pytest.param(f"name = '{'x' * 300_000}'", None, False, id="11"),
    ],
)
def test_a_difference_of_searches(
    sides: tuple[Side, Side], text: str, ours: bool | None, theirs: bool | None
) -> None:
    """``None``: refused; else whether it finds experiments."""
    outcomes: list[bool | None] = []
    for side in sides:
        if side.client.get_experiment_by_name("own ä") is None:
            tags = {"own": "it's", "own_share": "100%", "a-b/c": "d"}
            side.client.create_experiment("own ä", tags=tags)
        try:
            outcomes.append(bool(side.client.search_experiments(filter_string=text)))
        except side.module.MlflowException:
            outcomes.append(None)
    assert outcomes == [ours, theirs]


def test_9_pages_when_experiments_come(sides: tuple[Side, Side]) -> None:
    found = []
    for side in sides:
        for number in range(4):
            side.client.create_experiment(f"page {number}")
        asked = {"max_results": 2, "filter_string": "name LIKE 'page %'", "order_by": ["name DESC"]}
        first = side.client.search_experiments(**asked)
        side.client.create_experiment("page 9")
        second = side.client.search_experiments(page_token=first.token, **asked)
        found.append([each.name[-1] for page in (first, second) for each in page])
    assert found == [["3", "2", "1", "0"], ["3", "2", "2", "1"]]
