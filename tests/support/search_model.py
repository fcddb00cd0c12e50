"""What a search must find, said in the simplest way, and random searches to ask it of."""

import math
import operator
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from points import Logged

Predicate = Callable[["ModelRun"], bool]

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "LIKE": lambda text, pattern: like(text, pattern, 0),
    "ILIKE": lambda text, pattern: like(text, pattern, re.IGNORECASE),
    "IN": lambda value, values: value in values,
    "NOT IN": lambda value, values: value not in values,
}

NUMBERS = ["-1", "0", "0.5", "1", "2", "inf", "-inf", "1e-3", "1005", "1500"]
TEXTS = ["", "a", "b", "B", "a%", "%b", "_", "c'd", 'e"f', "run 1", "run%", "RUNNING", "FINISHED", "\\%", "ä"]


def like(text: str, pattern: str, flags: int) -> bool:
    parts = re.split(r"(\\.|%|_)", pattern)
    source = "".join({"%": ".*", "_": "."}.get(p) or re.escape(p[1:] if p[:1] == "\\" else p) for p in parts)
    return re.fullmatch(source, text, flags | re.DOTALL) is not None


def by_rule(point: Logged) -> tuple[object, ...]:
    nan = math.isnan(point.value)
    return (point.step, point.timestamp, not nan, 0.0 if nan else point.value)


@dataclass
class ModelRun:
    """A run as a reader knows it, with all its points."""

    run_id: str
    experiment_id: str
    run_name: str
    start_time: int
    user_id: str = "me"
    status: str = "RUNNING"
    end_time: int | None = None
    stage: str = "active"
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: dict[str, list[Logged]] = field(default_factory=dict)

    @property
    def artifact_uri(self) -> str:
        return f"headrace-artifacts:/{self.experiment_id}/{self.run_id}/artifacts"

    def metric(self, key: str, aspect: str) -> float | None:
        points = self.points.get(key)
        if not points:
            return None
        if aspect in {"last", "first"}:
            return (max if aspect == "last" else min)(points, key=by_rule).value
        numbers = [point.value for point in points if not math.isnan(point.value)]
        return (min if aspect == "min" else max)(numbers, default=math.nan)


@dataclass(frozen=True)
class ModelField:
    """A field as text, and its value of a run."""

    text: str
    is_number: bool
    of: Callable[[ModelRun], Any]


def metric_field(text: str, key: str, aspect: str) -> ModelField:
    return ModelField(text, is_number=True, of=lambda run: run.metric(key, aspect))


def text_field(text: str, group: str, key: str) -> ModelField:
    return ModelField(text, is_number=False, of=lambda run: getattr(run, group).get(key))


def fields() -> list[ModelField]:
    names = ("run_id", "status", "start_time", "end_time", "user_id", "artifact_uri")
    found = [ModelField(name, name.endswith("time"), operator.attrgetter(name)) for name in names]
    found.append(ModelField("attributes.`Run name`", is_number=False, of=operator.attrgetter("run_name")))
    for key in ("a", "b c"):
        found += [text_field(f"params.`{key}`", "params", key), text_field(f'tags."{key}"', "tags", key)]
    for key in ("key0", "key1", "none"):
        found.append(metric_field(f"metrics.{key}", key, "last"))
        for aspect in ("min", "max", "first"):
            found.append(metric_field(f"metrics.{key}.{aspect}", key, aspect))
            found.append(metric_field(f"metrics.`{key}`.{aspect}", key, aspect))
    # There is a metric with exactly this name in some runs.
    either = ModelField(
        "metrics.key2.min",
        is_number=True,
        of=lambda run: (
            run.metric("key2.min", "last") if "key2.min" in run.points else run.metric("key2", "min")
        ),
    )
    return [*found, either, metric_field("metrics.`key2.min`", "key2.min", "last")]


def quoted(rng: random.Random, text: str) -> str:
    mark = rng.choice("'\"")
    return mark + text.replace(mark, mark * 2) + mark


def random_filter(rng: random.Random, depth: int = 2) -> tuple[str, Predicate]:
    """A filter and what it means."""
    if depth and rng.random() < 0.6:
        word, decide = rng.choice([("AND", all), ("or", any)])
        parts = [random_filter(rng, depth - 1) for _ in range(rng.randint(2, 3))]
        text = f" {word} ".join(f"({part})" for part, _ in parts)
        return text, lambda run: decide(predicate(run) for _, predicate in parts)
    chosen = rng.choice(fields())
    kind = rng.random()
    if kind < 0.15:
        negated = rng.random() < 0.5
        return (
            f"{chosen.text} IS {'NOT ' * negated}NULL",
            lambda run: (chosen.of(run) is not None) if negated else (chosen.of(run) is None),
        )
    if kind < 0.35:
        name = rng.choice(["IN", "NOT IN"])
        values = rng.sample(NUMBERS if chosen.is_number else TEXTS, 3)
        shown = values if chosen.is_number else [quoted(rng, value) for value in values]
        value: Any = [float(one) for one in values] if chosen.is_number else values
        text = f"{chosen.text} {name} ({', '.join(shown)})"
    elif chosen.is_number:
        name = rng.choice(["=", "!=", "<", "<=", ">", ">="])
        number = rng.choice(NUMBERS)
        value, text = float(number), f"{chosen.text} {name} {number}"
    else:
        name = rng.choice(["=", "!=", "LIKE", "ILIKE"])
        value = rng.choice(TEXTS)
        text = f"{chosen.text} {name} {quoted(rng, value)}"
    compare = OPERATORS[name]
    return text, lambda run: (found := chosen.of(run)) is not None and compare(found, value)


def random_order(rng: random.Random) -> list[tuple[str, ModelField, bool]]:
    """Clauses: their texts, fields, and whether they ascend."""
    chosen = rng.sample([each for each in fields() if "`" not in each.text], rng.randint(0, 2))
    ascending = [rng.random() < 0.5 for _ in chosen]
    return [
        (each.text + rng.choice(["", " ASC"] if up else [" DESC", " desc"]), each, up)
        for each, up in zip(chosen, ascending, strict=True)
    ]


def in_order(runs: Sequence[ModelRun], order: Sequence[tuple[str, ModelField, bool]]) -> list[ModelRun]:
    """By the clauses, the newest first, by id; NaN after numbers, missing ones last."""
    found = sorted(runs, key=lambda run: run.run_id)
    if not any(each.text == "start_time" for _, each, _ in order):
        found.sort(key=lambda run: -run.start_time)
    for _, each, ascending in reversed(order):
        of = each.of
        missing = [run for run in found if of(run) is None]
        nan = [run for run in found if isinstance(of(run), float) and math.isnan(of(run))]
        rest = [run for run in found if run not in missing and run not in nan]
        found = [*sorted(rest, key=of, reverse=not ascending), *nan, *missing]
    return found
