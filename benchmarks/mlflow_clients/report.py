"""The part of the page about MLflow's client: a table and a picture."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.markdown import span, table
from benchmarks.mlflow_clients import QUESTIONS
from benchmarks.results import Figure, Result, number

HEADS = {
    "mlflow": "MLflow's server",
    "rest": "**Headrace**, REST",
    "plugin": "**Headrace**, plugin",
    "nothing": "nothing",
    "nothing-queued": "nothing, MLflow's queue",
}
COLOURS = {"rest": "#e4a0a8", "plugin": "#d1495b"}

GOALS = (20, 50)
"""Times MLflow's: by REST log_batch, by the plugin's log_metric."""

DRAWN = {
    ("log-metric", "flushed_per_s"): "log_metric, asynchronous",
    ("log-metric-registry", "flushed_per_s"): "log_metric, MLFLOW_REGISTRY_URI set",
    ("log-metric-client", "flushed_per_s"): "MlflowClient.log_metric, asynchronous",
    ("log-batch", "points_per_s"): "log_batch of 1,000",
    ("log-batch-processes", "points_per_s"): "log_batch from 4 processes",
    ("requests", "points_at_1_per_s"): "log-batch requests, 1 connection",
    ("requests", "points_at_4_per_s"): "log-batch requests, 4 connections",
    ("requests", "history_ms"): "get-history request, 100,000 points",
    ("requests", "search_ms"): "runs/search request, 1,000 runs",
    ("history", "history_ms"): "get_metric_history, 100,000 points",
    ("search", "search_ms"): "search_runs, 1,000 runs",
    ("search", "filter_and_order_ms"): "search_runs, a filter and an order",
    ("end-run", "queued_ms"): "end_run, 500 points queued",
    ("end-run", "nothing_queued_ms"): "end_run",
}

Figures = dict[str, dict[str, Mapping[str, Figure]]]
"""By question and target."""


def times(name: str, ours: Figure, theirs: Figure) -> float:
    """How many times better ours is: of a rate more is better, of a time less."""
    ratio = ours["median"] / theirs["median"]
    return ratio if name.endswith("_per_s") else 1 / ratio


def by_question(results: Sequence[Result]) -> Figures:
    """Of all the results, those of MLflow's client."""
    found: Figures = {name: {} for name in QUESTIONS}
    for one in results:
        if "question" in one:
            found[one["question"]][one["target"]] = one["figures"]
    return {question: targets for question, targets in found.items() if targets}


def rows(results: Sequence[Result]) -> str:
    """A row for each figure; ours with how many times MLflow's it is."""
    lines = []
    for question, targets in by_question(results).items():
        for name in next(iter(targets.values())):
            figures = {target: found[name] for target, found in targets.items() if name in found}
            cells = [_cell(name, target, figures) for target in HEADS]
            lines.append([f"{question} `{name}`", *cells])
    return table(["", *HEADS.values()], lines)


def _cell(name: str, target: str, figures: Mapping[str, Figure]) -> str:
    if target not in figures:
        return ""
    figure = figures[target]
    text = f"{number(figure['median'])} ({span(figure)})"
    if target in COLOURS and "mlflow" in figures:
        text += f" **{number(times(name, figure, figures['mlflow']))} x**"
    if target == "plugin" and "nothing" in figures:
        text += f" {times(name, figure, figures['nothing']):.0%} of nothing's"
    return text


def draw(results: Sequence[Result]) -> Any:
    """How many times MLflow's server ours is."""
    found = by_question(results)
    drawn = [
        (label, name, found[question])
        for (question, name), label in reversed(DRAWN.items())
        if name in found.get(question, {}).get("mlflow", {})
    ]
    if not drawn:
        return None
    from matplotlib import pyplot as plt  # noqa: PLC0415 - slow to import, and not in every environment

    figure, panel = plt.subplots(figsize=(8, 1 + 0.42 * len(drawn)), layout="constrained")
    for offset, (target, colour) in zip((0.2, -0.2), COLOURS.items(), strict=True):
        known = [
            (place + offset, times(name, targets[target][name], targets["mlflow"][name]))
            for place, (_, name, targets) in enumerate(drawn)
            if target in targets
        ]
        places, ratios = [place for place, _ in known], [ratio for _, ratio in known]
        label = HEADS[target].replace("*", "")
        bars = panel.barh(places, ratios, height=0.38, color=colour, label=label)
        panel.bar_label(bars, [f"{number(ratio)} x" for ratio in ratios], padding=3, fontsize=8)
    for goal in GOALS:
        panel.axvline(goal, color="black", linestyle=":", linewidth=0.8)
    panel.set_yticks(range(len(drawn)), [label for label, _, _ in drawn])
    panel.set_xscale("log")
    panel.set(
        xlabel="times MLflow's server on PostgreSQL, the same client (log scale); the lines are 20 and 50"
    )
    figure.legend(frameon=False, loc="outside upper right", ncols=len(COLOURS))
    panel.margins(x=0.15)
    panel.set_xlim(left=min(1.0, panel.get_xlim()[0]))
    return figure
