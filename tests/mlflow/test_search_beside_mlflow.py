"""The same searches of the same runs, here and at MLflow: the same runs in the same order, the same refusals.

Only with MLflow: ``make test-mlflow``. What differs is in ``docs/mlflow-differences.md``, and tested at the
end.
"""

import math
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import headrace
from headrace.errors import InvalidArgumentError
from ingest_daemon import DaemonProcess

mlflow = pytest.importorskip("mlflow")

RUNS = 500
SEARCHES = 300
BEGIN = 1_700_000_000_000
KEYS = ("loss", "acc", "a.b", "top 1")
TEXTS = ("a", "b", "B", "ab", "a%", "100%", "a_b", "x y", "Ä", "7", "0.1", "")
NUMBERS = (-1.0, 0.0, 0.5, 1.0, 2.5, 1e-3, 1e9)
VALUES = (*NUMBERS, math.nan, math.inf, -math.inf)


@dataclass
class Both:
    """The two clients, with the experiment in which each has the runs."""

    ours: headrace.Client
    theirs: Any
    experiment: str
    their_experiment: str

    def search(self, filter_string: str, order_by: list[str], view: int = 1, size: int = 1000) -> None:
        """Fails unless both find the same runs, page by page."""
        ours, theirs = (
            self.pages(which, filter_string, order_by, view, size) for which in ("ours", "theirs")
        )
        asked = f"{filter_string!r} {order_by}"
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
            differing = [pair for pair in zip(mine, other, strict=False) if pair[0] != pair[1]]
            assert mine == other, f"{asked}: page {number}: {differing[:1]}"
        assert len(ours) == len(theirs), asked

    def pages(
        self, which: str, filter_string: str, order_by: list[str], view: int, size: int
    ) -> list[list[str]]:
        client, experiment = (
            (self.ours, self.experiment) if which == "ours" else (self.theirs, self.their_experiment)
        )
        pages, token = [], None
        while True:
            page = client.search_runs([experiment], filter_string, view, size, order_by, token)
            pages.append([run.info.run_name for run in page])
            token = page.token
            if not token:
                return pages


