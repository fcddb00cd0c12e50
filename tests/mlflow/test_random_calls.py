"""Random calls, the same ones here and at MLflow: each with the same answer, or refused with the same code.

Calls that docs/mlflow-differences.md names are left out; the numbers say why. Only with MLflow: ``make
test-mlflow``.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest

from beside import NOBODY, NOTHING, Side

pytest.importorskip("mlflow")

STEPS = 500
BEGIN = 1_700_000_000_000
KEYS = ("a", "b.c", "d e", "ü/x")
VALUES = ("", "1", "one", "Ünï", "it's", "x" * 500)
NUMBERS = (0.0, -1.5, 2, True, 1e300, 1e-300, float("nan"))


class Walk:
    """Calls of both sides; experiments and runs are named by the number of their creation."""

    def __init__(self, sides: tuple[Side, Side], seed: int) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.sides = sides
        self.experiments: list[tuple[str, str]] = []
        self.runs: list[tuple[str, str]] = []
        self.homes: list[int] = []
        self.made = 0
        for side in sides:
            side.noted = []

    def step(self) -> None:
        """One call, on both sides."""
        getattr(self, self.rng.choice(CALLS))()

    def both(self, said: str, call: Callable[[Side, int], Any]) -> list[Any]:
        """What both answered, which is the same. ``call`` gets a side, and 0 for ours."""
        answers = [side.note(lambda s=side, w=which: call(s, w)) for which, side in enumerate(self.sides)]
        ours, theirs = (side.noted.pop() for side in self.sides)
        assert ours == theirs, f"seed {self.seed}: {said}"
        return answers

    # What there is.

    def experiment(self) -> tuple[str, str]:
        if not self.experiments or self.rng.random() < 0.05:
            return NOTHING, NOTHING
        return self.rng.choice(self.experiments)

    def any_run(self) -> tuple[str, str]:
        if not self.runs or self.rng.random() < 0.05:
            return NOBODY, NOBODY
        return self.rng.choice(self.runs)

    def active_run(self) -> tuple[str, str] | None:
        """One that is not deleted (15, 16)."""
        for _ in range(5):
            pair = self.any_run()
            if pair[0] != NOBODY and self.ours.get_run(pair[0]).info.lifecycle_stage == "active":
                return pair
        return None

    @property
    def ours(self) -> Any:
        return self.sides[0].client

    def name(self) -> str:
        self.made += 1
        return f"{self.rng.choice(('n', 'N', 'ñ'))} {self.seed} {self.made}"

    # Experiments.

    def create_experiment(self) -> None:
        name = self.name() if self.rng.random() < 0.8 else self.rng.choice(["", None, 7])
        tags = {key: self.rng.choice(VALUES) for key in KEYS if self.rng.random() < 0.3}
        pair: list[str] = []
        self.both(
            f"create {name!r}", lambda side, _: pair.append(side.client.create_experiment(name, tags=tags))
        )
        if pair:
            self.experiments.append((pair[0], pair[1]))

    def create_it_again(self) -> None:
        if self.experiments:
            name = self.ours.get_experiment(self.rng.choice(self.experiments)[0]).name
            self.both("create again", lambda side, _: side.client.create_experiment(name))

    def look_at_an_experiment(self) -> None:
        pair = self.experiment()
        [ours, _] = self.both("get_experiment", lambda side, which: side.client.get_experiment(pair[which]))
        if ours is not None:
            self.both("by name", lambda side, _: side.client.get_experiment_by_name(ours.name))

    def rename_experiment(self) -> None:
        pair, name = self.experiment(), self.name()
        if pair[0] == NOTHING or self.ours.get_experiment(pair[0]).lifecycle_stage == "active":  # 29
            self.both("rename", lambda side, which: side.client.rename_experiment(pair[which], name))

    def tag_an_experiment(self) -> None:
        pair, key, value = self.experiment(), self.rng.choice(KEYS), self.rng.choice(VALUES)
        self.both("tag", lambda side, which: side.client.set_experiment_tag(pair[which], key, value))

    def untag_an_experiment(self) -> None:
        pair, key = self.experiment(), self.rng.choice(KEYS)
        self.both("untag", lambda side, which: side.client.delete_experiment_tag(pair[which], key))

    def delete_experiment(self) -> None:
        pair = self.experiment()
        if pair[0] == NOTHING or not self.ours.search_runs([pair[0]], "", 2):  # 19
            self.both("delete experiment", lambda side, which: side.client.delete_experiment(pair[which]))

    def restore_experiment(self) -> None:
        pair = self.experiment()
        self.both("restore experiment", lambda side, which: side.client.restore_experiment(pair[which]))

    def search_experiments(self) -> None:
        key = f"tags.`{self.rng.choice(KEYS)}`"
        value = self.rng.choice(("1", "one", "Ünï"))
        text = self.rng.choice(
            ["", f"{key} = '{value}'", f"{key} != '{value}'", f"{key} IS NULL", "name LIKE 'n%'"]
        )
        order, view = self.rng.choice([["name"], ["name DESC"]]), self.rng.choice([1, 2, 3])
        size = self.rng.choice([1, 3, 100])
        mine = f"name LIKE '% {self.seed} %'"
        whole = f"{text} AND {mine}" if text else mine

        def pages(side: Side, _: int) -> list[list[Any]]:
            found, token = [], None
            while True:
                page = side.client.search_experiments(view, size, whole, order, token)
                found.append([[each.name, each.lifecycle_stage, dict(each.tags)] for each in page])
                token = page.token
                if not token:
                    return found

        self.both(f"search_experiments {whole!r} {order} {view} {size}", pages)

    # Runs.

    def create_run(self) -> None:
        pair, name = self.experiment(), self.name()
        tags = {"named": "1", **{key: self.rng.choice(VALUES) for key in KEYS if self.rng.random() < 0.3}}
        parent = self.rng.choice(self.runs) if self.runs and self.rng.random() < 0.3 else None
        made: list[str] = []

        def create(side: Side, which: int) -> Any:
            own = dict(tags) | ({} if parent is None else {"mlflow.parentRunId": parent[which]})
            start = BEGIN + self.made
            run = side.client.create_run(pair[which], start, own, name)
            made.append(run.info.run_id)
            return run.info.start_time

        self.both("create_run", create)
        if made:
            self.runs.append((made[0], made[1]))

    def look_at_a_run(self) -> None:
        pair = self.any_run()

        def look(side: Side, which: int) -> Any:
            run = side.client.get_run(pair[which])
            run.data.tags.pop("mlflow.parentRunId", None)
            return run

        self.both("get_run", look)

    def look_at_its_parent(self) -> None:
        pair = self.any_run()

        def name(side: Side, which: int) -> Any:
            parent = side.client.get_parent_run(pair[which])
            return parent and parent.info.run_name

        self.both("get_parent_run", name)

    def delete_run(self) -> None:
        pair = self.any_run()
        self.both("delete_run", lambda side, which: side.client.delete_run(pair[which]))

    def restore_run(self) -> None:
        pair = self.any_run()
        # MLflow restores a run inside a deleted experiment; here as well.
        self.both("restore_run", lambda side, which: side.client.restore_run(pair[which]))

    def end_run(self) -> None:
        if pair := self.active_run():
            status = self.rng.choice(["FINISHED", "FAILED", "KILLED", None])
            end = self.rng.choice([None, BEGIN + 5])
            self.both("end", lambda side, which: side.client.set_terminated(pair[which], status, end))

    def rename_run(self) -> None:
        if pair := self.active_run():
            name = self.name()
            if self.rng.random() < 0.5:
                self.both("update_run", lambda side, which: side.client.update_run(pair[which], name=name))
            else:
                self.both(
                    "name", lambda side, which: side.client.set_tag(pair[which], "mlflow.runName", name)
                )

    # Logging.

    def log_metric(self) -> None:
        if pair := self.active_run():
            self.made += 1
            key, value = self.rng.choice(KEYS), self.rng.choice(NUMBERS)
            timestamp, step = BEGIN + self.made, self.rng.randrange(-2, 3)
            self.both(
                f"log_metric {key} {value}",
                lambda side, which: _nothing(
                    side.client.log_metric(pair[which], key, value, timestamp, step)
                ),
            )

    def log_param(self) -> None:
        if pair := self.active_run():
            key, value = self.rng.choice(KEYS), self.rng.choice([*VALUES, 1, None, 2.5])
            self.both(
                f"log_param {key} {value!r}",
                lambda side, which: _nothing(side.client.log_param(pair[which], key, value)),
            )

    def set_tag(self) -> None:
        if pair := self.active_run():
            key, value = self.rng.choice(KEYS), self.rng.choice([*VALUES, 1, None, 2.5])
            self.both(
                f"set_tag {key} {value!r}",
                lambda side, which: _nothing(side.client.set_tag(pair[which], key, value)),
            )

    def delete_tag(self) -> None:
        if pair := self.active_run():
            there = sorted(set(self.ours.get_run(pair[0]).data.tags) & set(KEYS))  # 17
            if there:
                key = there[0]
                self.both(
                    "delete_tag", lambda side, which: _nothing(side.client.delete_tag(pair[which], key))
                )

    def log_batch(self) -> None:
        if pair := self.active_run():
            self.made += 10
            points = [
                (self.rng.choice(KEYS), self.rng.choice(NUMBERS), BEGIN + self.made + i, i) for i in range(5)
            ]
            params = [(f"p{self.made}", "v"), (f"q{self.made}", "w")]
            tags = [(key, self.rng.choice(VALUES)) for key in self.rng.sample(KEYS, 2)]

            def log(side: Side, which: int) -> None:
                entities = side.entities
                side.client.log_batch(
                    pair[which],
                    [entities.Metric(*point) for point in points],
                    [entities.Param(*param) for param in params],
                    [entities.RunTag(*tag) for tag in tags],
                )

            self.both("log_batch", log)

    # Reading.

    def history(self) -> None:
        pair, key = self.any_run(), self.rng.choice(KEYS)
        if pair[0] != NOBODY:
            # MLflow gives no order.
            self.both(
                f"history of {key}",
                lambda side, which: sorted(
                    [point.timestamp, point.step, repr(point.value)]
                    for point in side.client.get_metric_history(pair[which], key)
                ),
            )

    def search_runs(self) -> None:
        if not self.experiments:
            return
        key = f"`{self.rng.choice(KEYS)}`"
        text = self.rng.choice(
            [
                "", f"metrics.{key} > 0", f"metrics.{key} != 2", f"params.{key} = '1'",
                f"tags.{key} LIKE '%n%'",
                f"params.{key} IS NULL", "status = 'FINISHED'", f"start_time > {BEGIN + self.made // 2}",
                f"tags.{key} IS NOT NULL AND status != 'FAILED'", "metrics.none < 1", "nonsense",
                "status = 3",
            ]
        )  # fmt: skip
        order = self.rng.choice(
            [None, [f"metrics.{key} DESC"], [f"params.{key}"], ["run_name"], ["status DESC"]]
        )
        view, size = self.rng.choice([1, 2, 3]), self.rng.choice([1, 4, 1000])
        where = self.rng.sample(self.experiments, min(3, len(self.experiments)))

        def pages(side: Side, which: int) -> list[list[str]]:
            found, token = [], None
            while True:
                page = side.client.search_runs(
                    [pair[which] for pair in where], text, view, size, order, token
                )
                found.append([run.info.run_name for run in page])
                token = page.token
                if not token:
                    return found

        self.both(f"search_runs {text!r} {order} {view} {size}", pages)


def _nothing(_: Any) -> None:
    """Logging calls return operations here, values there (12)."""


CALLS = [name for name in vars(Walk) if not name.startswith("_") and name not in
         ("step", "both", "experiment", "any_run", "active_run", "ours", "name")]  # fmt: skip
OFTEN = ["create_run", "log_metric", "log_param", "set_tag", "search_runs", "look_at_a_run", "log_batch"]
CALLS += [*OFTEN * 2, "create_run", "restore_experiment", "restore_run"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_calls_have_the_same_answers(sides: tuple[Side, Side], seed: int) -> None:
    walk = Walk(sides, seed)
    for _ in range(5):
        walk.create_experiment()
    for _ in range(STEPS):
        walk.step()
    assert len(walk.runs) > 20
