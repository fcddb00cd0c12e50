"""Draws results into ``docs/benchmarks``: SVG for the page, PNG for where SVG is not shown."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.mlflow_clients import report as mlflow_clients
from benchmarks.results import Result, curves, number

OURS = "headrace"
OURS_COLOUR = "#d1495b"
THEIRS_COLOUR = "#7d8ca3"
NAMES = {
    OURS: "Headrace",
    "trackio": "Trackio",
    "tensorboardx": "tensorboardX",
    "swanlab": "SwanLab",
    "aim": "Aim",
    "wandb": "W&B",
    "neptune": "Neptune",
    "mlflow": "MLflow",
    "mlflow-async": "MLflow, async",
    "mlflow-sync": "MLflow, sync",
}
FILES_PER_DRAWING = (".svg", ".png")


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draws whatever the results have; the files."""
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and not in every environment

    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "svg.hashsalt": "headrace",  # the same results give the same file
            "svg.fonttype": "none",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    drawings = {
        "call": _call([one for one in results if "system" in one]),
        "throughput": _throughput([one for one in results if "system" in one]),
        "reference": _reference({one["benchmark"]: one["figures"] for one in results if "benchmark" in one}),
        "growth": _growth({one["benchmark"]: one["figures"] for one in results if "benchmark" in one}),
        "mlflow-clients": mlflow_clients.draw(results),
        "servers": _servers([one for one in results if "server" in one]),
    }
    files = []
    for name, figure in drawings.items():
        for suffix in FILES_PER_DRAWING if figure else ():
            path = folder / f"{name}{suffix}"
            figure.savefig(path, dpi=130, metadata={"Date": None} if suffix == ".svg" else {})
            files.append(path)
    return files


def _call(peers: Sequence[Result]) -> Any:
    """Microseconds per call, the median as a bar and the 99th percentile as a mark."""
    if not peers:
        return None
    figure, axes = _panels(["W1", "W100"], "{} metrics in a call", peers)
    for panel, chosen in axes:
        p50 = [one["p50_us"]["median"] for one in chosen]
        p99 = [one["p99_us"]["median"] for one in chosen]
        labels = [f"{number(middle)}, {number(high)}" for middle, high in zip(p50, p99, strict=True)]
        _bars(panel, chosen, p50, p99, labels)
        panel.scatter(p99, range(len(chosen)), marker="|", s=60, color="black")
        panel.set(xlabel="µs per call (log scale), less is better; the mark is the 99th percentile")
    return figure


def _throughput(peers: Sequence[Result]) -> Any:
    """Points per second until flushed, with the least and the most."""
    if not peers:
        return None
    figure, axes = _panels(["W1", "W100"], "{} metrics in a call", peers)
    for panel, chosen in axes:
        rates = [one["flushed_per_s"] for one in chosen]
        medians = [rate["median"] for rate in rates]
        _bars(panel, chosen, medians, [rate["max"] for rate in rates], list(map(number, medians)))
        _whiskers(panel, rates)
        panel.set(xlabel="points/s until flushed (log scale), more is better")
    return figure


def _panels(workloads: Sequence[str], title: str, peers: Sequence[Result]) -> Any:
    """A panel for each workload, the quickest system on top in all of them."""
    from matplotlib import pyplot as plt  # noqa: PLC0415

    order = [one["system"] for one in peers if one["workload"] == workloads[0]]
    rate = {one["system"]: one["flushed_per_s"]["median"] for one in peers if one["workload"] == workloads[0]}
    order.sort(key=lambda system: rate[system])
    figure, panels = plt.subplots(
        1, len(workloads), figsize=(10, 0.6 + 0.34 * len(order)), layout="constrained"
    )
    pairs = []
    for panel, workload in zip(panels, workloads, strict=True):
        of = {one["system"]: one for one in peers if one["workload"] == workload}
        panel.set_title(title.format(workload.removeprefix("W")).replace("1 metrics", "1 metric"), loc="left")
        pairs.append((panel, [of[system] for system in order if system in of]))
    return figure, pairs


def _bars(
    panel: Any,
    systems: Sequence[Result],
    values: Sequence[float],
    furthest: Sequence[float],
    labels: Sequence[str],
) -> None:
    """A bar for each system, labelled behind what else is drawn there."""
    names = [NAMES.get(one["system"], one["system"]) for one in systems]
    colours = [OURS_COLOUR if one["system"] == OURS else THEIRS_COLOUR for one in systems]
    panel.barh(names, values, color=colours)
    panel.set_xscale("log")
    panel.set_xlim(min(values) / 4, max(furthest) * 30)
    for place, (value, end, label) in enumerate(zip(values, furthest, labels, strict=True)):
        panel.text(max(value, end) * 1.4, place, label, va="center", fontsize=8)