def random_runs(rng: random.Random) -> Iterator[dict[str, Any]]:
    times = rng.sample(range(10_000), RUNS)
    for number in range(RUNS):
        yield {
            "name": f"run {number}",
            "start_time": BEGIN + times[number],
            "end_time": BEGIN + rng.randrange(20_000) if rng.random() < 0.7 else None,
            "status": rng.choice(["FINISHED", "FAILED", "KILLED"]),
            # No two of a step: see the differences.
            "metrics": [
                (key, rng.choice(VALUES), BEGIN + rng.randrange(3), step)
                for key in KEYS
                for step in rng.sample(range(-2, 3), rng.randrange(3))
            ],
            "params": {key: rng.choice(TEXTS) for key in KEYS if rng.random() < 0.6},
            "tags": {key: rng.choice(TEXTS) for key in KEYS if rng.random() < 0.6},
        }  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder: Path = tmp_path_factory.mktemp("beside")
    daemon = DaemonProcess(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_JOURNAL_DIR", str(folder / "journals"))
        ours = headrace.Client(f"headrace://{daemon.ready()}")
        theirs = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        made = Both(ours, theirs, ours.create_experiment("both"), theirs.create_experiment("both"))
        runs = list(random_runs(random.Random(7)))
        runs[0]["params"]["own"] = "it's"
        for run in runs:
            for client, entities, experiment in (
                (ours, headrace, made.experiment), (theirs, mlflow.entities, made.their_experiment),
            ):  # fmt: skip
                log(client, entities, experiment, run)
        ours.flush(60.0)
        yield made
        ours.close()
    daemon.close()


def log(client: Any, entities: Any, experiment: str, run: dict[str, Any]) -> None:
    made = client.create_run(experiment, run["start_time"], run["tags"], run["name"])
    client.log_batch(
        made.info.run_id,
        [entities.Metric(*point) for point in run["metrics"]],
        [entities.Param(key, value) for key, value in run["params"].items()],
    )
    if run["end_time"] is not None:
        client.set_terminated(made.info.run_id, run["status"], run["end_time"])


def field(rng: random.Random, group: str) -> str:
    key = rng.choice([*KEYS, "none"])
    return f"{group}.{key}" if re.fullmatch("[a-z.]+", key) else f"{group}.`{key}`"


def condition(rng: random.Random) -> str:
    match rng.randrange(6):
        case 0 | 1:
            comparison = rng.choice(["=", "!=", "<", "<=", ">", ">="])
            return f"{field(rng, rng.choice(['metrics', 'metric']))} {comparison} {rng.choice(NUMBERS)!r}"
        case 2:
            comparison = rng.choice(["=", "!=", "<", "<=", ">", ">="])
            name = rng.choice(["start_time", "end_time", "attributes.created", "attr.start_time"])
            return f"{name} {comparison} {BEGIN + rng.randrange(10_000)}"
        case 3:
            name = rng.choice(["status", "attributes.run_name", "run.status", "attributes.`Run name`"])
            comparison = rng.choice(["=", "!=", "LIKE", "ILIKE", "like"])
            value = rng.choice(["FINISHED", "RUNNING", "fin%", "%ED", "run 1%", "RUN 7_", "run 42"])
            return f"{name} {comparison} '{value}'"
        case 4:
            group = rng.choice(["params", "tags", "tag", "parameter"])
            return f"{field(rng, group)} {rng.choice(['IS NULL', 'IS NOT NULL', 'is null'])}"
        case _:
            group = rng.choice(["params", "tags", "param", "parameters"])
            comparison = rng.choice(["=", "!=", "LIKE", "ILIKE"])
            quote = rng.choice("'\"")
            value = rng.choice([*TEXTS[:-1], "%b", "_", "%", "A%"])
            return f"{field(rng, group)} {comparison} {quote}{value}{quote}"


def order(rng: random.Random) -> list[str]:
    names = ["start_time", "attributes.end_time", "attributes.status", "attributes.run_name"]
    names += [field(rng, group) for group in ("metrics", "params", "tags")]
    return [name + rng.choice(["", " ASC", " DESC", " desc"]) for name in rng.sample(names, rng.randrange(3))]


def test_random_searches_find_the_same(both: Both) -> None:
    rng = random.Random(11)
    for _ in range(SEARCHES):
        conditions = [condition(rng) for _ in range(rng.randrange(4))]
        both.search(" AND ".join(conditions), order(rng), rng.choice([1, 3]), rng.choice([40, 1000]))


@pytest.mark.parametrize(
    "text",
    [
        "metrics.loss < 'a'", "metrics.loss LIKE 'a'", "metrics.loss", "metrics.loss <", "metrics.loss == 1",
        "params.a > '1'", "params.a = 1", "params.a = a", "tags.a = 'b", "loss < 1", "foo.a = 'b'",
        "attributes.foo = 'a'", "status = 3", "status < 'a'", "start_time = '1'", "start_time LIKE 'a'",
        "Metrics.a < 1", "status = 'a';", "NOT status = 'a'", "datasets.size = 'a'",
        "params.a NOT LIKE 'b'", "run_id IN ()", "metrics.loss = nan",
    ],
)  # fmt: skip
def test_both_refuse(both: Both, text: str) -> None:
    with pytest.raises(InvalidArgumentError) as ours:
        both.ours.search_runs([both.experiment], text)
    with pytest.raises(mlflow.MlflowException) as theirs:
        both.theirs.search_runs([both.their_experiment], text)
    assert ours.value.error_code == theirs.value.error_code


@pytest.mark.parametrize(
    "clause", ["", "loss", "metrics.loss down", "foo.a", "datasets.name", "metrics.a, metrics.b"]
)
def test_both_refuse_an_order(both: Both, clause: str) -> None:
    with pytest.raises(InvalidArgumentError):
        both.ours.search_runs([both.experiment], order_by=[clause])
    with pytest.raises(Exception):  # noqa: B017 - of several classes
        both.theirs.search_runs([both.their_experiment], order_by=[clause])


# What differs; the numbers are those of docs/mlflow-differences.md.


@pytest.mark.parametrize(
    ("text", "ours", "theirs"),
    [
        pytest.param("status = 'FINISHED' status = 'FINISHED'", None, True, id="1"),
        pytest.param("status = 'FINISHED' AND", None, True, id="1 at the end"),
        pytest.param("params.loss = 'a' OR params.acc = 'a'", True, None, id="2"),
        pytest.param("(params.loss = 'a')", True, None, id="2 parentheses"),
        pytest.param("params.loss IN ('a', 'b')", True, None, id="2 IN"),
        pytest.param("metrics.loss IN (1, 2.5)", True, None, id="2 IN numbers"),
        pytest.param("metrics.loss IS NULL", True, None, id="2 IS NULL"),
        pytest.param("end_time IS NULL", True, None, id="2 IS NULL of an attribute"),
        pytest.param("metrics.loss > -inf", True, None, id="2 inf"),
        pytest.param("metrics.loss.min < 1", True, False, id="3"),
        pytest.param("metrics.loss NOT IN (1, 2.5)", True, None, id="2 NOT IN"),
        pytest.param("params.own = 'it''s'", True, False, id="4"),
        pytest.param("params.a-b/c:d@e IS NULL", True, None, id="4 keys"),
        pytest.param("tags.acc LIKE '100\\%'", True, False, id="5"),
        pytest.param("tags.acc ILIKE 'ä'", True, False, id="6"),
    ],
)
def test_a_difference(both: Both, text: str, ours: bool | None, theirs: bool | None) -> None:
    """``None``: refused; else whether it finds runs."""

    def outcome(which: str) -> bool | None:
        try:
            return any(both.pages(which, text, [], 1, 1000))
        except (InvalidArgumentError, mlflow.MlflowException):
            return None

    assert (outcome("ours"), outcome("theirs")) == (ours, theirs)


def test_pages_when_runs_come(both: Both) -> None:
    """9: the page after a run, or after a number of runs; and the order that a token belongs to."""
    found = []
    for client in (both.ours, both.theirs):
        experiment = client.create_experiment("pages")
        made = [client.create_run(experiment, BEGIN + at, {}, f"{at}") for at in range(4)]
        assert made
        first = client.search_runs([experiment], max_results=2, order_by=["start_time DESC"])
        client.create_run(experiment, BEGIN + 9, {}, "9")
        second = client.search_runs(
            [experiment], max_results=2, order_by=["start_time DESC"], page_token=first.token
        )
        found.append([run.info.run_name for page in (first, second) for run in page])
        try:
            client.search_runs([experiment], max_results=2, order_by=["metrics.a"], page_token=first.token)
        except Exception:  # noqa: BLE001 - of several classes
            found[-1].append("refused")
    assert found == [["3", "2", "1", "0", "refused"], ["3", "2", "2", "1"]]


def test_everywhere(both: Both) -> None:
    """10: without experiments; 35: all of them, with deleted ones."""
    name = "of a deleted experiment"
    for client in (both.ours, both.theirs):
        experiment = client.create_experiment(name)
        client.create_run(experiment, BEGIN, {}, name)
        client.delete_experiment(experiment)
    assert [run.info.run_name for run in both.ours.search_runs(None, f"run_name = '{name}'", 3)] == [name]
    with pytest.raises(TypeError):
        both.theirs.search_runs(filter_string=f"run_name = '{name}'")
    found = []
    for module, client in ((headrace, both.ours), (mlflow, both.theirs)):
        with pytest.MonkeyPatch.context() as patch:
            before = module.get_tracking_uri()
            module.set_tracking_uri(client.tracking_uri)
            patch.setenv("HEADRACE_JOURNAL_DIR", os.environ["HEADRACE_JOURNAL_DIR"])
            runs = module.search_runs(
                filter_string=f"run_name = '{name}'", run_view_type=3,
                search_all_experiments=True, output_format="list",
            )  # fmt: skip
            module.set_tracking_uri(before)
        found.append(len(runs))
    assert found == [1, 0]


@pytest.mark.parametrize(
    ("text", "order"),
    [
        (f"params.a = '{'x' * 300_000}'", []),
        ("", ["start_time", *(f"metrics.m{number}" for number in range(50))]),
    ],
    ids=["filter", "order"],
)
def test_11_filters_and_orders_are_bounded(both: Both, text: str, order: list[str]) -> None:
    with pytest.raises(InvalidArgumentError):
        both.ours.search_runs([both.experiment], text, order_by=order)
    both.theirs.search_runs([both.their_experiment], text, order_by=order)


def test_differences_of_values(both: Both) -> None:
    """7: infinities; 8: NaN beside another value of the same step and time."""
    run = {"name": "n", "start_time": BEGIN, "end_time": None, "status": "", "params": {}, "tags": {}}
    run["metrics"] = [("inf", math.inf, BEGIN, 0), ("tie", -1.0, BEGIN, 0), ("tie", math.nan, BEGIN, 0)]
    found = []
    for client, entities in ((both.ours, headrace), (both.theirs, mlflow.entities)):
        experiment = client.create_experiment("values")
        log(client, entities, experiment, run)
        [made] = client.search_runs([experiment])
        found.append(made.data.metrics)
    assert found[0] == {"inf": math.inf, "tie": -1.0}
    assert found[1]["inf"] == 1.7976931348623157e308
    assert math.isnan(found[1]["tie"])