def _whiskers(panel: Any, spans: Sequence[Mapping[str, float]]) -> None:
    middle = [span["median"] for span in spans]
    least = [span["median"] - span["min"] for span in spans]
    most = [span["max"] - span["median"] for span in spans]
    panel.errorbar(middle, range(len(spans)), xerr=[least, most], fmt="none", ecolor="black", capsize=2)


def _reference(workloads: Mapping[str, Mapping[str, Any]]) -> Any:
    """Ours beside what the machine gives with nothing around it."""
    pairs = [
        (
            "series",
            "log_series, until durable",
            "durable_per_s",
            "Flight + Parquet + fsync",
            "reference_per_s",
            "ratio_to_reference",
        ),
        (
            "scalar",
            "log_metric, calls",
            "logged_per_s",
            "bare pack_into loop",
            "bare_loop_per_s",
            "ratio_to_bare_loop",
        ),
    ]
    pairs = [pair for pair in pairs if pair[0] in workloads]
    if not pairs:
        return None
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panels = plt.subplots(
        1, len(pairs), figsize=(4.5 * len(pairs), 2), layout="constrained", squeeze=False
    )
    for panel, (workload, title, ours, name, theirs, ratio) in zip(panels[0], pairs, strict=True):
        spans = [workloads[workload][theirs], workloads[workload][ours]]
        values = [span["median"] / 1e6 for span in spans]
        bars = panel.barh([name, "Headrace"], values, color=[THEIRS_COLOUR, OURS_COLOUR])
        _whiskers(panel, [{part: value / 1e6 for part, value in span.items()} for span in spans])
        panel.bar_label(bars, [f"{value:.2f}" for value in values], label_type="center", color="white")
        panel.set(xlabel="million points/s")
        panel.set_title(f"{title}: {workloads[workload][ratio]['median']:.0%}", loc="left")
    return figure


def _growth(workloads: Mapping[str, Mapping[str, Any]]) -> Any:
    """A panel for each curve."""
    drawn = [
        (workload, curve, points)
        for workload, figures in workloads.items()
        for curve, points in curves(figures).items()
        if len(points) > 1
    ]
    if not drawn:
        return None
    from matplotlib import pyplot as plt  # noqa: PLC0415
    from matplotlib.ticker import EngFormatter  # noqa: PLC0415

    columns = min(3, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, panels = plt.subplots(
        rows, columns, figsize=(3.6 * columns, 2.5 * rows), layout="constrained", squeeze=False
    )
    for panel in panels.flat[len(drawn) :]:
        panel.set_axis_off()
    for panel, (workload, curve, points) in zip(panels.flat, drawn, strict=False):
        places, medians = list(points), [span["median"] for span in points.values()]
        panel.plot(places, medians, marker="o", color=OURS_COLOUR)
        panel.fill_between(
            places,
            [span["min"] for span in points.values()],
            [span["max"] for span in points.values()],
            color=OURS_COLOUR,
            alpha=0.2,
        )
        if min(places) > 0 and max(places) / min(places) > 20:
            panel.set_xscale("log")
        panel.set_ylim(0, 1.1 * max(span["max"] for span in points.values()))
        panel.yaxis.set_major_formatter(EngFormatter(sep=""))
        panel.set_title(f"{workload}: {curve.replace('_', ' ')}", loc="left")
        panel.grid(axis="y", alpha=0.3)
    return figure


def _servers(results: Sequence[Result]) -> Any:
    """The same questions to our daemon and to MLflow's server."""
    questions = sorted({name for one in results for name in one["figures"] if name.endswith("_ms")})
    if len(results) < 2:
        return None
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, panel = plt.subplots(figsize=(8, 0.8 + 0.5 * len(questions)), layout="constrained")
    for place, one in enumerate(results):
        spans = [one["figures"].get(name) for name in questions]
        where = [number + 0.4 * (place - 0.5) for number, span in enumerate(spans) if span]
        values = [span["median"] for span in spans if span]
        colour = OURS_COLOUR if one["server"] == OURS else THEIRS_COLOUR
        bars = panel.barh(
            where, values, height=0.38, color=colour, label=NAMES.get(one["server"], one["server"])
        )
        panel.bar_label(bars, list(map(number, values)), padding=3, fontsize=8)
    panel.set_yticks(
        range(len(questions)), [name.removesuffix("_ms").replace("_", " ") for name in questions]
    )
    panel.set_xscale("log")
    panel.set(xlabel="ms (log scale), less is better")
    panel.legend(frameon=False)
    panel.margins(x=0.15)
    return figure
